/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include "base/bytes.h"
#include "stream/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Associations and pings. */

static const char *const bad_domains[] = { "domain:bad.example", NULL };
static const struct rule_spec rules[] = {
	{ .path = "0", .domain = bad_domains, .outbound = "block" },
	{ .path = "1", .ip = sim_server_net, .outbound = "vmess" },
};

static void
begin(void)
{
	struct sim_config c = { .rule = rules, .nrule = 2 };

	sim_begin(&c);
}

static size_t
dropped(void)
{
	struct flow_counters n;

	flows_count(flows, &n);
	return n.dropped;
}

static void
one_socket_two_targets(void **state)
{
	struct app *a;
	struct far *f;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "192.0.2.7:100");
	app_sends_to(a, "192.0.2.7:100", "one", 3);
	assert_int_equal(far_count(), 1);
	f = far_at(0);
	assert_true(endpoint_is(&f->last_sent, "192.0.2.7:100"));
	app_sends_to(a, "192.0.2.8:200", "two", 3);
	assert_int_equal(far_count(), 1);
	assert_true(endpoint_is(&f->last_sent, "192.0.2.8:200"));
	assert_int_equal(sim_udp(), 1);
	far_datagram(f, "192.0.2.7:100", "answer", 6);
	sim_settle();
	assert_int_equal(a->got_len, 6);
	assert_true(endpoint_is(&a->from, "192.0.2.7:100"));
	far_datagram(f, "192.0.2.8:200", "other", 5);
	sim_settle();
	assert_true(endpoint_is(&a->from, "192.0.2.8:200"));
	/* From where nothing was sent to. */
	far_datagram(f, "192.0.2.9:300", "", 0);
	far_datagram(f, "192.0.2.9:300", "stranger", 8);
	sim_settle();
	assert_true(endpoint_is(&a->from, "192.0.2.9:300"));
	assert_int_equal(a->datagrams, 3);
	sim_end();
}

static void
two_targets_by_a_server(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "203.0.113.7:100");
	app_sends_to(a, "203.0.113.7:100", "one", 3);
	app_sends_to(a, "203.0.113.8:200", "two", 3);
	assert_int_equal(far_count(), 2);
	assert_int_equal(far_at(0)->sent, 0);
	far_opens(far_at(1), STREAM_OK);
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	assert_memory_equal(far_at(0)->out, "one", 3);
	assert_memory_equal(far_at(1)->out, "two", 3);
	/* What such an answer says of its source is not more than its leg knows. */
	far_datagram(far_at(1), "192.0.2.1:1", "answer", 6);
	sim_settle();
	assert_true(endpoint_is(&a->from, "203.0.113.8:200"));
	sim_end();
}

static void
queue_while_opening(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "203.0.113.7:100");
	for (int i = 0; i < 20; i++)
		app_sends_to(a, "203.0.113.7:100", &i, sizeof(i));
	assert_int_equal(dropped(), 4);
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	assert_int_equal(far_at(0)->sent, 16);
	app_sends_to(a, "203.0.113.7:100", "x", 1);
	assert_int_equal(far_at(0)->sent, 17);
	sim_end();
}

static void
queue_while_full(void **state)
{
	struct app *a;
	struct far *f;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "203.0.113.7:100");
	app_sends_to(a, "203.0.113.7:100", "1", 1);
	f = far_at(0);
	far_opens(f, STREAM_OK);
	sim_settle();
	f->room = 0;
	app_sends_to(a, "203.0.113.7:100", "2", 1);
	app_sends_to(a, "203.0.113.7:100", "3", 1);
	assert_int_equal(f->sent, 1);
	f->room = SIM_BYTES;
	far_opens(f, STREAM_OK);
	sim_settle();
	assert_int_equal(f->sent, 3);
	assert_memory_equal(f->out, "3", 1);
	sim_end();
}

static void
refused_and_unreachable(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "192.0.2.7:100");
	app_sends_to(a, "192.0.2.7:100", "x", 1);
	far_news(far_at(0), "192.0.2.7:100", PACKETS_REFUSED);
	sim_settle();
	assert_int_equal(a->icmp, 3);
	far_news(far_at(0), "192.0.2.7:100", PACKETS_UNREACHABLE);
	sim_settle();
	assert_int_equal(a->icmp, 1);
	app_sends_to(a, "192.0.2.7:100", "x", 1);
	assert_int_equal(far_at(0)->sent, 2);
	sim_end();
}

static void
failed_leg_is_tried_again(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "203.0.113.7:100");
	app_sends_to(a, "203.0.113.7:100", "x", 1);
	far_opens(far_at(0), -ECONNREFUSED);
	sim_settle();
	assert_true(far_at(0)->freed);
	assert_int_equal(a->icmp, -1);
	assert_int_equal(dropped(), 1); /* it had waited for the way out */
	app_sends_to(a, "203.0.113.7:100", "x", 1);
	assert_int_equal(far_count(), 1);
	sim_pass(1000);
	app_sends_to(a, "203.0.113.7:100", "x", 1);
	assert_int_equal(far_count(), 2);
	far_opens(far_at(1), STREAM_OK);
	sim_settle();
	assert_int_equal(far_at(1)->sent, 1);
	/* A session that the server ends in order is followed by another at once. */
	far_ends(far_at(1));
	sim_settle();
	assert_true(far_at(1)->freed);
	app_sends_to(a, "203.0.113.7:100", "x", 1);
	assert_int_equal(far_count(), 3);
	sim_end();
}

static void
direct_leg_that_fails_is_told(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "192.0.2.7:100");
	app_sends_to(a, "192.0.2.7:100", "x", 1);
	far_fails(far_at(0), -ENETUNREACH);
	sim_settle();
	assert_int_equal(a->icmp, 0);
	assert_true(far_at(0)->freed);
	/* What this machine lacks says nothing about the target. */
	a = app_new("198.18.0.1:4001", "192.0.2.7:100");
	app_sends_to(a, "192.0.2.7:100", "x", 1);
	far_fails(far_at(1), -EMFILE);
	sim_settle();
	assert_int_equal(a->icmp, -1);
	assert_true(far_at(1)->freed);
	sim_end();
}

static void
idle_associations_end(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "192.0.2.7:100");
	app_sends_to(a, "192.0.2.7:100", "x", 1);
	sim_pass(40000);
	far_datagram(far_at(0), "192.0.2.7:100", "x", 1);
	sim_pass(59000);
	assert_int_equal(sim_udp(), 1);
	sim_pass(1100);
	assert_int_equal(sim_udp(), 0);
	assert_true(far_at(0)->freed);
	sim_end();
}

/* One target is spoken to, the other no longer: only the leg of that one ends. */
static void
idle_targets_end(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "203.0.113.7:100");
	app_sends_to(a, "203.0.113.7:100", "x", 1);
	for (int i = 0; i < 15; i++) {
		app_sends_to(a, "203.0.113.8:100", "x", 1);
		sim_pass(10000);
	}
	assert_true(far_at(0)->freed);
	assert_false(far_at(1)->freed);
	assert_int_equal(sim_udp(), 1);
	sim_end();
}

static void
too_many_targets(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:4000", "203.0.113.7:100");
	for (unsigned i = 0; i < 300; i++) {
		char to[32];

		snprintf(to, sizeof(to), "203.0.113.7:%u", 1000 + i);
		app_sends_to(a, to, "x", 1);
	}
	assert_int_equal(far_count(), 300);
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(far_at(i)->freed, i < 300 - 256);
	sim_end();
}

static void
too_many_associations(void **state)
{
	struct sim_config c = { .flows.assocs_max = 2 };
	struct app *a, *b, *d;

	(void)state;
	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "192.0.2.7:100");
	b = app_new("198.18.0.1:4001", "192.0.2.7:100");
	d = app_new("198.18.0.1:4002", "192.0.2.7:100");
	app_sends(a, "x", 1);
	sim_settle();
	app_sends(b, "x", 1);
	sim_settle();
	app_sends(d, "x", 1);
	sim_settle();
	assert_int_equal(far_count(), 2);
	assert_int_equal(dropped(), 1);
	sim_pass(1000);
	app_sends(a, "x", 1);
	sim_settle();
	app_sends(d, "x", 1);
	sim_settle();
	assert_int_equal(far_count(), 3);
	assert_true(far_at(1)->freed && !far_at(0)->freed);
	assert_int_equal(sim_udp(), 2);
	sim_end();
}

static void
multicast_is_dropped(void **state)
{
	(void)state;
	begin();
	app_sends_to(app_new("198.18.0.1:4000", "224.0.0.251:5353"), "224.0.0.251:5353",
		"x", 1);
	assert_int_equal(far_count(), 0);
	assert_int_equal(sim_udp(), 0);
	sim_end();
}

static void
ping_is_truthful(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:0", "192.0.2.7:0");
	app_pings(a, 77, 5);
	sim_settle();
	assert_int_equal(pinged.n, 1);
	sim_pass(1000);
	assert_int_equal(a->echoes, 0);
	ping_answers("192.0.2.8", pinged.seq);
	sim_settle();
	ping_answers("192.0.2.7", (uint16_t)(pinged.seq + 1));
	sim_settle();
	assert_int_equal(a->echoes, 0);
	ping_answers("192.0.2.7", pinged.seq);
	sim_settle();
	assert_int_equal(a->echoes, 1);
	assert_int_equal(a->echo_id, 77);
	assert_int_equal(a->echo_seq, 5);
	ping_answers("192.0.2.7", pinged.seq);
	sim_settle();
	assert_int_equal(a->echoes, 1);
	sim_end();
}

static void
no_way_back(void **state)
{
	struct sim_config c = { .flows.ndevice = 1 };
	struct app *a, *b;

	(void)state;
	assert_true(cidr_parse(&c.flows.device[0], "198.18.0.1/24"));
	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "198.18.0.2:123");
	app_sends_to(a, "198.18.0.2:123", "x", 1);
	assert_int_equal(a->icmp, 3);
	app_sends_to(a, "198.18.0.77:123", "x", 1);
	assert_int_equal(far_count(), 0);
	assert_int_equal(dropped(), 1);
	b = app_new("198.18.0.1:0", "198.18.0.77:0");
	app_pings(b, 77, 5);
	sim_settle();
	assert_int_equal(pinged.n, 0);
	assert_int_equal(b->echoes, 0);
	/* Our own address is us. */
	assert_true(ip_parse(&b->target.ip, "198.18.0.2"));
	app_pings(b, 77, 5);
	sim_settle();
	assert_int_equal(pinged.n, 0);
	assert_int_equal(b->echoes, 1);
	sim_end();
}

static void
ping_too_late(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:0", "192.0.2.7:0");
	app_pings(a, 77, 5);
	sim_pass(10010);
	ping_answers("192.0.2.7", pinged.seq);
	sim_settle();
	assert_int_equal(a->echoes, 0);
	sim_end();
}

/* What a server carries cannot be pinged, and is not. */
static void
ping_by_a_server(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:0", "203.0.113.7:0");
	app_pings(a, 77, 5);
	sim_pass(1000);
	assert_int_equal(pinged.n, 0);
	assert_int_equal(a->echoes, 0);
	sim_end();
}

static void
pings_are_bounded(void **state)
{
	struct app *a;

	(void)state;
	begin();
	a = app_new("198.18.0.1:0", "192.0.2.7:0");
	for (unsigned i = 0; i < 1030; i++) {
		app_pings(a, 1, (uint16_t)i);
		sim_settle();
	}
	assert_int_equal(pinged.n, 1024);
	assert_int_equal(dropped(), 6);
	sim_pass(10010);
	app_pings(a, 1, 1);
	sim_settle();
	assert_int_equal(pinged.n, 1025);
	sim_end();
}

/* From here on there is no memory for any outbound, and somebody waits for it. */
static void
memory_ends(struct block_wait *w, struct task *waiting)
{
	task_init(waiting, NULL);
	block_wait_init(w, loop, waiting);
	tcp_memory_budget(memory)->most = 0;
	assert_null(blocks_get(tcp_memory_blocks(memory), w));
}

/* Who does not read, and holds what the way of datagrams waits for, has to go. */
static void
datagrams_that_wait_for_memory_are_heard(void **state)
{
	static uint8_t bytes[600000];
	struct app *idle, *a;
	struct block_wait w;
	struct task waiting;
	struct far *f;

	(void)state;
	begin();
	idle = sim_connected("198.18.0.1:3000", "203.0.113.5:80", &f);
	idle->deaf = true;
	far_says(f, bytes, sizeof(bytes));
	a = app_new("198.18.0.1:4000", "203.0.113.7:100");
	app_sends_to(a, "203.0.113.7:100", "one", 3);
	far_opens(far_at(1), STREAM_OK);
	sim_settle();
	memory_ends(&w, &waiting);
	sim_pass(11000);
	assert_false(f->freed);
	far_at(1)->room = 0;
	app_sends_to(a, "203.0.113.7:100", "two", 3);
	sim_pass(1010);
	assert_true(f->freed);
	assert_false(far_at(1)->freed);
	blocks_leave(&w);
	task_fini(&waiting);
	sim_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_socket_two_targets),
		cmocka_unit_test(two_targets_by_a_server),
		cmocka_unit_test(queue_while_opening),
		cmocka_unit_test(queue_while_full),
		cmocka_unit_test(refused_and_unreachable),
		cmocka_unit_test(failed_leg_is_tried_again),
		cmocka_unit_test(direct_leg_that_fails_is_told),
		cmocka_unit_test(datagrams_that_wait_for_memory_are_heard),
		cmocka_unit_test(idle_associations_end),
		cmocka_unit_test(idle_targets_end),
		cmocka_unit_test(too_many_targets),
		cmocka_unit_test(too_many_associations),
		cmocka_unit_test(multicast_is_dropped),
		cmocka_unit_test(ping_is_truthful),
		cmocka_unit_test(no_way_back),
		cmocka_unit_test(ping_too_late),
		cmocka_unit_test(ping_by_a_server),
		cmocka_unit_test(pings_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
