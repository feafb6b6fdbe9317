/* SPDX-License-Identifier: MIT */
/* Downloads in many small pieces: who is woken how often. */
#include "unit/stream/bench.h"

#include "base/list.h"
#include "stream/tcp_inside.h"

#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 2048 };

/* Pieces of `size`, `each` of them a millisecond, until it is steady; after how many. */
static int
pieces_until_steady(struct pace *p, size_t size, int each)
{
	int i;

	for (i = 0; i < 1000; i++) {
		pace_read(p, size);
		if (pace_is_steady(p, 1000 + (uint64_t)(i / each)))
			return i + 1;
	}
	return 0;
}

static void
test_who_is_steady(void **state)
{
	const struct {
		size_t size;
		int each, after;
	} cases[] = {
		{ PIECE, 64, PACE_PROOF / PIECE },
		{ 1400, 100, (PACE_PROOF / 64 + 20) / 21 },
		{ PIECE, 7, 0 },           /* slower than 16 KB a millisecond */
		{ 2 * PACE_PIECE, 64, 0 }, /* comes in much at a time already */
		{ 64, 200, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pace p = { 0 };

		/* What had no time behind it begins with its first moment. */
		pace_is_steady(&p, 1000);
		assert_int_equal(pieces_until_steady(&p, cases[i].size, cases[i].each),
			cases[i].after);
	}
}

static void
test_a_word_begins_anew(void **state)
{
	struct pace p = { 0 };
	int i;

	(void)state;
	pace_is_steady(&p, 1000);
	for (i = 0; i < 100 * PACE_PROOF / PIECE; i++) {
		pace_read(&p, PIECE);
		assert_false(pace_is_steady(&p, 1000 + (uint64_t)i / 64));
		if (i % 100 == 0)
			pace_restart(&p);
	}
}

static void
test_a_slow_one_is_steady_no_more(void **state)
{
	struct pace p = { .since = 1000, .steady = true };

	(void)state;
	pace_read(&p, 64);
	assert_true(pace_is_steady(&p, 1001)); /* maybe no time at all */
	pace_read(&p, 2 * PACE_RATE);
	assert_true(pace_is_steady(&p, 1002));
	pace_read(&p, 2 * PACE_RATE - 64);
	assert_false(pace_is_steady(&p, 1004));
}

static int
low_water(const struct bench *b)
{
	socklen_t len = sizeof(int);
	int near = container_of(b->s, struct tcp, s)->w.fd, n;

	assert_int_equal(getsockopt(near, SOL_SOCKET, SO_RCVLOWAT, &n, &len), 0);
	return n;
}

static void
far_says(struct bench *b, size_t len)
{
	static const uint8_t zeros[PACE_LOW_WATER];

	while (len > 0) {
		ssize_t n = send(b->far, zeros, len < sizeof zeros ? len : sizeof zeros,
			MSG_DONTWAIT);

		assert_true(n > 0 || len == 0);
		len -= (size_t)n;
	}
}

/* Reads until there is no more; how much it was, and how it ended. */
static size_t
read_all(struct bench *b, int *last)
{
	static uint8_t p[64 * 1024];
	size_t n, all = 0;

	while ((*last = stream_read(b->s, p, sizeof p, &n)) == STREAM_OK)
		all += n;
	return all;
}

static size_t
wait_and_read(struct bench *b)
{
	int last;

	wait_woken(b);
	return read_all(b, &last);
}

/* However slow the machine is, some of its moments are not. */
static void
become_steady(struct bench *b)
{
	int last;

	read_all(b, &last);
	while (low_water(b) == 1) {
		far_says(b, PIECE);
		wait_and_read(b);
	}
	assert_in_range(low_water(b), PACE_PIECE, PACE_LOW_WATER);
}

static void
test_few_bytes_wait_for_the_tick(void **state)
{
	struct bench b;

	(void)state;
	bench_connected(&b);
	become_steady(&b);
	far_says(&b, PIECE);
	/* By the tick, since the kernel does not tell; then it is found too slow. */
	assert_int_equal(wait_and_read(&b), PIECE);
	while (low_water(&b) != 1)
		wait_and_read(&b);
	far_says(&b, 1);
	assert_int_equal(wait_and_read(&b), 1);
	bench_end(&b);
}

/* Whoever reads above may have had no room for more when the tick came. */
static void
test_a_tick_is_not_lost(void **state)
{
	static uint8_t p[PACE_LOW_WATER];
	size_t n, got = 0;
	struct bench b;
	int last;

	(void)state;
	bench_connected(&b);
	do {
		become_steady(&b);
		far_says(&b, sizeof p / 2);
		/* One read that takes all there is, and no second one, which would want more. */
		while (stream_read(b.s, p, sizeof p, &n) != STREAM_OK)
			loop_turn(b.loop, -1);
	} while (low_water(&b) == 1);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(b.loop, PACE_TICK);
	far_says(&b, PIECE);
	for (unsigned i = 0; i < 1000 && got == 0; i++) {
		got = read_all(&b, &last);
		loop_turn(b.loop, PACE_TICK);
	}
	assert_int_equal(got, PIECE);
	bench_end(&b);
}

static void
test_many_bytes_wait_for_nothing(void **state)
{
	size_t got = 0;
	struct bench b;

	(void)state;
	bench_connected(&b);
	become_steady(&b);
	far_says(&b, 4 * PACE_LOW_WATER);
	while (got < 4 * PACE_LOW_WATER)
		got += wait_and_read(&b);
	assert_int_equal(got, 4 * PACE_LOW_WATER);
	bench_end(&b);
}

static void
test_an_end_is_told(void **state)
{
	struct bench b;
	int last = STREAM_AGAIN;

	(void)state;
	bench_connected(&b);
	become_steady(&b);
	far_says(&b, 3);
	close(b.far);
	b.far = -1;
	while (last == STREAM_AGAIN) {
		loop_turn(b.loop, -1);
		read_all(&b, &last);
	}
	assert_int_equal(last, STREAM_END);
	bench_end(&b);
}

static void
test_who_says_something_is_woken_by_each_byte(void **state)
{
	struct window w = { (uint8_t *)"question", 8 };
	struct bench b;
	size_t n;

	(void)state;
	bench_connected(&b);
	become_steady(&b);
	assert_int_equal(stream_writev(b.s, &w, 1, &n), STREAM_OK);
	assert_int_equal(low_water(&b), 1);
	bench_end(&b);
}

/* More of them than have a place, and each may go at any time. */
static void
test_those_without_a_place(void **state)
{
	struct pace p[PACE_MOST + 1] = { 0 };
	struct watch w[PACE_MOST + 1];
	struct pacer r = { .count = 0 };
	struct bench b;

	(void)state;
	bench_start(&b);
	for (size_t i = 0; i <= PACE_MOST; i++) {
		watch_init(&w[i], b.loop, -1, &b.owner);
		assert_int_equal(pacer_hold(&r, &p[i], &w[i]), i < PACE_MOST);
	}
	assert_true(pacer_hold(&r, &p[3], &w[3])); /* it has one already */
	pacer_leave(&r, &p[0]);
	assert_true(pacer_hold(&r, &p[PACE_MOST], &w[PACE_MOST]));
	for (size_t i = 0; i <= PACE_MOST; i++)
		pacer_leave(&r, &p[i]);
	assert_int_equal(r.count, 0);
	bench_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_steady),
		cmocka_unit_test(test_a_word_begins_anew),
		cmocka_unit_test(test_a_slow_one_is_steady_no_more),
		cmocka_unit_test(test_few_bytes_wait_for_the_tick),
		cmocka_unit_test(test_a_tick_is_not_lost),
		cmocka_unit_test(test_many_bytes_wait_for_nothing),
		cmocka_unit_test(test_an_end_is_told),
		cmocka_unit_test(test_who_says_something_is_woken_by_each_byte),
		cmocka_unit_test(test_those_without_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
