/* SPDX-License-Identifier: MIT */
/* What all streams have in common. */
#include "unit/stream/check.h"

#include "base/list.h"
#include "stream/stream.h"

/* A layer that notes when it leaves. */
struct layer {
	struct stream s;
	bool over, left;
};

static bool
layer_over(const struct stream *s)
{
	return container_of(s, const struct layer, s)->over;
}

static void
layer_leave(struct stream *s)
{
	container_of(s, struct layer, s)->left = true;
}

static const struct stream_ops lasting = { .name = "lasting" };
static const struct stream_ops opening = {
	.name = "opening", .over = layer_over, .leave = layer_leave
};

static void
layers_over_leave(void **state)
{
	struct layer bottom = { .s = { &lasting, NULL } };
	struct layer fourth = { .s = { &opening, &bottom.s }, .over = true };
	struct layer third = { .s = { &opening, &fourth.s } };
	struct layer second = { .s = { &lasting, &third.s } };
	struct layer first = { .s = { &opening, &second.s }, .over = true };

	(void)state;
	assert_ptr_equal(stream_settle(&first.s), &second.s);
	assert_true(first.left);
	/* One that is not over may still know what is beneath it. */
	assert_false(third.left || fourth.left);
	assert_ptr_equal(second.s.lower, &third.s);

	third.over = true;
	assert_ptr_equal(stream_settle(&second.s), &second.s);
	assert_true(third.left && fourth.left);
	assert_ptr_equal(second.s.lower, &bottom.s);
	assert_ptr_equal(stream_settle(&second.s), &second.s);
}

static void
nothing_may_be_left(void **state)
{
	struct layer one = { .s = { &lasting, NULL } };

	(void)state;
	assert_ptr_equal(stream_settle(&one.s), &one.s);
	assert_null(stream_settle(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_over_leave),
		cmocka_unit_test(nothing_may_be_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
