/* SPDX-License-Identifier: MIT */
#include "flow/relay.h"

#include "unit/flow/memory_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { UP = 300000, DOWN = 700001 };

static uint8_t up_bytes[UP], down_bytes[DOWN];

struct pair {
	struct memory_stream near, far;
	struct relay relay;
};

static void
pair_init(struct pair *p, size_t near_window, size_t far_window)
{
	memory_stream_init(&p->near, near_window);
	memory_stream_init(&p->far, far_window);
	p->relay = (struct relay){ .near = &p->near.s, .far = &p->far.s };
}

static void
pair_fini(struct pair *p)
{
	memory_stream_fini(&p->near);
	memory_stream_fini(&p->far);
}

/* Turns until nothing is left to do. A relay that waits for ever fails the test. */
static enum relay_news
run_all(struct pair *p)
{
	enum relay_news news = RELAY_WAITS;

	for (int i = 0; i < 4000000; i++) {
		news = relay_run(&p->relay);
		if (news != RELAY_WAITS && news != RELAY_MORE)
			break;
	}
	return news;
}

static void
any_window(void **state)
{
	static const size_t windows[] = { 1, 2, 3, 777, 65536 };
	const size_t n = sizeof(windows) / sizeof(windows[0]);

	(void)state;
	for (size_t i = 0; i < n * n * 2; i++) {
		struct pair p;

		pair_init(&p, windows[i % n], windows[i / n % n]);
		p.near.stutter = p.far.stutter = i >= n * n;
		memory_stream_says(&p.near, up_bytes, UP / 10, true);
		memory_stream_says(&p.far, down_bytes, DOWN / 10, true);
		assert_int_equal(run_all(&p), RELAY_DONE);
		assert_int_equal(p.far.out_len, UP / 10);
		assert_int_equal(p.near.out_len, DOWN / 10);
		assert_memory_equal(p.far.out, up_bytes, UP / 10);
		assert_memory_equal(p.near.out, down_bytes, DOWN / 10);
		assert_true(p.near.shut && p.far.shut);
		assert_int_equal(p.near.flushed_at_shut, DOWN / 10);
		assert_int_equal(p.far.flushed_at_shut, UP / 10);
		assert_int_equal(p.relay.up, UP / 10);
		assert_int_equal(p.relay.down, DOWN / 10);
		pair_fini(&p);
	}
}

/* Several windows by one call, of which the other side may take any part. */
static void
scattered_windows(void **state)
{
	static const size_t windows[] = { 100, 4095, 16384, 65536 };
	const size_t n = sizeof(windows) / sizeof(windows[0]);

	(void)state;
	for (size_t i = 0; i < n * n * 2; i++) {
		struct pair p;

		pair_init(&p, windows[i % n], windows[i / n % n]);
		memory_stream_scatter(&p.near);
		memory_stream_scatter(&p.far);
		p.near.stutter = p.far.stutter = i >= n * n;
		memory_stream_says(&p.near, up_bytes, UP, true);
		memory_stream_says(&p.far, down_bytes, DOWN, true);
		assert_int_equal(run_all(&p), RELAY_DONE);
		assert_int_equal(p.far.out_len, UP);
		assert_int_equal(p.near.out_len, DOWN);
		assert_memory_equal(p.far.out, up_bytes, UP);
		assert_memory_equal(p.near.out, down_bytes, DOWN);
		assert_int_equal(p.relay.up, UP);
		assert_int_equal(p.relay.down, DOWN);
		pair_fini(&p);
	}
}

/* Where there is no memory to gather small pieces in, they go as they are. */
static void
starved_side_takes_pieces(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 100, 65536);
	memory_stream_scatter(&p.near);
	memory_stream_scatter(&p.far);
	p.far.starved = true;
	memory_stream_says(&p.near, up_bytes, 3000, true);
	assert_int_equal(run_all(&p), RELAY_WAITS);
	assert_int_equal(p.far.out_len, 3000);
	assert_memory_equal(p.far.out, up_bytes, 3000);
	pair_fini(&p);
}

/* Windows of any size in one call are no more than the budget together. */
static void
scattered_budget(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 100000, 100000);
	memory_stream_scatter(&p.near);
	memory_stream_scatter(&p.far);
	memory_stream_says(&p.near, up_bytes, UP, false);
	assert_int_equal(relay_run(&p.relay), RELAY_MORE);
	assert_int_equal(p.far.out_len, RELAY_BUDGET);
	assert_int_equal(p.near.in_at, RELAY_BUDGET);
	pair_fini(&p);
}

static void
budget_holds(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 65536, 65536);
	memory_stream_says(&p.far, down_bytes, DOWN, false);
	assert_int_equal(relay_run(&p.relay), RELAY_MORE);
	assert_int_equal(p.relay.down, RELAY_BUDGET);
	assert_int_equal(relay_run(&p.relay), RELAY_MORE);
	assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
	assert_int_equal(p.near.out_flushed, DOWN);
	pair_fini(&p);
}

static void
dry_source_flushes(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 1000, 1000);
	memory_stream_says(&p.near, up_bytes, 10, false);
	assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
	assert_int_equal(p.far.out_flushed, 10);
	pair_fini(&p);
}

static void
full_side_stops_the_other(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 1000, 1000);
	memory_stream_says(&p.near, up_bytes, UP, false);
	p.far.room = 4321;
	assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
	assert_int_equal(p.near.in_at, 4321);
	p.far.room = SIZE_MAX;
	assert_int_equal(run_all(&p), RELAY_WAITS);
	assert_int_equal(p.far.out_len, UP);
	pair_fini(&p);
}

static void
direct_end_passes_at_once(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 777, 777);
	memory_stream_says(&p.near, up_bytes, 5000, true);
	memory_stream_says(&p.far, down_bytes, 0, false);
	assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
	assert_true(p.far.shut);
	assert_int_equal(p.far.flushed_at_shut, 5000);
	assert_false(p.near.shut);
	memory_stream_says(&p.far, down_bytes, 9000, true);
	assert_int_equal(relay_run(&p.relay), RELAY_DONE);
	assert_int_equal(p.near.out_len, 9000);
	assert_int_equal(p.near.flushed_at_shut, 9000);
	pair_fini(&p);
}

static void
kept_end_waits_for_the_answer(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 777, 777);
	p.relay.keep_fin = true;
	memory_stream_says(&p.near, up_bytes, 5000, true);
	for (int i = 0; i < 5; i++)
		assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
	assert_int_equal(p.far.out_flushed, 5000);
	assert_false(p.far.shut);
	memory_stream_says(&p.far, down_bytes, 9000, true);
	assert_int_equal(relay_run(&p.relay), RELAY_DONE);
	assert_true(p.far.shut && p.near.shut);
	assert_int_equal(p.near.flushed_at_shut, 9000);
	pair_fini(&p);
}

static void
far_end_of_both_ways_lingers(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 777, 777);
	p.relay.keep_fin = true;
	/* The server is gone already: what shutting it says is of no interest. */
	p.far.shut_error = -EPIPE;
	memory_stream_says(&p.far, down_bytes, 9000, true);
	assert_int_equal(relay_run(&p.relay), RELAY_LINGERS);
	assert_int_equal(p.near.flushed_at_shut, 9000);
	memory_stream_says(&p.near, up_bytes, 5000, false);
	assert_false(relay_linger(&p.relay));
	assert_int_equal(p.near.in_at, 5000);
	p.near.in_ends = true;
	assert_true(relay_linger(&p.relay));
	pair_fini(&p);
}

static void
linger_ends_a_flood(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 65536, 777);
	memory_stream_says(&p.near, down_bytes, DOWN, false);
	assert_true(relay_linger(&p.relay));
	pair_fini(&p);
}

static void
early_bytes_go_first(void **state)
{
	struct pair p;

	(void)state;
	for (size_t window = 1; window < 40; window += 6) {
		pair_init(&p, window, window);
		p.relay.early = up_bytes;
		p.relay.early_len = 100;
		p.far.room = 50;
		memory_stream_says(&p.near, up_bytes + 100, 900, true);
		assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
		assert_int_equal(p.far.out_len, 50);
		assert_int_equal(p.near.in_at, 0);
		p.far.room = SIZE_MAX;
		assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
		assert_int_equal(p.far.out_len, 1000);
		assert_int_equal(p.relay.up, 1000);
		assert_memory_equal(p.far.out, up_bytes, 1000);
		pair_fini(&p);
	}
}

static void
far_error_after_bytes(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 777, 777);
	memory_stream_says(&p.far, down_bytes, 5000, false);
	p.far.in_error = -ECONNRESET;
	assert_int_equal(relay_run(&p.relay), RELAY_FAR_FAILED);
	assert_int_equal(p.relay.error, -ECONNRESET);
	assert_int_equal(p.near.out_flushed, 5000);
	assert_false(p.near.shut);
	pair_fini(&p);
}

/* Not before the application has taken what came before it; nothing goes up meanwhile. */
static void
far_error_waits(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 777, 777);
	memory_stream_says(&p.far, down_bytes, 5000, false);
	memory_stream_says(&p.near, up_bytes, 5000, false);
	p.far.in_error = -ECONNRESET;
	p.near.keeps = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
	assert_true(p.relay.far_failed);
	assert_int_equal(p.far.out_len, 0);
	p.near.keeps = false;
	assert_int_equal(relay_run(&p.relay), RELAY_FAR_FAILED);
	assert_int_equal(p.relay.error, -ECONNRESET);
	pair_fini(&p);
}

static void
near_error_is_told_apart(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 777, 777);
	memory_stream_says(&p.near, up_bytes, 5000, false);
	p.near.in_error = -ECONNRESET;
	assert_int_equal(relay_run(&p.relay), RELAY_NEAR_FAILED);
	assert_int_equal(p.far.out_flushed, 5000);
	assert_false(p.far.shut);
	pair_fini(&p);

	pair_init(&p, 777, 777);
	memory_stream_says(&p.far, down_bytes, 5000, false);
	p.near.out_error = -EPIPE;
	assert_int_equal(relay_run(&p.relay), RELAY_NEAR_FAILED);
	assert_int_equal(p.relay.error, -EPIPE);
	pair_fini(&p);

	pair_init(&p, 777, 777);
	memory_stream_says(&p.near, up_bytes, 5000, false);
	p.far.out_error = -EPIPE;
	assert_int_equal(relay_run(&p.relay), RELAY_FAR_FAILED);
	pair_fini(&p);
}

static void
reset_after_the_end_is_seen(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 777, 777);
	p.relay.keep_fin = true;
	memory_stream_says(&p.near, up_bytes, 5000, true);
	assert_int_equal(relay_run(&p.relay), RELAY_WAITS);
	p.near.in_error = -ECONNRESET;
	assert_int_equal(relay_run(&p.relay), RELAY_NEAR_FAILED);
	pair_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_window),
		cmocka_unit_test(scattered_windows),
		cmocka_unit_test(scattered_budget),
		cmocka_unit_test(starved_side_takes_pieces),
		cmocka_unit_test(budget_holds),
		cmocka_unit_test(dry_source_flushes),
		cmocka_unit_test(full_side_stops_the_other),
		cmocka_unit_test(direct_end_passes_at_once),
		cmocka_unit_test(kept_end_waits_for_the_answer),
		cmocka_unit_test(far_end_of_both_ways_lingers),
		cmocka_unit_test(linger_ends_a_flood),
		cmocka_unit_test(early_bytes_go_first),
		cmocka_unit_test(far_error_after_bytes),
		cmocka_unit_test(far_error_waits),
		cmocka_unit_test(near_error_is_told_apart),
		cmocka_unit_test(reset_after_the_end_is_seen),
	};

	for (size_t i = 0; i < UP; i++)
		up_bytes[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t i = 0; i < DOWN; i++)
		down_bytes[i] = (uint8_t)(i * 13 + i / 241);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
