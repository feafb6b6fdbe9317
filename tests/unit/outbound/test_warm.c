/* SPDX-License-Identifier: MIT */
/* Connections that are made before they are needed: real sockets on loopback, unreal time. */
#include "unit/outbound/check.h"

#include "base/list.h"
#include "outbound/vmess.h"
#include "platform/sock.h"
#include "unit/names/unreal_time.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { NOW = 1700000000, WARM = 2, FAR_MAX = 64, AGE_MS = 30000 };

struct bench {
	struct loop *loop;
	struct tcp_memory *memory;
	struct outbound *o;
	struct task owner;
	unsigned woken;
	int listener;
	int far[FAR_MAX]; /* what was accepted, in order; -1: closed */
	size_t nfar;
	int64_t now;
};

static struct bench bench;

static int64_t
unix_time(void)
{
	return bench.now;
}

static void
woken(struct task *t)
{
	container_of(t, struct bench, owner)->woken++;
}

static void
accept_all(void)
{
	int fd;

	while ((fd = sock_accept(bench.listener, NULL)) >= 0) {
		assert_true(bench.nfar < FAR_MAX);
		bench.far[bench.nfar++] = fd;
	}
}

/* The servers are all in one place. */
static void
bench_start_servers(unsigned warm, size_t n)
{
	const struct vmess_user_spec user = { .id = { 1 }, .security = VMESS_AES128_GCM };
	struct endpoint at = { .port = 0 };
	struct vmess_server_spec server[2] = { { "127.0.0.1", 0, &user, 1 } };
	struct outbound_spec spec = {
		.tag = "proxy", .kind = OUTBOUND_VMESS, .u.vmess = { server, n }
	};
	struct outbound_env env = { .unix_time = unix_time, .warm = warm };
	struct err e;

	memset(&bench, 0, sizeof(bench));
	assert_true(ip_parse(&at.ip, "127.0.0.1"));
	bench.listener = sock_tcp_listen(&at, FAR_MAX);
	assert_int_equal(sock_local(bench.listener, &at), 0);
	server->port = at.port;
	server[1] = *server;
	bench.now = NOW;
	bench.loop = env.loop = loop_new();
	bench.memory = env.memory = tcp_memory_new();
	bench.o = outbound_new(&spec, &env, &e);
	assert_non_null(bench.o);
	task_init(&bench.owner, woken);
	unreal_time_serve = accept_all;
}

static void
bench_start(unsigned warm)
{
	bench_start_servers(warm, 1);
}

static void
far_close(size_t i)
{
	if (bench.far[i] >= 0)
		close(bench.far[i]);
	bench.far[i] = -1;
}

static void
bench_end(void)
{
	size_t i;

	outbound_retire(bench.o);
	assert_int_equal(bench.o->count, 1);
	outbound_drop(bench.o);
	task_fini(&bench.owner);
	loop_free(bench.loop);
	assert_int_equal(tcp_memory_blocks(bench.memory)->pool.out, 0);
	tcp_memory_free(bench.memory);
	unreal_time_serve = NULL;
	for (i = 0; i < bench.nfar; i++)
		far_close(i);
	if (bench.listener >= 0)
		close(bench.listener);
}

static unsigned
kept(void)
{
	return container_of(bench.o, struct vmess, o)->warm.n;
}

/* What can happen without time happens. */
static void
settle(void)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_turn(bench.loop, 0);
}

/* Both clocks go on by as much. */
static void
pass(uint64_t ms)
{
	uint64_t end = loop_now(bench.loop) + ms;

	while (loop_now(bench.loop) < end)
		loop_turn(bench.loop, (int)(end - loop_now(bench.loop)));
	settle();
	bench.now += (int64_t)(ms / 1000);
}

/* A connection that is asked for now. */
static struct stream *
dial(void)
{
	const struct target to = { .port = 443, .name = "www.example.com" };
	struct stream *s = outbound_dial(bench.o, &to, &bench.owner);

	assert_non_null(s);
	return s;
}

/* Whether it says hello to the far side of the accepted connection i. */
static bool
speaks_to(struct stream *s, size_t i)
{
	struct window w;
	uint8_t hello[512];
	int turns = 20;

	while (stream_open(s) == STREAM_AGAIN && turns-- > 0)
		loop_turn(bench.loop, 0);
	assert_int_equal(stream_open(s), STREAM_OK);
	assert_int_equal(stream_send_buf(s, &w), STREAM_OK);
	assert_int_equal(stream_send_ack(s, 1), STREAM_OK);
	assert_int_equal(stream_flush(s), STREAM_OK);
	return read(bench.far[i], hello, sizeof(hello)) > 0;
}

static bool
far_has_ended(size_t i)
{
	char c;

	return read(bench.far[i], &c, 1) == 0;
}

/* One connection was asked for and ended; the warm ones are up. */
static void
bench_warmed(void)
{
	struct stream *s;

	bench_start(WARM);
	settle();
	assert_int_equal(bench.nfar, 0);
	s = dial();
	settle();
	assert_int_equal(bench.nfar, 1 + WARM);
	assert_true(speaks_to(s, 0));
	stream_free(s);
	settle();
	assert_int_equal(kept(), WARM);
}

static void
none_without_being_asked(void **state)
{
	struct stream *s;

	(void)state;
	bench_start(0);
	s = dial();
	settle();
	assert_int_equal(bench.nfar, 1);
	stream_free(s);
	bench_end();
}

static void
one_is_used_and_replaced(void **state)
{
	struct stream *s;

	(void)state;
	bench_warmed();
	s = dial();
	/* No turn in between: it is open, and the oldest. */
	assert_int_equal(stream_open(s), STREAM_OK);
	assert_true(speaks_to(s, 1));
	settle();
	assert_int_equal(kept(), WARM);
	assert_int_equal(bench.nfar, 2 + WARM);
	stream_free(s);
	bench_end();
}

static int
hear(struct stream *s)
{
	struct window w;

	return stream_recv_buf(s, &w);
}

/* Who has got one is made ready by it. */
static void
its_owner_is_woken(void **state)
{
	struct stream *s;

	(void)state;
	bench_warmed();
	s = dial();
	assert_true(speaks_to(s, 1));
	assert_int_equal(hear(s), STREAM_AGAIN);
	settle();
	bench.woken = 0;
	settle();
	assert_int_equal(bench.woken, 0);
	far_close(1);
	loop_turn(bench.loop, 0);
	assert_int_equal(bench.woken, 1);
	assert_int_equal(hear(s), -ECONNRESET);
	stream_free(s);
	bench_end();
}

/* Nobody asks for more: they end in order, and no other one is made. */
static void
they_get_old(void **state)
{
	(void)state;
	bench_warmed();
	pass(AGE_MS - 1000);
	assert_int_equal(kept(), WARM);
	pass(1000);
	assert_int_equal(kept(), 0);
	assert_true(far_has_ended(1) && far_has_ended(2));
	pass(10 * AGE_MS);
	assert_int_equal(bench.nfar, 1 + WARM);
	bench_end();
}

/* One is begun at once where all have died, also when the loop has not heard of it yet. */
static void
a_dead_one_costs_nothing(void **state)
{
	struct stream *s;
	int heard;

	(void)state;
	for (heard = 0; heard < 2; heard++) {
		bench_warmed();
		pass(4000);
		far_close(1);
		far_close(2);
		if (heard)
			settle();
		assert_int_equal(kept(), heard ? 0 : WARM);
		s = dial();
		settle();
		assert_int_equal(bench.nfar, 1 + WARM + 1 + WARM);
		assert_true(speaks_to(s, 1 + WARM));
		stream_free(s);
		bench_end();
	}
}

/* A server that says something without being asked is not one for VMess. */
static void
a_talking_one_is_dropped(void **state)
{
	struct stream *s;

	(void)state;
	bench_warmed();
	assert_int_equal(write(bench.far[1], "SSH-2.0", 7), 7);
	s = dial();
	assert_true(speaks_to(s, 2));
	stream_free(s);
	bench_end();
}

/* All that there are; what is asked for after that makes others. */
static void
far_close_all(void)
{
	size_t i;

	for (i = 0; i < bench.nfar; i++)
		far_close(i);
	settle();
	assert_int_equal(kept(), 0);
}

static void
ask(void)
{
	stream_free(dial());
	settle();
}

/* What a server does to late headers twice is learnt, and forgotten after ten minutes. */
static void
the_server_teaches_their_age(void **state)
{
	struct stream *s;

	(void)state;
	bench_warmed();
	pass(4000);
	far_close_all();
	ask();
	pass(4400);
	assert_int_equal(kept(), WARM);
	far_close_all();
	ask();
	assert_int_equal(kept(), WARM);
	pass(2900);
	assert_int_equal(kept(), WARM);
	pass(200);
	assert_int_equal(kept(), 0);
	pass(600000);
	s = dial();
	pass(AGE_MS - 1000);
	assert_int_equal(kept(), WARM);
	stream_free(s);
	bench_end();
}

/* Those that it has closed were of any age, and say nothing of those that come after. */
static void
a_restart_teaches_nothing(void **state)
{
	static const uint64_t age[] = { 0, 4000, 0, 1500 };
	size_t i;

	(void)state;
	bench_warmed();
	for (i = 0; i < sizeof(age) / sizeof(*age); i++) {
		pass(age[i]);
		far_close_all();
		pass(1500);
		ask();
		assert_int_equal(kept(), WARM);
	}
	pass(AGE_MS - 1000);
	assert_int_equal(kept(), WARM);
	bench_end();
}

/* Two restarts at one age, but some have lived longer in between. */
static void
one_that_lives_longer_disproves_it(void **state)
{
	(void)state;
	bench_warmed();
	pass(4000);
	far_close_all();
	ask();
	pass(AGE_MS);
	ask();
	pass(4000);
	far_close_all();
	ask();
	pass(AGE_MS - 1000);
	assert_int_equal(kept(), WARM);
	bench_end();
}

/* A server that closes at once is not bothered again and again. */
static void
one_that_closes_at_once_gets_none(void **state)
{
	size_t before;

	(void)state;
	bench_warmed();
	far_close_all();
	pass(1000);
	ask();
	far_close_all();
	before = bench.nfar;
	ask();
	assert_int_equal(bench.nfar, before + 1);
	assert_int_equal(kept(), 0);
	pass(60000);
	ask();
	assert_int_equal(kept(), WARM);
	bench_end();
}

/* What one has taught is not true of the other. */
static void
each_server_is_known_for_itself(void **state)
{
	const struct vmess_patience hasty = { .until = UINT64_MAX };
	struct vmess_server *server;

	(void)state;
	bench_start_servers(WARM, 2);
	server = container_of(bench.o, struct vmess, o)->server;
	server[1].patience = hasty;
	ask();
	assert_int_equal(kept(), WARM);
	pass(AGE_MS - 1000);
	assert_int_equal(kept(), WARM);
	far_close_all();
	assert_int_equal(server[0].patience.closed, AGE_MS - 1000);
	assert_int_equal(server[1].patience.closed_at, 0);
	server[0].patience = hasty;
	ask();
	assert_int_equal(kept(), 0);
	bench_end();
}

/* The machine has slept: the loop's clock has not. */
static void
sleep_makes_them_old(void **state)
{
	struct stream *s;

	(void)state;
	bench_warmed();
	bench.now += 3600;
	s = dial();
	assert_true(far_has_ended(1) && far_has_ended(2));
	settle();
	assert_true(speaks_to(s, 1 + WARM));
	stream_free(s);
	bench_end();
}

/* They are counted, and come after all others. */
static void
they_draw_on_the_budget(void **state)
{
	struct budget *g;
	size_t used;

	(void)state;
	bench_warmed();
	g = tcp_memory_budget(bench.memory);
	used = g->used;
	assert_true(used >= WARM * VMESS_CONNECTION);
	pass(AGE_MS);
	assert_int_equal(g->used, used - WARM * VMESS_CONNECTION);
	used = g->most;
	g->most = g->used + (VMESS_CONNECTION + VMESS_OPENING) * 3 / 2;
	stream_free(dial());
	settle();
	assert_int_equal(kept(), 0);
	g->most = used;
	bench_end();
}

/* They never stand among those who wait for memory. */
static void
they_do_not_wait_for_memory(void **state)
{
	struct budget *g;
	struct stream *s;
	size_t most;

	(void)state;
	bench_start(WARM);
	g = tcp_memory_budget(bench.memory);
	most = g->most;
	s = dial();
	assert_int_equal(kept(), WARM);
	g->most = g->used;
	settle();
	assert_false(outbound_is_starved(bench.o));
	assert_int_equal(kept(), 0);
	g->most = most;
	stream_free(s);
	bench_end();
}

static void
a_server_that_is_away_gets_none(void **state)
{
	struct stream *s;

	(void)state;
	bench_warmed();
	far_close(1);
	far_close(2);
	close(bench.listener);
	bench.listener = -1;
	unreal_time_serve = NULL;
	settle();
	s = dial();
	settle();
	assert_int_equal(stream_open(s), -ECONNREFUSED);
	stream_free(s);
	stream_free(dial());
	assert_int_equal(kept(), 0);
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_without_being_asked),
		cmocka_unit_test(one_is_used_and_replaced),
		cmocka_unit_test(its_owner_is_woken),
		cmocka_unit_test(they_get_old),
		cmocka_unit_test(a_dead_one_costs_nothing),
		cmocka_unit_test(a_talking_one_is_dropped),
		cmocka_unit_test(the_server_teaches_their_age),
		cmocka_unit_test(a_restart_teaches_nothing),
		cmocka_unit_test(one_that_lives_longer_disproves_it),
		cmocka_unit_test(one_that_closes_at_once_gets_none),
		cmocka_unit_test(each_server_is_known_for_itself),
		cmocka_unit_test(sleep_makes_them_old),
		cmocka_unit_test(they_draw_on_the_budget),
		cmocka_unit_test(they_do_not_wait_for_memory),
		cmocka_unit_test(a_server_that_is_away_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
