/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How bytes pass, and how a flow ends. */

static const char direct[] = "192.0.2.7:80", vmess[] = "203.0.113.7:80";
static uint8_t bytes[500000];

static void
begin_with(struct flow_policy policy)
{
	struct sim_config c = { .rule = &sim_by_server, .nrule = 1, .policy = policy };

	sim_begin(&c);
}

static struct app *
connected(const char *target, struct far **f)
{
	begin_with((struct flow_policy){ 0 });
	return sim_connected("198.18.0.1:4000", target, f);
}

static void
bytes_pass_both_ways(void **state)
{
	struct flow_counters n;
	struct far *f;
	struct app *a = connected(direct, &f);
	size_t i;

	(void)state;
	far_says(f, bytes, sizeof(bytes));
	/* No more than the first window at once: this application looks at none. */
	for (i = 0; i < 40000; i += 10000) {
		app_says(a, bytes + 7 + i, 10000);
		sim_settle();
	}
	sim_pass(1000);
	assert_int_equal(a->got_len, sizeof(bytes));
	assert_memory_equal(a->got, bytes, sizeof(bytes));
	assert_int_equal(f->out_len, 40000);
	assert_memory_equal(f->out, bytes + 7, 40000);
	flows_count(flows, &n);
	assert_int_equal(n.up, 40000);
	assert_int_equal(n.down, sizeof(bytes));
	sim_end();
}

/* An application that takes nothing stops the far side. */
static void
slow_application(void **state)
{
	struct far *f;
	struct app *a = connected(direct, &f);

	(void)state;
	a->deaf = true;
	far_says(f, bytes, sizeof(bytes));
	sim_settle();
	assert_true(f->in_at < 300000);
	sim_end();
}

static void
slow_far_side(void **state)
{
	struct far *f;
	struct app *a = connected(direct, &f);

	(void)state;
	f->room = 1000;
	app_says(a, bytes, 15000);
	sim_settle();
	assert_int_equal(f->out_len, 1000);
	far_opens(f, STREAM_OK);
	f->room = SIM_BYTES;
	sim_settle();
	assert_int_equal(f->out_len, 15000);
	sim_end();
}

static void
device_that_is_full(void **state)
{
	struct far *f;
	struct app *a = connected(direct, &f);

	(void)state;
	sim_device_full(true);
	far_says(f, bytes, 100000);
	sim_settle();
	assert_int_equal(a->got_len, 0);
	sim_device_full(false);
	sim_settle();
	assert_int_equal(a->got_len, 100000);
	sim_end();
}

/* It is asked again, a while later each time. */
static void
device_without_memory(void **state)
{
	struct far *f;
	struct app *a = connected(direct, &f);
	struct flow_counters n;

	(void)state;
	sim_device_short(true);
	far_says(f, bytes, 100000);
	sim_settle();
	sim_pass(50);
	assert_int_equal(a->got_len, 0);
	sim_device_short(false);
	sim_pass(20);
	assert_int_equal(a->got_len, 100000);
	flows_count(flows, &n);
	assert_int_equal(n.dropped, 0);
	sim_end();
}

/* A request with its write side shut gets its whole answer, however late. */
static void
kept_end(void **state)
{
	struct far *f;
	struct app *a = connected(vmess, &f);

	(void)state;
	app_says(a, "request", 7);
	app_ends(a);
	sim_pass(10000);
	assert_int_equal(f->out_len, 7);
	assert_false(f->shut || a->fin || a->rst);
	far_says(f, bytes, 300000);
	far_ends(f);
	sim_pass(1000);
	assert_int_equal(a->got_len, 300000);
	assert_memory_equal(a->got, bytes, 300000);
	assert_true(a->fin && !a->rst);
	assert_true(f->shut && f->freed);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
passed_end(void **state)
{
	struct far *f;
	struct app *a = connected(direct, &f);

	(void)state;
	app_says(a, "request", 7);
	app_ends(a);
	sim_settle();
	assert_true(f->shut);
	assert_false(a->fin || a->rst);
	sim_pass(3000);
	far_says(f, bytes, 300000);
	far_ends(f);
	sim_pass(1000);
	assert_int_equal(a->got_len, 300000);
	assert_true(a->fin && !a->rst);
	assert_true(f->freed);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

/* The far side ends first; directly, the application may go on for as long as it likes. */
static void
far_end_first_directly(void **state)
{
	struct far *f;
	struct app *a = connected(direct, &f);

	(void)state;
	far_says(f, "banner", 6);
	far_ends(f);
	sim_settle();
	assert_true(a->fin && !a->rst);
	sim_pass(1000000);
	app_says(a, "still here", 10);
	sim_settle();
	assert_int_equal(f->out_len, 10);
	assert_false(f->shut);
	app_ends(a);
	sim_settle();
	assert_true(f->shut && f->freed);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

/* By a server, it is the end of both ways; what the application has on its way is thrown
 * away, and no reset overtakes the answer. */
static void
far_end_first_by_a_server(void **state)
{
	struct far *f;
	struct app *a = connected(vmess, &f);

	(void)state;
	far_says(f, bytes, 50000);
	far_ends(f);
	sim_settle();
	assert_int_equal(a->got_len, 50000);
	assert_true(a->fin && f->shut && f->freed);
	app_says(a, bytes, 5000);
	sim_settle();
	assert_false(a->rst);
	app_ends(a);
	sim_settle();
	assert_false(a->rst);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
lingering_ends(void **state)
{
	struct far *f;
	struct app *a = connected(vmess, &f);

	(void)state;
	far_ends(f);
	sim_settle();
	assert_true(a->fin);
	sim_pass(4900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
far_reset(const char *target)
{
	struct far *f;
	struct app *a = connected(target, &f);

	far_says(f, bytes, 4000);
	far_fails(f, -ECONNRESET);
	sim_settle();
	assert_int_equal(a->got_len, 4000);
	assert_true(a->rst && !a->fin);
	assert_true(f->freed && !f->shut);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
far_reset_is_a_reset(void **state)
{
	(void)state;
	far_reset(direct);
	far_reset(vmess);
}

static uint64_t
broken(void)
{
	struct flow_counters n;

	flows_count(flows, &n);
	return n.broken;
}

static const struct {
	const char *target;
	int error;
	bool counts;
} failures[] = {
	{ vmess, -EPROTO, true },
	{ vmess, -EBADMSG, true },
	{ vmess, -ECONNRESET, false },
	{ vmess, -ETIMEDOUT, false },
	/* No server stands between: what the target says is the application's affair. */
	{ direct, -EPROTO, false },
};

/* While it opens, and while bytes pass; TCP and UDP. */
static void
servers_that_break_their_protocol_are_counted(void **state)
{
	struct app *a;
	struct far *f;

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		connected(failures[i].target, &f);
		far_fails(f, failures[i].error);
		sim_settle();
		assert_int_equal(broken(), failures[i].counts);
		a = app_new("198.18.0.1:4001", failures[i].target);
		app_syn(a);
		sim_settle();
		far_opens(far_at(1), failures[i].error);
		sim_settle();
		assert_int_equal(broken(), 2 * failures[i].counts);
		a = app_new("198.18.0.1:4002", failures[i].target);
		app_sends_to(a, failures[i].target, "x", 1);
		far_opens(far_at(2), failures[i].error);
		sim_settle();
		assert_int_equal(broken(), 3 * failures[i].counts);
		assert_int_equal(sim_tcp(), 0);
		sim_end();
	}
}

static void
near_reset(const char *target, bool after_its_end)
{
	struct far *f;
	struct app *a = connected(target, &f);

	app_says(a, "x", 1);
	if (after_its_end)
		app_ends(a);
	sim_settle();
	app_resets(a);
	sim_settle();
	assert_true(f->freed);
	assert_int_equal(f->shut, after_its_end && target == direct);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
near_reset_is_a_reset(void **state)
{
	(void)state;
	near_reset(direct, false);
	near_reset(vmess, false);
	near_reset(direct, true);
	near_reset(vmess, true);
}

/* While the far side takes nothing, too. */
static void
near_reset_under_pressure(void **state)
{
	struct far *f;
	struct app *a = connected(direct, &f);

	(void)state;
	f->room = 10;
	app_says(a, bytes, 5000);
	sim_settle();
	app_resets(a);
	sim_settle();
	assert_true(f->freed);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
idle_by_a_server(void **state)
{
	struct far *f;
	struct app *a = connected(vmess, &f);

	(void)state;
	sim_pass(200000);
	far_says(f, "x", 1);
	sim_pass(299900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	assert_true(a->rst && f->freed && !f->shut);
	sim_end();
}

static void
idle_directly(void **state)
{
	struct far *f;

	(void)state;
	connected(direct, &f);
	sim_pass(4000000);
	assert_int_equal(sim_tcp(), 1);
	sim_end();
}

static void
idle_as_the_user_says(void **state)
{
	struct far *f;

	(void)state;
	begin_with((struct flow_policy){ .conn_idle = 10, .conn_idle_set = true });
	sim_connected("198.18.0.1:4000", direct, &f);
	sim_pass(9900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
limits_of_a_half(void **state)
{
	const struct flow_policy p = { .uplink_only = 2, .downlink_only = 5 };
	struct app *a;
	struct far *f;

	(void)state;
	begin_with(p);
	a = sim_connected("198.18.0.1:4000", direct, &f);
	sim_pass(60000);
	app_ends(a);
	sim_pass(4900);
	assert_int_equal(sim_tcp(), 1);
	far_says(f, "x", 1);
	sim_pass(4900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	sim_end();

	begin_with(p);
	sim_connected("198.18.0.1:4000", direct, &f);
	far_says(f, "x", 1);
	far_ends(f);
	sim_pass(1900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
begin_with_both(struct flow_policy policy, struct outbound_policy outbound)
{
	struct sim_config c = { .rule = &sim_by_server, .nrule = 1, .policy = policy };
	struct setup *s;
	struct err e;

	sim_begin(&c);
	s = sim_setup(&c);
	s->outbound[1]->policy = outbound;
	assert_int_equal(flows_use(flows, s, &e), 0);
	setup_drop(s);
}

/* The level of the outbound's user limits, too; the shorter one holds. */
static void
limits_of_the_outbound(void **state)
{
	struct app *a;
	struct far *f;

	(void)state;
	begin_with_both((struct flow_policy){ .conn_idle = 100, .conn_idle_set = true },
		(struct outbound_policy){ .conn_idle = 20 });
	sim_connected("198.18.0.1:4000", vmess, &f);
	sim_pass(19900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	sim_end();

	begin_with_both((struct flow_policy){ .downlink_only = 9 },
		(struct outbound_policy){ .downlink_only = 3 });
	a = sim_connected("198.18.0.1:4000", vmess, &f);
	app_ends(a);
	sim_pass(2900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
}

static void
many_at_once(void **state)
{
	struct far *f[200];
	struct app *a[200];

	(void)state;
	begin_with((struct flow_policy){ 0 });
	for (unsigned i = 0; i < 200; i++) {
		char source[32];

		snprintf(source, sizeof(source), "198.18.0.1:%u", 5000 + i);
		a[i] = sim_connected(source, i % 2 ? direct : vmess, &f[i]);
	}
	for (unsigned i = 0; i < 200; i++) {
		far_says(f[i], bytes + i, 20000);
		app_says(a[i], bytes + 2 * i, 3000);
		if (i % 3 == 0)
			far_ends(f[i]);
		if (i % 5 == 0)
			app_ends(a[i]);
		if (i % 7 == 0)
			sim_settle();
	}
	sim_pass(1000);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(a[i]->got_len, 20000);
		assert_memory_equal(a[i]->got, bytes + i, 20000);
		assert_false(a[i]->rst);
		if (i % 3 != 0 || i % 2)
			assert_int_equal(f[i]->out_len, 3000);
	}
	sim_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_both_ways),
		cmocka_unit_test(slow_application),
		cmocka_unit_test(slow_far_side),
		cmocka_unit_test(device_that_is_full),
		cmocka_unit_test(device_without_memory),
		cmocka_unit_test(kept_end),
		cmocka_unit_test(passed_end),
		cmocka_unit_test(far_end_first_directly),
		cmocka_unit_test(far_end_first_by_a_server),
		cmocka_unit_test(lingering_ends),
		cmocka_unit_test(far_reset_is_a_reset),
		cmocka_unit_test(servers_that_break_their_protocol_are_counted),
		cmocka_unit_test(near_reset_is_a_reset),
		cmocka_unit_test(near_reset_under_pressure),
		cmocka_unit_test(idle_by_a_server),
		cmocka_unit_test(idle_directly),
		cmocka_unit_test(idle_as_the_user_says),
		cmocka_unit_test(limits_of_a_half),
		cmocka_unit_test(limits_of_the_outbound),
		cmocka_unit_test(many_at_once),
	};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + i / 509);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
