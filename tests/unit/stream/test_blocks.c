/* SPDX-License-Identifier: MIT */
#include "unit/stream/check.h"

#include "base/log.h"
#include "stream/blocks.h"
#include "stream/stream.h"
#include "unit/stream/memory.h"

#include <errno.h>
#include <string.h>

enum { TAKERS = 3 };

struct taker {
	struct task task;
	struct block_wait wait;
	unsigned called;
};

struct table {
	struct loop *loop;
	struct blocks blocks;
	struct taker taker[TAKERS];
};

static void
called(struct task *t)
{
	container_of(t, struct taker, task)->called++;
}

static void
table_start(struct table *t)
{
	size_t i;

	memset(t, 0, sizeof(*t));
	t->loop = loop_new();
	assert_non_null(t->loop);
	blocks_init(&t->blocks, "test", 100, 1, 0);
	for (i = 0; i < TAKERS; i++) {
		task_init(&t->taker[i].task, called);
		block_wait_init(&t->taker[i].wait, t->loop, &t->taker[i].task);
	}
}

static void
table_end(struct table *t)
{
	size_t i;

	for (i = 0; i < TAKERS; i++) {
		blocks_leave(&t->taker[i].wait);
		task_fini(&t->taker[i].task);
	}
	assert_int_equal(blocks_fini(&t->blocks), 0);
	loop_free(t->loop);
}

static void *
take(struct table *t, size_t i)
{
	return blocks_get(&t->blocks, &t->taker[i].wait);
}

static void
test_first_come_first_called(void **state)
{
	struct table t;
	void *block;

	(void)state;
	table_start(&t);
	block = take(&t, 0);
	assert_non_null(block);
	assert_null(take(&t, 1));
	assert_null(take(&t, 2));
	blocks_put(&t.blocks, block);
	loop_turn(t.loop, 0);
	assert_int_equal(t.taker[1].called, 1);
	assert_int_equal(t.taker[2].called, 0);
	block = take(&t, 1);
	assert_non_null(block);
	blocks_put(&t.blocks, block);
	loop_turn(t.loop, 0);
	assert_int_equal(t.taker[1].called, 1);
	assert_int_equal(t.taker[2].called, 1);
	table_end(&t);
}

/* Who was called and does not want the block any more passes the call on. */
static void
test_a_call_is_not_lost(void **state)
{
	struct table t;
	void *block;

	(void)state;
	table_start(&t);
	block = take(&t, 0);
	assert_null(take(&t, 1));
	assert_null(take(&t, 2));
	blocks_put(&t.blocks, block);
	blocks_leave(&t.taker[1].wait);
	loop_turn(t.loop, 0);
	assert_int_equal(t.taker[2].called, 1);
	table_end(&t);
}

/* Who came in between took it: the one that was called waits again. */
static void
test_overtaken(void **state)
{
	struct table t;
	void *block;

	(void)state;
	table_start(&t);
	block = take(&t, 0);
	assert_null(take(&t, 1));
	blocks_put(&t.blocks, block);
	block = take(&t, 2);
	assert_non_null(block);
	assert_null(take(&t, 1));
	blocks_put(&t.blocks, block);
	loop_turn(t.loop, 0);
	assert_int_equal(t.taker[1].called, 1);
	block = take(&t, 1);
	assert_non_null(block);
	blocks_put(&t.blocks, block);
	table_end(&t);
}

/* Two kinds draw on one budget: what one gives back is a block of the other. */
static void
test_shared(void **state)
{
	struct blocks other;
	struct budget g;
	struct table t;
	void *block[2];

	(void)state;
	table_start(&t);
	t.blocks.pool.max = 8;
	budget_init(&g, 250);
	blocks_share(&t.blocks, &g, 100, false);
	blocks_init(&other, "other", 1, 8, 0);
	blocks_share(&other, &g, 150, false);
	block[0] = take(&t, 0);
	block[1] = blocks_get(&other, &t.taker[1].wait);
	assert_true(block[0] && block[1]);
	assert_null(take(&t, 1));
	assert_null(take(&t, 2));
	blocks_put(&other, block[1]);
	loop_turn(t.loop, 0);
	/* There is room for one of them, and for a half. */
	assert_int_equal(t.taker[1].called, 1);
	assert_int_equal(t.taker[2].called, 0);
	block[1] = take(&t, 1);
	assert_non_null(block[1]);
	blocks_put(&t.blocks, block[0]);
	loop_turn(t.loop, 0);
	assert_int_equal(t.taker[2].called, 1);
	/* Not wanted any more: it is nobody's. */
	blocks_leave(&t.taker[2].wait);
	blocks_put(&t.blocks, block[1]);
	assert_int_equal(g.used, 0);
	assert_int_equal(g.called, 0);
	assert_int_equal(blocks_fini(&other), 0);
	table_end(&t);
}

/* What lasts leaves a quarter to what is in flight. */
static void
test_lasting(void **state)
{
	struct budget g;
	struct table t;
	void *block;

	(void)state;
	table_start(&t);
	t.blocks.pool.max = 8;
	budget_init(&g, 400);
	blocks_share(&t.blocks, &g, 100, false);
	assert_false(budget_is_short(&g, 300));
	assert_true(budget_is_short(&g, 301));
	assert_false(budget_take(&g, 301));
	assert_true(budget_take(&g, 300));
	assert_false(budget_take(&g, 1));
	block = take(&t, 0);
	assert_non_null(block);
	assert_null(take(&t, 1));
	budget_give(&g, 99);
	loop_turn(t.loop, 0);
	assert_int_equal(t.taker[1].called, 0);
	budget_give(&g, 1);
	loop_turn(t.loop, 0);
	assert_int_equal(t.taker[1].called, 1);
	blocks_put(&t.blocks, block);
	budget_give(&g, 200);
	table_end(&t);
	assert_int_equal(g.used, 0);
}

/* stream_read and stream_writev through a layer that has windows only: as many as they
 * need. */
static void
test_through_windows(void **state)
{
	uint8_t text[1000], p[300];
	struct window w[2];
	struct memory m = { .windows = true };
	size_t i, n, all;

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	memory_init(&m);
	m.grain = 9;
	w[0] = (struct window){ text, 300 };
	w[1] = (struct window){ text + 300, 700 };
	assert_int_equal(stream_writev(&m.s, w, 2, &n), STREAM_OK);
	assert_int_equal(n, 1000);
	assert_memory_equal(m.out, text, 1000);
	m.stutters = true;
	m.odd = true;
	assert_int_equal(stream_writev(&m.s, w, 2, &n), STREAM_OK);
	assert_int_equal(n, 9);
	m.odd = false;
	assert_int_equal(stream_writev(&m.s, w, 2, &n), STREAM_AGAIN);
	m.stutters = false;
	memory_feed(&m, text, 1000);
	m.in_ends = true;
	for (all = 0; stream_read(&m.s, p, sizeof(p), &n) == STREAM_OK; all += n) {
		assert_int_equal(n, all < 900 ? sizeof(p) : 100);
		assert_memory_equal(p, text + all, n);
	}
	assert_int_equal(all, 1000);
	assert_int_equal(stream_read(&m.s, p, sizeof(p), &n), STREAM_END);
	m.error = -ECONNRESET;
	assert_int_equal(stream_read(&m.s, p, sizeof(p), &n), -ECONNRESET);
	assert_int_equal(stream_writev(&m.s, w, 2, &n), -ECONNRESET);
	memory_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_come_first_called),
		cmocka_unit_test(test_a_call_is_not_lost),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_lasting),
		cmocka_unit_test(test_through_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
