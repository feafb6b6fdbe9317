/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

/* Applications that have ended: they may still read, or be gone. */

static const char direct[] = "192.0.2.7:80", vmess[] = "203.0.113.7:80";

/* On this machine, or on another one behind it. */
static struct app *
connected(const char *target, bool local, struct far **f)
{
	struct sim_config c = { .rule = &sim_by_server, .nrule = 1 };

	if (local) {
		c.flows.ndevice = 1;
		assert_true(cidr_parse(&c.flows.device[0], "198.18.0.1/15"));
	}
	sim_begin(&c);
	return sim_connected("198.18.0.1:4000", target, f);
}

/* The i-th of four, by either way, and on either machine: it has asked, and has no more to say. */
static struct app *
asked(size_t i, struct far **f)
{
	const char *const to[] = { vmess, direct };
	struct app *a = connected(to[i % 2], i < 2, f);

	app_says(a, "question", 8);
	app_ends(a);
	return a;
}

/* Whoever has closed, and not only its own half, is found out soon. */
static void
closed_by_the_application(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		struct far *f;
		struct app *a = asked(i, &f);

		a->closed = true;
		sim_pass(4900);
		assert_int_equal(sim_tcp(), 1);
		sim_pass(200);
		assert_int_equal(sim_tcp(), 0);
		assert_true(f->freed);
		sim_end();
	}
	(void)state;
}

/* By what a kernel is asked that may be another machine's: its SYN has the device's address
 * by a translation, and the limit of what is forwarded. */
static void
challenged_if_it_is_own(void **state)
{
	static const struct {
		bool local;
		uint8_t hops;
		bool challenged;
	} cases[] = { { true, 64, true }, { true, 1, false }, { false, 64, false } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct far *f;
		struct app *a;

		sim_hops = cases[i].hops;
		a = connected(vmess, cases[i].local, &f);
		sim_hops = 64;
		app_ends(a);
		sim_pass(5100);
		assert_int_equal(a->challenged, cases[i].challenged);
		assert_int_equal(sim_tcp(), 1);
		sim_end();
	}
	(void)state;
}

/* One that only has no more to say gets its answer, however late. */
static void
half_closed_and_patient(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		struct far *f;
		struct app *a = asked(i, &f);

		sim_pass(200000);
		assert_int_equal(sim_tcp(), 1);
		far_says(f, "half an ", 8);
		sim_pass(200000);
		assert_int_equal(sim_tcp(), 1);
		far_says(f, "answer", 6);
		far_ends(f);
		sim_settle();
		assert_int_equal(a->got_len, 14);
		assert_true(a->fin);
		assert_false(a->rst);
		assert_int_equal(sim_tcp(), 0);
		sim_end();
	}
	(void)state;
}

/* It reads what comes, and closes then. */
static void
half_closed_and_gone_later(void **state)
{
	struct far *f;
	struct app *a = connected(vmess, true, &f);

	app_ends(a);
	sim_pass(60000);
	far_says(f, "answer", 6);
	sim_settle();
	assert_int_equal(a->got_len, 6);
	a->closed = true;
	sim_pass(4900);
	assert_int_equal(sim_tcp(), 1);
	sim_pass(200);
	assert_int_equal(sim_tcp(), 0);
	sim_end();
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_by_the_application),
		cmocka_unit_test(challenged_if_it_is_own),
		cmocka_unit_test(half_closed_and_patient),
		cmocka_unit_test(half_closed_and_gone_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
