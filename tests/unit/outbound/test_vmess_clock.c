/* SPDX-License-Identifier: MIT */
/* Whose time the header of a VMess connection has, and what is said of a silent server. */
#include "unit/outbound/bench.h"

#include "base/list.h"
#include "base/log.h"
#include "outbound/vmess_kdf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct vmess_server *
the_server(void)
{
	return &bench_vmess()->server[0];
}

static void
start(bool old, bool automatic)
{
	const struct vmess_user_spec user = { .security = VMESS_NONE, .alter_ids = old };

	bench_start_as(&user);
	bench.o->env.clock_auto = automatic;
}

/* The server has said in HTTP that this clock is ahead by so much. */
static void
server_says(int64_t ahead)
{
	const struct carrier_told told = { .date = NOW - ahead, .date_at = NOW };

	vmess_clock_hear(the_server(), &told, NOW);
}

/* Its certificate was accepted, and is valid in these days from now. */
static void
server_shows(int from, int to)
{
	const struct carrier_told told = { .not_before = NOW + from * (int64_t)86400,
		.not_after = NOW + to * (int64_t)86400 };

	vmess_clock_hear(the_server(), &told, NOW);
}

static void
unheard(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
}

/* One connection, which a server takes whose clock is `ahead` behind ours. True: it took
 * the header. */
static bool
connection(bool old, int64_t ahead)
{
	uint8_t alter[16];
	struct window w;
	bool good;

	call_start();
	if (old) {
		vmess_alter_id(alter, bench.id);
		server_init_old(&call.server, alter, NOW - ahead);
	}
	call_ask();
	good = server_hear(&call.server, call.m.out, call.m.out_len, &call.at, unheard,
		       NULL) == 0 &&
		(old || call.server.time == NOW - ahead);
	if (good)
		server_answer(&call.server, feed, &call.m);
	call.m.in_ends = true;
	assert_true(stream_recv_buf(call.s, &w) < 0);
	call_end();
	return good;
}

static void
test_own_time(void **state)
{
	(void)state;
	start(false, false);
	server_says(600);
	assert_false(connection(false, 600));
	assert_true(connection(false, 0));
	bench_end();
}

static void
test_servers_time(void **state)
{
	int old;

	(void)state;
	for (old = 0; old < 2; old++) {
		start(old, true);
		server_says(600);
		assert_true(connection(old, 600));
		assert_true(connection(old, 600));
		/* What the next answer says holds. */
		server_says(603);
		assert_true(connection(old, 603));
		bench_end();
	}
}

/* The front's clock is wrong, and the server's is right: one connection pays for it. */
static void
test_lie(void **state)
{
	(void)state;
	start(false, true);
	server_says(-100000);
	assert_false(connection(false, 0));
	assert_true(connection(false, 0));
	assert_true(connection(false, 0));
	bench_end();
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text++;
	}
	return n;
}

static void
five_that_fail(void)
{
	int i;

	for (i = 0; i < 5; i++)
		assert_false(connection(false, 99999));
}

/* What is said of a server that never answers: once, with the reason. */
static void
test_said(void **state)
{
	static const struct {
		const char *label;
		bool automatic;
		int64_t ahead; /* by the server's HTTP answer; 0: it does not say */
		int from, to;  /* days in which its certificate is valid; 0, 0: none */
		const char *says;
	} cases[] = {
		{ "nothing is known", false, 0, 0, 0, "wrong id, or this clock" },
		{ "ahead", false, 432, 0, 0,
			"This clock is 7 min 12 s ahead of the server's HTTP answer, and "
			"VMess allows 2 min: set it, or sluice.clock to \"auto\"" },
		{ "behind", false, -432, 0, 0, "7 min 12 s behind the server's HTTP" },
		{ "agrees", false, 3, 0, 0,
			"This clock agrees with the server's HTTP answer: the id or the "
			"server's own clock is wrong" },
		{ "tried", true, 432, 0, 0, "with that time is not answered either" },
		{ "a certificate of later", false, 0, 3, 90,
			"at least 3 d 0 h behind the server's certificate, if that is "
			"right, and VMess allows 2 min: set it\n" },
		{ "it cannot be put into a header", true, 0, -90, -4,
			"at least 4 d 0 h ahead of the server's certificate, if that is "
			"right, and VMess allows 2 min: set it\n" },
		{ "a certificate of today", false, 0, -1, 1, "wrong id, or this clock" },
		{ "the server's word counts more", false, 432, 3, 90,
			"7 min 12 s ahead of the server's HTTP answer" },
	};
	char text[4096];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(false, cases[i].automatic);
		if (cases[i].ahead)
			server_says(cases[i].ahead);
		if (cases[i].to)
			server_shows(cases[i].from, cases[i].to);
		logged(text, sizeof(text), five_that_fail);
		if (count(text, cases[i].says) != 1 ||
			count(text, "answers nothing") != 1)
			fail_msg("%s:\n%s", cases[i].label, text);
		bench_end();
	}
}

/* Once it was renewed, its dates say nothing more. */
static void
test_certificate_renewed(void **state)
{
	(void)state;
	start(false, false);
	server_shows(-90, -4);
	assert_true(clock_is_wrong(vmess_clock_reading(bench_vmess(), the_server())));
	server_shows(-1, 90);
	assert_null(vmess_clock_reading(bench_vmess(), the_server()));
	bench_end();
}

static void
an_upgrade(void)
{
	the_server()->carrier.kind = CARRIER_HTTPUPGRADE;
	five_that_fail();
}

/* Nobody can be asked then but time servers. */
static void
test_upgrade_without_date(void **state)
{
	char text[4096];

	(void)state;
	start(false, true);
	logged(text, sizeof(text), an_upgrade);
	assert_int_equal(count(text,
				 "(sluice.sntp names time servers, which tell; the "
				 "server's HTTP answer has no Date)"),
		1);
	bench_end();
}

static void
two_changes(void)
{
	server_says(600);
	five_that_fail();
	server_says(610);
	five_that_fail();
	server_says(900);
	five_that_fail();
	assert_true(connection(false, 0));
	five_that_fail();
}

static void
test_said_once_a_change(void **state)
{
	char text[4096];

	(void)state;
	start(false, false);
	logged(text, sizeof(text), two_changes);
	assert_int_equal(count(text, "10 min 0 s ahead"), 1);
	assert_int_equal(count(text, "10 min 10 s ahead"), 0);
	assert_int_equal(count(text, "15 min 0 s ahead"), 2);
	bench_end();
}

static void
kept(void)
{
	server_says(600);
	assert_true(connection(false, 600));
	assert_true(connection(false, 600));
}

static void
test_said_when_kept(void **state)
{
	char text[4096];

	(void)state;
	start(false, true);
	logged(text, sizeof(text), kept);
	assert_int_equal(
		count(text, "10 min 0 s ahead of the server's HTTP answer: headers"), 1);
	assert_int_equal(count(text, "answers nothing"), 0);
	bench_end();
}

static bool has_passed;

static void
passed(struct timer *t)
{
	(void)t;
	has_passed = true;
}

static void
eleven_seconds(void)
{
	struct timer t;

	timer_init(&t, bench.loop, passed);
	timer_arm(&t, 11000);
	for (has_passed = false; !has_passed;)
		loop_turn(bench.loop, -1);
}

static bool at_the_end;

/* Two connections that wait for an answer, until their applications have enough, or
 * everything ends. */
static void
two_that_wait(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		call_start();
		call_ask();
		eleven_seconds();
		if (at_the_end) {
			loop_stop(bench.loop);
			loop_run(bench.loop);
		}
		call_end();
	}
}

/* Those that we end tell nothing of the server. */
static void
test_given_up(void **state)
{
	char text[4096];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		at_the_end = i == 1;
		start(false, false);
		logged(text, sizeof(text), two_that_wait);
		assert_int_equal(count(text, "answers nothing"), !at_the_end);
		assert_int_equal(the_server()->unanswered, at_the_end ? 0 : 2);
		bench_end();
	}
}

/* One that has sent something and waits: ten seconds are enough to say so. */
static void
one_that_waits(void)
{
	call_start();
	call_ask();
	eleven_seconds();
	call_end();
}

static void
one_that_listens(void)
{
	call_start();
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	eleven_seconds();
	call_end();
}

/* A server that keeps a stranger's connection is heard of while it does. What only listens
 * tells nothing, nor does silence where there was an answer before. */
static void
test_mute(void **state)
{
	char text[4096];
	struct window w;

	(void)state;
	start(false, false);
	logged(text, sizeof(text), one_that_listens);
	assert_int_equal(count(text, "said nothing"), 0);
	assert_int_equal(bench.o->tally.failures, 0);
	logged(text, sizeof(text), one_that_waits);
	assert_int_equal(
		count(text, "said nothing for 10 s, nor has it ever: the id"), 1);
	assert_int_equal(bench.o->tally.failures, 1);
	assert_non_null(strstr(bench.o->tally.why, "wrong id"));
	/* Not for each one. */
	logged(text, sizeof(text), one_that_waits);
	assert_int_equal(count(text, "said nothing"), 0);
	bench_end();
	start(false, false);
	call_start();
	call_ask();
	call_hear();
	server_answer(&call.server, feed, &call.m);
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	call_end();
	logged(text, sizeof(text), one_that_waits);
	assert_int_equal(count(text, "said nothing"), 0);
	assert_int_equal(bench.o->tally.failures, 0);
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_time),
		cmocka_unit_test(test_servers_time),
		cmocka_unit_test(test_lie),
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_certificate_renewed),
		cmocka_unit_test(test_upgrade_without_date),
		cmocka_unit_test(test_said_once_a_change),
		cmocka_unit_test(test_said_when_kept),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_mute),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
