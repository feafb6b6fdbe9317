/* SPDX-License-Identifier: MIT */
#include "flow/queue.h"

#include "unit/stream/check.h"
#include "unit/stream/way.h"

#include <errno.h>
#include <string.h>

static struct queue queue;
static struct queued_total all;

static size_t
put(const char *text, size_t segment)
{
	struct dgram_out d = { .to = { .port = 7 },
		.p = (const uint8_t *)text,
		.len = strlen(text),
		.segment = segment };

	return queue_put(&queue, &all, &d);
}

static void
begin(void)
{
	queue = (struct queue){ 0 };
	all = (struct queued_total){ .most = 4096 };
	assert_true(queue_empty(&queue));
}

static void
order_is_kept(void **state)
{
	struct way w = {
		.k = { &way_ops }, .port = 7, .room = 2, .answer = STREAM_AGAIN
	};

	(void)state;
	begin();
	assert_int_equal(put("a", 0) + put("bbcc", 2) + put("d", 0), 0);
	assert_int_equal(queue_send(&queue, &all, &w.k), STREAM_OK);
	assert_string_equal(w.sent, "abb");
	assert_false(queue_empty(&queue));
	assert_int_equal(put("e", 0), 0);
	w.room = 3;
	assert_int_equal(queue_send(&queue, &all, &w.k), STREAM_OK);
	assert_string_equal(w.sent, "abbccde");
	assert_true(queue_empty(&queue));
	assert_int_equal(all.bytes, 0);
}

static void
it_has_limits(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < QUEUE_MAX; i++)
		assert_int_equal(put("x", 0), 0);
	assert_int_equal(put("xx", 1), 2);
	assert_int_equal(all.lost, 0); /* who has no room is counted by the caller */
	queue_drop(&queue, &all);
	assert_int_equal(all.lost, QUEUE_MAX);
	assert_true(queue_empty(&queue));
	assert_int_equal(all.bytes, 0);
	all.most = 1;
	assert_int_equal(put("x", 0), 1);
	assert_true(queue_empty(&queue));
}

static void
the_way_fails(void **state)
{
	struct way w = { .k = { &way_ops }, .port = 7, .room = 1, .answer = -EIO };

	(void)state;
	begin();
	assert_int_equal(put("a", 0) + put("b", 0), 0);
	assert_int_equal(queue_send(&queue, &all, &w.k), -EIO);
	assert_false(queue_empty(&queue));
	/* One that is too long is lost, and no more. */
	w.answer = -EMSGSIZE;
	assert_int_equal(queue_send(&queue, &all, &w.k), STREAM_OK);
	assert_string_equal(w.sent, "a");
	assert_true(queue_empty(&queue));
	assert_int_equal(all.bytes, 0);
	assert_int_equal(all.lost, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(it_has_limits),
		cmocka_unit_test(the_way_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
