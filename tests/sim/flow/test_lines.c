/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include "base/bytes.h"
#include "names/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Questions of several applications to one resolver, through a server. */

static const struct rule_spec rules[] = {
	{ .path = "0", .ip = sim_server_net, .outbound = "vmess" },
};

static void
begin(void)
{
	struct sim_config c = { .rule = rules, .nrule = 1 };

	sim_begin(&c);
}

/* Asks for a name of its own, with this id. */
static struct app *
asks(unsigned number, uint16_t id)
{
	char source[32], name[32];
	struct app *a;
	uint8_t q[256];
	int n;

	snprintf(source, sizeof(source), "198.18.0.1:%u", 4000 + number);
	snprintf(name, sizeof(name), "h%u.example", number);
	a = app_new(source, "203.0.113.7:53");
	n = dns_write_query(q, sizeof(q), id, name, DNS_A);
	assert_true(n > 0);
	app_sends_to(a, "203.0.113.7:53", q, (size_t)n);
	return a;
}

/* The answer to `q`, in `p`. */
static size_t
answer_to(uint8_t *p, const uint8_t *q, size_t len)
{
	const uint8_t b[4] = { 192, 0, 2, 80 };
	struct ip ip = ip_make(4, b);
	struct dns_message m;
	int n;

	assert_int_equal(dns_read(&m, q, len), 0);
	n = dns_write_answer(p, 512, &m, DNS_NOERROR, &ip, 1, 60);
	assert_true(n > 0);
	return (size_t)n;
}

static uint16_t
answers(struct far *f, const uint8_t *q, size_t len)
{
	uint8_t p[512];

	far_datagram(f, "203.0.113.7:53", p, answer_to(p, q, len));
	sim_settle();
	return be16_get(p);
}

static void
is_answered(const struct app *a, uint16_t id, unsigned times)
{
	assert_int_equal(a->datagrams, times);
	assert_true(endpoint_is(&a->from, "203.0.113.7:53"));
	assert_int_equal(be16_get(a->got), id);
}

static void
one_for_all(void **state)
{
	struct app *a, *b;
	uint8_t first[512];
	size_t len;
	struct far *f;

	(void)state;
	begin();
	a = asks(1, 77);
	f = far_at(0);
	far_opens(f, STREAM_OK);
	sim_settle();
	memcpy(first, f->out, f->out_len);
	len = f->out_len;
	b = asks(2, 77);
	assert_int_equal(far_count(), 1);
	assert_int_equal(f->sent, 2);
	assert_true(endpoint_is(&f->last_sent, "203.0.113.7:53"));
	/* The same id of two applications is not the same on the line. */
	assert_int_not_equal(be16_get(first), be16_get(f->out));
	answers(f, f->out, f->out_len);
	assert_int_equal(a->datagrams, 0);
	is_answered(b, 77, 1);
	answers(f, first, len);
	is_answered(a, 77, 1);
	/* Nobody waits for it any more. */
	answers(f, first, len);
	is_answered(a, 77, 1);
	sim_end();
}

static void
strangers_are_not_believed(void **state)
{
	uint8_t q[512], p[512];
	struct app *a;
	struct far *f;
	size_t len;

	(void)state;
	begin();
	a = asks(1, 77);
	f = far_at(0);
	far_opens(f, STREAM_OK);
	sim_settle();
	len = f->out_len;
	memcpy(q, f->out, len);
	q[14] ^= 1; /* another name */
	answers(f, q, len);
	memcpy(q, f->out, len);
	q[0] ^= 1;
	answers(f, q, len);
	far_datagram(f, "203.0.113.7:53", q, 5);
	sim_settle();
	far_datagram(f, "203.0.113.7:53", f->out, len); /* no answer at all */
	sim_settle();
	assert_int_equal(a->datagrams, 0);
	memcpy(p, f->out, len);
	answers(f, p, len);
	is_answered(a, 77, 1);
	sim_end();
}

static void
others_go_alone(void **state)
{
	uint8_t p[512] = { 0, 77, 0x81, 0x80 };
	struct app *a;

	(void)state;
	begin();
	a = asks(1, 77);
	app_sends_to(a, "203.0.113.7:53", "no question", 11);
	assert_int_equal(far_count(), 2);
	far_opens(far_at(1), STREAM_OK);
	sim_settle();
	assert_memory_equal(far_at(1)->out, "no question", 11);
	/* An answer is none, either. */
	app_sends_to(a, "203.0.113.7:53", p, 12);
	assert_int_equal(far_count(), 2);
	assert_int_equal(far_at(1)->sent, 2);
	/* Nor does a line serve another resolver. */
	app_sends_to(a, "203.0.113.8:53", "x", 1);
	assert_int_equal(far_count(), 3);
	sim_end();
}

static void
lines_change(void **state)
{
	struct app *a;
	struct far *f;
	unsigned i;

	(void)state;
	begin();
	asks(1, 1);
	f = far_at(0);
	far_opens(f, STREAM_OK);
	sim_settle();
	answers(f, f->out, f->out_len);
	sim_pass(9000);
	asks(2, 2);
	assert_int_equal(far_count(), 1);
	answers(f, f->out, f->out_len);
	sim_pass(1500);
	a = asks(3, 3);
	assert_int_equal(far_count(), 2);
	far_opens(far_at(1), STREAM_OK);
	sim_settle();
	answers(far_at(1), far_at(1)->out, far_at(1)->out_len);
	is_answered(a, 3, 1);
	/* One that nobody asks any more ends. */
	sim_pass(20000);
	assert_true(f->freed && far_at(1)->freed);
	/* So many without an answer are for two. */
	for (i = 0; i < 130; i++) {
		asks(10 + i, 1);
		far_opens(far_at(2), STREAM_OK);
		sim_settle();
	}
	assert_int_equal(far_count(), 4);
	assert_int_equal(far_at(2)->sent, 128);
	sim_end();
}

static void
ended_by_the_server(void **state)
{
	struct app *a;
	struct far *f;

	(void)state;
	begin();
	asks(1, 1);
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	far_ends(far_at(0));
	sim_settle();
	assert_true(far_at(0)->freed);
	/* The next ones go alone, for a while. */
	a = asks(2, 2);
	f = far_at(1);
	far_opens(f, STREAM_OK);
	sim_settle();
	assert_int_equal(be16_get(f->out), 2);
	asks(3, 3);
	assert_int_equal(far_count(), 3);
	answers(f, f->out, f->out_len);
	is_answered(a, 2, 1);
	sim_pass(60000);
	asks(4, 4);
	asks(5, 5);
	assert_int_equal(far_count(), 4);
	sim_end();
}

static void
fails_to_open(void **state)
{
	(void)state;
	begin();
	asks(1, 1);
	far_opens(far_at(0), -ECONNREFUSED);
	sim_settle();
	assert_true(far_at(0)->freed);
	asks(2, 2);
	assert_int_equal(far_count(), 2);
	sim_end();
}

/* An answer for an application that is gone does no harm. */
static void
nobody_waits(void **state)
{
	struct sim_config c = { .rule = rules, .nrule = 1, .flows.udp_idle = 2 };
	uint8_t q[512];
	struct far *f;
	size_t len;

	(void)state;
	sim_begin(&c);
	asks(1, 1);
	f = far_at(0);
	far_opens(f, STREAM_OK);
	sim_settle();
	len = f->out_len;
	memcpy(q, f->out, len);
	sim_pass(3000);
	answers(f, q, len);
	sim_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_for_all),
		cmocka_unit_test(strangers_are_not_believed),
		cmocka_unit_test(others_go_alone),
		cmocka_unit_test(lines_change),
		cmocka_unit_test(ended_by_the_server),
		cmocka_unit_test(fails_to_open),
		cmocka_unit_test(nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
