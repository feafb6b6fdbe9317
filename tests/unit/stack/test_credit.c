/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Windows and rings as promises: what they add up to is bounded. */

enum { K = 1024, SOME = 40, EACH = 400 * K };

static struct peer peers[SOME];
static struct stream *conns[SOME];

static void
begin(size_t memory)
{
	host.config.memory = memory;
	host.config.window = 256 * K;
	host_restart();
}

static void
open_one(int i, bool unscaled)
{
	char me[32];

	snprintf(me, sizeof(me), "198.18.0.2:%d", 40000 + i);
	peer_init(&peers[i], me, "203.0.113.7:443");
	peers[i].unscaled = unscaled;
	if (unscaled)
		peers[i].window = 65535;
	conns[i] = peer_open(&peers[i]);
	peer_send(&peers[i], "x", 1); /* the SYN-ACK's window has no scale */
	peer_pump(&peers[i]);
}

static void
open_some(size_t memory)
{
	int i;

	begin(memory);
	for (i = 0; i < SOME; i++)
		open_one(i, false);
}

static void
close_all(void)
{
	int i;

	for (i = 0; i < SOME; i++)
		peer_fini(&peers[i]);
}

/* The application sends what it may, and all of it is read. */
static void
pass(int i, const uint8_t *b, uint8_t *mem)
{
	struct peer *p = &peers[i];
	size_t sent, k, n;

	for (sent = 0; sent < EACH; sent += k) {
		k = p->their_window - (p->snd - p->acked);
		assert_true(k > 0);
		peer_send(p, b, k);
		n = 0;
		conn_read(conns[i], mem, EACH, &n);
		peer_pump(p);
	}
}

static size_t
windows(void)
{
	size_t sum = 0;
	int i;

	for (i = 0; i < SOME; i++)
		sum += peers[i].their_window;
	return sum;
}

/* It begins small and grows to what was configured as its bytes are taken. */
static void
test_grows(void **state)
{
	uint8_t *b = pattern(EACH), *mem = malloc(EACH);

	(void)state;
	open_some(256 << 20);
	assert_true(windows() <= SOME * 16 * K);
	pass(0, b, mem);
	pass(0, b, mem);
	assert_true(peers[0].their_window > 250 * K);
	assert_true(peers[0].their_window <= 256 * K);
	assert_true(peers[1].their_window <= 16 * K);
	close_all();
	free(b);
	free(mem);
}

/* Where memory is short all together have no more than half of it, and all go on. */
static void
test_bounded(void **state)
{
	uint8_t *b = pattern(EACH), *mem = malloc(EACH);
	int i, round;

	(void)state;
	open_some(4 << 20);
	for (round = 0; round < 3; round++)
		for (i = 0; i < SOME; i++) {
			pass(i, b, mem);
			assert_true(windows() <= 2 << 20);
		}
	assert_true(windows() > 1 << 20);
	close_all();
	free(b);
	free(mem);
}

/* Of rings none takes so much that the others have little: those that have grown, and
 * wait, still leave something to many. */
static void
test_even(void **state)
{
	uint8_t *b = pattern(EACH);
	size_t n, most = 0, all = 0, kept;
	int i, some = 0;

	(void)state;
	open_some(8 << 20);
	for (i = 0; i < SOME; i++)
		for (n = 0; n < EACH; peer_pump(&peers[i]))
			n += conn_write(conns[i], b + n, EACH - n);
	for (i = 0; i < SOME; i++) {
		peer_shrink(&peers[i], 0);
		for (kept = 0; (n = conn_write(conns[i], b, EACH)) > 0; kept += n)
			;
		most = kept > most ? kept : most;
		all += kept;
		some += kept >= 16 * K;
	}
	assert_true(most >= 256 * K && most <= 512 * K);
	assert_true(all <= 4 << 20);
	assert_int_equal(some, SOME);
	close_all();
	free(b);
}

/* Applications that do not read hold no more than half of it, each a little; and when
 * they read, they get everything. */
static void
test_stalled(void **state)
{
	uint8_t *b = pattern(EACH);
	size_t held = 0, n[SOME];
	int i;

	(void)state;
	host.config.ring = 256 * K;
	host.config.conns_max = SOME;
	open_some(2 << 20);
	for (i = 0; i < SOME; i++) {
		peer_shrink(&peers[i], 0);
		n[i] = conn_write(conns[i], b, EACH);
		peer_pump(&peers[i]);
		assert_true(n[i] >= 16 * K);
		held += n[i];
	}
	assert_true(held <= 1 << 20);
	for (i = 0; i < SOME; i++) {
		peers[i].window = 64 * K;
		peer_ack(&peers[i]);
		peer_pump(&peers[i]);
		while (n[i] < EACH) {
			n[i] += conn_write(conns[i], b + n[i], EACH - n[i]);
			peer_pump(&peers[i]);
		}
		assert_int_equal(peers[i].ngot, EACH);
		assert_memory_equal(peers[i].got, b, EACH);
	}
	close_all();
	free(b);
}

/* The bound is hard: who finds no room waits for a ring, and has it in turn; nobody else
 * is let in meanwhile. */
enum { USED = 20 };

static void
test_hard(void **state)
{
	uint8_t *b = pattern(EACH);
	size_t n[USED] = { 0 }, waiting = 0;
	struct peer late;
	int i, asked;

	(void)state;
	open_some(32 * K);
	for (i = 0; i < USED; i++) {
		peer_shrink(&peers[i], 0);
		peer_pump(&peers[i]);
	}
	for (i = 0; i < USED; i++) {
		n[i] = conn_write(conns[i], b, K);
		waiting += n[i] == 0;
		peer_pump(&peers[i]);
	}
	assert_int_equal(waiting, USED - 16);
	asked = host.nsyn;
	peer_init(&late, "198.18.0.2:50000", "203.0.113.7:443");
	peer_syn(&late);
	assert_int_equal(host.nsyn, asked);
	assert_true(stack_counters(host.stack)->over_limit > 0);
	for (i = 0; i < USED; i++) {
		peers[i].window = 64 * K;
		peer_ack(&peers[i]);
		peer_pump(&peers[i]);
		if (n[i] == 0)
			n[i] = conn_write(conns[i], b, K);
		peer_pump(&peers[i]);
		assert_int_equal(peers[i].ngot, n[i]);
		assert_int_equal(n[i], K);
	}
	peer_syn(&late);
	assert_int_equal(host.nsyn, asked + 1);
	peer_fini(&late);
	close_all();
	free(b);
}

/* The application sends all that it may; nobody reads it. */
static void
send_stalled(struct peer *p, const uint8_t *b)
{
	peer_open(p);
	peer_send(p, "x", 1);
	peer_pump(p);
	peer_send(p, b, p->their_window);
	peer_pump(p);
	peer_fini(p);
}

static void
stalled_uploads(int n, const uint8_t *b)
{
	char me[32];
	struct peer p;
	int i;

	for (i = 0; i < n; i++) {
		snprintf(me, sizeof(me), "198.18.0.3:%d", 1024 + i);
		peer_init(&p, me, "203.0.113.8:443");
		send_stalled(&p, b);
	}
}

/* Who knows no scale is promised what it can be told, and so has something left when much
 * of that is taken back. */
static void
test_unscaled(void **state)
{
	enum { GROWN = 12, STALLED = 300 };
	uint8_t *b = pattern(EACH), *mem = malloc(EACH);
	int i;

	(void)state;
	begin(8 << 20);
	open_one(0, true);
	pass(0, b, mem);
	pass(0, b, mem);
	assert_int_equal(peers[0].their_window, 65535);
	for (i = 1; i < GROWN; i++) {
		open_one(i, false);
		pass(i, b, mem);
	}
	stalled_uploads(STALLED, b);
	pass(0, b, mem);
	assert_true(peers[0].their_window >= 1460);
	close_all();
	free(b);
	free(mem);
}

/* Those that have grown, and are idle, keep what they were promised; who comes then still
 * has a window that is worth a turn. */
static void
test_idle(void **state)
{
	enum { GROWN = 12, NEW = 20, ROUNDS = 5 };
	uint8_t *b = pattern(EACH), *mem = malloc(EACH);
	int i, round;

	(void)state;
	begin(8 << 20);
	for (i = 0; i < GROWN; i++) {
		open_one(i, false);
		pass(i, b, mem);
		assert_true(peers[i].their_window > 255 * K);
	}
	for (; i < GROWN + NEW; i++) {
		open_one(i, false);
		for (round = 0; round < ROUNDS; round++) {
			pass(i, b, mem);
			assert_true(peers[i].their_window >= 16 * K);
		}
		assert_true(peers[i].their_window <= 16 * K);
	}
	close_all();
	free(b);
	free(mem);
}

/* What servers do not take fills the windows of those who send it, which are the smaller
 * the more they are, and nothing else: those that were open before upload and talk, and
 * others come. */
static void
test_stalled_uploads(void **state)
{
	enum { STALLED = 600 };
	uint8_t *b = pattern(EACH), *mem = malloc(EACH);
	struct peer p;
	int i;

	(void)state;
	host.config.conns_max = 1024;
	open_some(4 << 20);
	stalled_uploads(STALLED, b);
	for (i = 0; i < SOME; i++)
		pass(i, b, mem);
	assert_true(windows() <= 1 << 20);
	conns[0] = peer_start(&p, "198.18.0.4:1024", "203.0.113.9:443");
	peer_fini(&peers[0]);
	peers[0] = p;
	peer_send(&peers[0], "x", 1);
	peer_pump(&peers[0]);
	pass(0, b, mem);
	assert_int_equal(stack_counters(host.stack)->over_limit, 0);
	close_all();
	free(b);
	free(mem);
}

/* A window of less than a segment is told again when half of it is free, without an
 * acknowledgement that would go anyway. */
static void
test_small_window(void **state)
{
	uint8_t *b = pattern(EACH), *mem = malloc(EACH);
	size_t n = 0;
	uint32_t w;

	(void)state;
	host.config.conns_max = 8192;
	open_some(2 << 20);
	w = peers[0].their_window;
	assert_int_equal(w, 1024 - 128);
	peer_send(&peers[0], b, w);
	peer_pump(&peers[0]);
	assert_true(peers[0].their_window < 128);
	conn_read(conns[0], mem, 512, &n);
	peer_pump(&peers[0]);
	assert_true(peers[0].their_window >= 512);
	close_all();
	free(b);
	free(mem);
}

/* Who is gone for its user, and takes nothing, keeps no memory from those who are not. */
static void
test_lingering_gives_way(void **state)
{
	enum { RINGS = 16 };
	uint8_t *b = pattern(K);
	int i;

	(void)state;
	open_some(32 * K);
	for (i = 0; i < RINGS; i++) {
		peer_shrink(&peers[i], 0);
		assert_int_equal(conn_write(conns[i], b, K), K);
		conn_leave(conns[i]);
		peers[i].silent = true;
	}
	assert_int_equal(conn_write(conns[RINGS], b, K), 0);
	host_pass(9000);
	assert_int_equal(conn_write(conns[RINGS], b, K), 0);
	host_pass(2000);
	assert_int_equal(conn_write(conns[RINGS], b, K), K);
	for (i = RINGS; i < SOME; i++)
		conn_leave(conns[i]);
	close_all();
	free(b);
}

int
main(void)
{
#define TEST(name) HOST_TEST(name)
	const struct CMUnitTest tests[] = {
		TEST(test_grows),
		TEST(test_bounded),
		TEST(test_unscaled),
		TEST(test_idle),
		TEST(test_even),
		TEST(test_stalled),
		TEST(test_hard),
		TEST(test_lingering_gives_way),
		TEST(test_stalled_uploads),
		TEST(test_small_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
