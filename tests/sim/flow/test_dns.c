/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Queries, and what their answers teach. */

static const char *const bad_domains[] = { "domain:bad.example", NULL };
static const char *const torrents[] = { "bittorrent", NULL };
static const struct rule_spec rules[] = {
	{ .path = "0", .domain = bad_domains, .outbound = "block" },
	{ .path = "1", .ip = sim_server_net, .outbound = "vmess" },
};
static const struct rule_spec by_bytes = {
	.path = "0", .protocol = torrents, .outbound = "block"
};

static void
begin(void)
{
	struct sim_config c = { .rule = rules, .nrule = 2 };

	sim_begin(&c);
}

/* "x.bad.example" A 192.0.2.66, or the question for it. */
static size_t
message(uint8_t *mem, size_t cap, bool answer)
{
	struct writer w;

	writer_init(&w, mem, cap);
	writer_be16(&w, 0x1234);
	writer_be16(&w, answer ? 0x8180 : 0x0100);
	writer_be16(&w, 1);
	writer_be16(&w, answer ? 1 : 0);
	writer_be32(&w, 0);
	writer_bytes(&w, "\1x\3bad\7example", 15);
	writer_be32(&w, 0x00010001);
	if (answer) {
		writer_be16(&w, 0xc00c);
		writer_be32(&w, 0x00010001);
		writer_be32(&w, 300);
		writer_be16(&w, 4);
		writer_be32(&w, 0xc0000242);
	}
	assert_false(w.bad);
	return w.len;
}

static void
answered_name_decides(struct app *a, struct far *f, const char *from)
{
	uint8_t mem[200];
	size_t len = message(mem, sizeof(mem), true);
	struct app *t;

	far_datagram(f, from, mem, len);
	sim_settle();
	assert_int_equal(a->datagrams, 1);
	t = app_new("198.18.0.1:5000", "192.0.2.66:80");
	app_syn(t);
	sim_settle();
	f = far_at(far_count() - 1);
	assert_string_equal(f->o->tag, "block");
	far_opens(f, -ECONNREFUSED);
	sim_settle();
	assert_true(t->rst);
}

static void
query_to_us(void **state)
{
	uint8_t mem[200];
	struct app *a;
	struct far *f;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "198.18.0.2:53");
	app_sends_to(a, "198.18.0.2:53", mem, message(mem, sizeof(mem), false));
	f = far_at(0);
	assert_non_null(f);
	assert_true(endpoint_is(&f->last_sent, "192.0.2.53:53"));
	/* A stranger's answer is none. */
	far_datagram(f, "192.0.2.54:53", "", 0);
	far_datagram(f, "192.0.2.54:53", "abc", 3);
	sim_settle();
	assert_int_equal(a->datagrams, 0);
	answered_name_decides(a, f, "192.0.2.53:53");
	assert_true(endpoint_is(&a->from, "198.18.0.2:53"));
	assert_int_equal(sim_udp(), 1);
	sim_pass(5100);
	assert_int_equal(sim_udp(), 0);
	assert_true(f->freed);
	sim_end();
}

static void
query_to_another(void **state)
{
	uint8_t mem[200];
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "192.0.2.99:53");
	app_sends_to(a, "192.0.2.99:53", mem, message(mem, sizeof(mem), false));
	answered_name_decides(a, far_at(0), "192.0.2.99:53");
	assert_true(endpoint_is(&a->from, "192.0.2.99:53"));
	sim_pass(5100);
	assert_int_equal(sim_udp(), 0);
	sim_end();
}

/* Which way an application takes to the address that the forged answer tells of. */
static const char *
way_to_forged(const char *source)
{
	struct app *t = app_new(source, "192.0.2.66:80");

	app_syn(t);
	sim_settle();
	return far_at(far_count() - 1)->o->tag;
}

/* It is let in, as from everybody, and teaches nothing: neither where nobody was asked, nor
 * where somebody else was, nor where another question was. */
static void
strangers_teach_nothing(void **state)
{
	uint8_t mem[200];
	struct app *a, *b;
	size_t len;

	(void)state;
	begin();
	len = message(mem, sizeof(mem), true);
	a = app_new("198.18.0.1:4000", "192.0.2.7:100");
	app_sends_to(a, "192.0.2.7:100", "one", 3);
	far_datagram(far_at(0), "192.0.2.99:53", mem, len);
	sim_settle();
	assert_int_equal(a->datagrams, 1);
	assert_string_equal(way_to_forged("198.18.0.1:5000"), "direct");
	b = app_new("198.18.0.1:4001", "192.0.2.53:53");
	len = message(mem, sizeof(mem), false);
	app_sends_to(b, "192.0.2.53:53", mem, len);
	len = message(mem, sizeof(mem), true);
	far_datagram(far_at(2), "192.0.2.99:53", mem, len);
	sim_settle();
	assert_int_equal(b->datagrams, 1);
	assert_string_equal(way_to_forged("198.18.0.1:5001"), "direct");
	mem[1] ^= 1;
	far_datagram(far_at(2), "192.0.2.53:53", mem, len);
	sim_settle();
	assert_int_equal(b->datagrams, 2);
	assert_string_equal(way_to_forged("198.18.0.1:5002"), "direct");
	mem[1] ^= 1;
	far_datagram(far_at(2), "192.0.2.53:53", mem, len);
	sim_settle();
	assert_string_equal(way_to_forged("198.18.0.1:5003"), "block");
	sim_end();
}

static void
query_without_an_answer(void **state)
{
	uint8_t mem[200];
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "198.18.0.2:53");
	app_sends_to(a, "198.18.0.2:53", mem, message(mem, sizeof(mem), false));
	sim_pass(59000);
	assert_int_equal(sim_udp(), 1);
	sim_pass(1100);
	assert_int_equal(sim_udp(), 0);
	sim_end();
}

static void
query_without_a_resolver(void **state)
{
	struct sim_config c = { .no_server = true };
	uint8_t mem[200];
	struct app *a;

	(void)state;
	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "198.18.0.2:53");
	app_sends_to(a, "198.18.0.2:53", mem, message(mem, sizeof(mem), false));
	assert_int_equal(a->icmp, 0);
	/* An answer is no query, and gets no reply. */
	a->icmp = -1;
	app_sends_to(a, "198.18.0.2:53", mem, message(mem, sizeof(mem), true));
	assert_int_equal(a->icmp, -1);
	assert_int_equal(a->datagrams, 0);
	sim_end();
}

static void
queries_by_tcp(void **state)
{
	static const char query[] = "\x00\x03"
				    "abc";
	struct sim_config c = {
		.rule = &by_bytes, .nrule = 1, .sniffing.override = SNIFF_TLS
	};
	struct app *a;

	(void)state;
	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "198.18.0.2:53");
	app_syn(a);
	sim_settle();
	assert_int_equal(far_at(0)->to.port, 53);
	assert_int_equal(far_at(0)->to.ip.b[3], 53);
	assert_false(a->connected);
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	app_says(a, query, sizeof(query) - 1);
	sim_settle();
	assert_int_equal(far_at(0)->out_len, sizeof(query) - 1);
	sim_end();
}

static void
queries_without_a_resolver(void **state)
{
	struct sim_config c = { .no_server = true };
	struct app *a;

	(void)state;
	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "198.18.0.2:53");
	app_syn(a);
	sim_settle();
	assert_int_equal(a->icmp, 0);
	sim_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_to_us),
		cmocka_unit_test(query_to_another),
		cmocka_unit_test(strangers_teach_nothing),
		cmocka_unit_test(query_without_an_answer),
		cmocka_unit_test(query_without_a_resolver),
		cmocka_unit_test(queries_by_tcp),
		cmocka_unit_test(queries_without_a_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
