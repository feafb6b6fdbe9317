/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include "flow/flows.h"

#include <stdio.h>

/* The table of flows: what happens when it is full, and after a burst. */

static const char *const torrents[] = { "bittorrent", NULL };
static const struct rule_spec by_bytes = {
	.path = "0", .protocol = torrents, .outbound = "block"
};

/* The oldest idle one gives way; without one, the SYN is not answered. */
static void
table_is_full(void **state)
{
	struct sim_config c = { .flows.flows_max = 2 };
	struct flow_counters n;
	struct app *a, *b, *d;
	struct far *f, *g;

	(void)state;
	sim_begin(&c);
	a = sim_connected("198.18.0.1:4000", "192.0.2.7:80", &f);
	b = sim_connected("198.18.0.1:4001", "192.0.2.7:80", &g);
	d = app_new("198.18.0.1:4002", "192.0.2.7:80");
	app_syn(d);
	sim_settle();
	assert_int_equal(far_count(), 2);
	flows_count(flows, &n);
	assert_int_equal(n.dropped, 1);
	sim_pass(20000);
	app_says(a, "x", 1);
	sim_settle();
	d->seq = 1000;
	app_syn(d);
	sim_settle();
	assert_true(b->rst && g->freed);
	assert_false(a->rst);
	assert_int_equal(far_count(), 3);
	flows_count(flows, &n);
	assert_int_equal(n.tcp, 2);
	sim_end();
}

/* One that is let in before its way is known needs a place in the stack at once, while the
 * one that gives way still has its own. */
static void
table_is_full_of_admitted(void **state)
{
	struct sim_config c = { .rule = &by_bytes, .nrule = 1, .flows.flows_max = 1 };
	struct app *a, *b;

	(void)state;
	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "192.0.2.7:80");
	app_syn(a);
	sim_pass(200);
	assert_true(a->connected);
	far_opens(far_at(0), STREAM_OK);
	sim_pass(20000);
	b = app_new("198.18.0.1:4001", "192.0.2.7:80");
	app_syn(b);
	sim_settle();
	assert_true(a->rst && far_at(0)->freed);
	assert_true(b->connected);
	sim_end();
}

/* What few flows held, but much of it, goes back to the system after a while. */
static void
bytes_are_given_back(void **state)
{
	enum { MANY = 160 };
	static uint8_t much[100000];
	struct sim_config c = { 0 };
	struct app *a[MANY];
	struct far *f;
	char from[32];
	size_t rest;

	(void)state;
	sim_begin(&c);
	for (int i = 0; i < MANY; i++) {
		snprintf(from, sizeof(from), "198.18.0.1:%d", 4000 + i);
		a[i] = sim_connected(from, "192.0.2.7:80", &f);
		a[i]->deaf = true;
	}
	rest = flows_memory(flows);
	for (int i = 0; i < MANY; i++)
		far_says(far_at((size_t)i), much, sizeof(much));
	sim_settle();
	assert_true(flows_memory(flows) > rest + (2 << 20));
	assert_false(flows->tcp.trim.armed);
	for (int i = 0; i < MANY; i++)
		app_resets(a[i]);
	sim_settle();
	assert_true(flows_memory(flows) < rest);
	assert_true(flows->tcp.trim.armed);
	sim_pass(2100);
	assert_false(flows->tcp.trim.armed);
	sim_end();
}

/* Who has not been read for long gives way where others are refused, and not before. */
static void
refused_for_memory(void **state)
{
	static uint8_t much[100000];
	struct sim_config c = { .rule = &sim_by_server, .nrule = 1 };
	struct app *stalled, *late;
	struct budget *all;
	size_t taken = 0;
	struct far *f;

	(void)state;
	sim_begin(&c);
	tcp_memory_limit(memory, 4 << 20);
	all = tcp_memory_budget(memory);
	stalled = sim_connected("198.18.0.1:4000", "203.0.113.7:443", &f);
	stalled->deaf = true;
	far_says(f, much, sizeof(much));
	while (budget_take(all, 1024))
		taken += 1024;
	sim_pass(12000);
	assert_false(stalled->rst);
	late = app_new("198.18.0.1:4001", "203.0.113.7:443");
	app_syn(late);
	sim_settle();
	assert_int_equal(far_count(), 1);
	sim_pass(1100);
	assert_true(stalled->rst && f->freed);
	budget_give(all, taken);
	sim_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_full),
		cmocka_unit_test(table_is_full_of_admitted),
		cmocka_unit_test(bytes_are_given_back),
		cmocka_unit_test(refused_for_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
