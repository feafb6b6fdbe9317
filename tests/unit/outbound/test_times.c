/* SPDX-License-Identifier: MIT */
/* Asking time servers: real sockets on loopback, unreal time. */
#include "unit/outbound/check.h"

#include "base/bytes.h"
#include "base/list.h"
#include "base/log.h"
#include "outbound/sntp.h"
#include "outbound/times.h"
#include "platform/sock.h"
#include "unit/names/unreal_time.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NOW = 1700000000, SERVERS = 3 };

/* How a server of the test answers. */
enum manner { SILENT, RIGHT, OTHER_COOKIE, KISS, UNSETTLED, SECOND_TIME };

static struct stage {
	struct loop *loop;
	struct tcp_memory *memory;
	struct names *names;
	struct outbound *direct;
	struct times *times;
	struct time_gate gate;
	enum time_gate_answer
		says[2]; /* without an address of the target, and with one */
	struct time_server_spec spec[SERVERS];
	int fd[SERVERS];
	enum manner manner[SERVERS];
	unsigned asked[SERVERS];
	uint8_t last[SNTP_SIZE];
} stage;

static int64_t
fixed_time(void)
{
	return NOW;
}

static enum time_gate_answer
gate_ask(struct time_gate *gate, const struct target *to, struct outbound **o,
	struct err *e)
{
	enum time_gate_answer a = stage.says[to->ip.family != 0];

	(void)gate;
	*o = stage.direct;
	if (a == TIME_GATE_SHUT)
		err_set(e, "the rules send it through \"proxy\"");
	return a;
}

/* 600 s behind this clock. */
static void
answer(int i, const struct endpoint *to, const uint8_t *request)
{
	uint8_t p[SNTP_SIZE] = { 4 << 3 | 4, 1 };

	memcpy(p + 24, request + 40, SNTP_COOKIE);
	be32_put(p + 40, (uint32_t)(NOW - 600 + INT64_C(2208988800)));
	if (stage.manner[i] == OTHER_COOKIE)
		p[24] ^= 1;
	if (stage.manner[i] == UNSETTLED)
		p[0] |= 0xc0;
	if (stage.manner[i] == KISS) {
		p[1] = 0;
		memcpy(p + 12, "DENY", 4);
	}
	if (stage.manner[i] != SILENT &&
		(stage.manner[i] != SECOND_TIME || stage.asked[i] == 2))
		assert_int_equal(sock_send_to(stage.fd[i], to, p, sizeof(p)), sizeof(p));
}

static void
serve(void)
{
	uint8_t p[SNTP_SIZE + 1];
	struct endpoint from;
	int i;

	for (i = 0; i < SERVERS; i++) {
		while (sock_recv_from(stage.fd[i], &from, p, sizeof(p)) == SNTP_SIZE) {
			stage.asked[i]++;
			/* A cookie is used once. */
			assert_memory_not_equal(stage.last, p, SNTP_SIZE);
			memcpy(stage.last, p, SNTP_SIZE);
			answer(i, &from, p);
		}
	}
}

static int
listen_at(struct endpoint *at)
{
	int fd = sock_udp_open(4, NULL);
	struct sockaddr_storage where;
	socklen_t len = sizeof(where);

	assert_true(fd >= 0);
	memset(&where, 0, sizeof(where));
	where.ss_family = AF_INET;
	assert_int_equal(bind(fd, (struct sockaddr *)&where, len), 0);
	assert_int_equal(sock_local(fd, at), 0);
	at->ip = (struct ip){ 4, { 127, 0, 0, 1 } };
	return fd;
}

static void
stage_start(size_t n)
{
	static const struct ip loopback = { 4, { 127, 0, 0, 1 } };
	static const struct names_host hosts = {
		.name = "time.test", .ip = &loopback, .n = 1
	};
	const struct names_config names = { .host = &hosts, .nhost = 1 };
	const struct outbound_spec direct = { .kind = OUTBOUND_FREEDOM };
	struct outbound_env env = { .unix_time = fixed_time };
	struct endpoint at;
	struct err e;
	int i;

	memset(&stage, 0, sizeof(stage));
	stage.loop = env.loop = loop_new();
	stage.memory = env.memory = tcp_memory_new();
	stage.names = env.names = names_new(stage.loop, &names);
	assert_true(stage.loop && stage.names && stage.memory);
	stage.direct = outbound_new(&direct, &env, &e);
	assert_non_null(stage.direct);
	for (i = 0; i < SERVERS; i++) {
		stage.fd[i] = listen_at(&at);
		stage.spec[i].path = "sluice.sntp";
		stage.spec[i].at.ip = at.ip;
		stage.spec[i].at.port = at.port;
	}
	stage.times = times_new(&env, stage.spec, n);
	assert_non_null(stage.times);
	stage.gate.ask = gate_ask;
	unreal_time_serve = serve;
}

static void
stage_end(void)
{
	int i;

	unreal_time_serve = NULL;
	times_free(stage.times);
	assert_int_equal(stage.direct->count, 1);
	outbound_drop(stage.direct);
	names_free(stage.names);
	loop_turn(stage.loop, 0);
	loop_free(stage.loop);
	assert_int_equal(tcp_memory_structs(stage.memory), 0);
	tcp_memory_free(stage.memory);
	for (i = 0; i < SERVERS; i++)
		sock_close(stage.fd[i]);
}

/* Asks, and waits for the outcome. How far this clock is ahead, or 0. */
static int64_t
ask(void)
{
	const struct clock_reading *r;

	times_open(stage.times, &stage.gate);
	times_ask(stage.times);
	while (times_busy(stage.times))
		loop_turn(stage.loop, -1);
	r = times_reading(stage.times);
	return r ? r->ahead : 0;
}

/* Lets time pass, by a timer that nobody else needs. */
static void
nothing(struct timer *t)
{
	(void)t;
}

static void
pass(uint64_t ms)
{
	uint64_t until = loop_now(stage.loop) + ms;
	struct timer t = { 0 };

	timer_init(&t, stage.loop, nothing);
	timer_arm(&t, ms);
	while (loop_now(stage.loop) < until)
		loop_turn(stage.loop, -1);
}

static void
test_manners(void **state)
{
	static const struct {
		const char *label;
		enum manner manner[2];
		unsigned asked[2];
		int64_t ahead;
	} cases[] = {
		{ "the first", { RIGHT, RIGHT }, { 1, 0 }, 600 },
		{ "lost once", { SECOND_TIME, RIGHT }, { 2, 0 }, 600 },
		{ "a silent one", { SILENT, RIGHT }, { 2, 1 }, 600 },
		{ "a stranger's answer", { OTHER_COOKIE, RIGHT }, { 2, 1 }, 600 },
		{ "one that does not know", { UNSETTLED, RIGHT }, { 1, 1 }, 600 },
		{ "one that does not want", { KISS, RIGHT }, { 1, 1 }, 600 },
		{ "none", { SILENT, KISS }, { 2, 1 }, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		stage_start(2);
		memcpy(stage.manner, cases[i].manner, sizeof(cases[i].manner));
		assert_int_equal(ask(), cases[i].ahead);
		assert_memory_equal(stage.asked, cases[i].asked, sizeof(cases[i].asked));
		assert_int_equal(stage.asked[2], 0);
		stage_end();
	}
}

/* Nobody is asked before the gate is there, nor again at once. */
static void
test_seldom(void **state)
{
	(void)state;
	stage_start(2);
	stage.manner[0] = KISS;
	stage.manner[1] = RIGHT;
	times_ask(NULL);
	times_ask(stage.times);
	assert_false(times_busy(stage.times));
	assert_int_equal(ask(), 600);
	assert_int_equal(ask(), 600);
	assert_int_equal(stage.asked[1], 1);
	pass(64000);
	assert_int_equal(ask(), 600);
	assert_int_equal(stage.asked[0], 1); /* it did not want to be asked */
	assert_int_equal(stage.asked[1], 2);
	stage_end();
}

static void
test_gate(void **state)
{
	(void)state;
	stage_start(1);
	stage.manner[0] = RIGHT;
	stage.says[1] = TIME_GATE_SHUT;
	assert_int_equal(ask(), 0);
	assert_int_equal(stage.asked[0], 0);
	stage_end();
}

/* By name: the outbound looks it up; or first the rules, which then decide again. */
static void
test_names(void **state)
{
	static const enum time_gate_answer says[][2] = { { TIME_GATE_OPEN,
								 TIME_GATE_SHUT },
		{ TIME_GATE_ADDRESSES, TIME_GATE_OPEN },
		{ TIME_GATE_ADDRESSES, TIME_GATE_SHUT },
		{ TIME_GATE_SHUT, TIME_GATE_OPEN } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(says) / sizeof(*says); i++) {
		stage_start(1);
		stage.spec[0].at.ip.family = 0;
		stage.spec[0].at.name = "time.test";
		stage.manner[0] = RIGHT;
		memcpy(stage.says, says[i], sizeof(says[i]));
		assert_int_equal(ask(), i < 2 ? 600 : 0);
		assert_int_equal(stage.asked[0], i < 2);
		if (i < 2)
			assert_string_equal(
				times_reading(stage.times)->who, "time.test (SNTP)");
		stage_end();
	}
}

static void
test_name_without_address(void **state)
{
	(void)state;
	stage_start(2);
	stage.spec[0].at.ip.family = 0;
	stage.spec[0].at.name = "missing.test";
	stage.manner[1] = RIGHT;
	assert_int_equal(ask(), 600);
	stage_end();
}

/* The engine ends while a question is under way. */
static void
test_shut(void **state)
{
	(void)state;
	stage_start(1);
	times_open(stage.times, &stage.gate);
	times_ask(stage.times);
	assert_true(times_busy(stage.times));
	times_shut(stage.times);
	assert_false(times_busy(stage.times));
	times_ask(stage.times);
	assert_false(times_busy(stage.times));
	stage_end();
}

/* Once a change, and what keeps us from asking once. */
static void
test_log(void **state)
{
	FILE *f = tmpfile();
	char text[4096];
	size_t n;

	(void)state;
	assert_non_null(f);
	log_open(fileno(f), LOG_WARNING, NULL);
	stage_start(1);
	stage.manner[0] = RIGHT;
	ask();
	pass(64000);
	ask();
	pass(64000);
	stage.says[1] = TIME_GATE_SHUT;
	ask();
	pass(64000);
	ask();
	assert_int_equal(stage.asked[0], 2);
	stage_end();
	log_open(2, LOG_NONE, NULL);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_non_null(
		strstr(text, "this clock is 10 min 0 s ahead of 127.0.0.1 (SNTP)"));
	assert_null(strstr(strstr(text, "10 min") + 1, "10 min"));
	assert_non_null(
		strstr(text, "not asked for the time: the rules send it through"));
	assert_null(strstr(strstr(text, "the rules") + 1, "the rules"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manners),
		cmocka_unit_test(test_seldom),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_without_address),
		cmocka_unit_test(test_shut),
		cmocka_unit_test(test_log),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
