/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/random.h"
#include "base/ring.h"

static void
sizes(void **state)
{
	struct ring *r;

	(void)state;
	r = ring_new(1000);
	assert_int_equal(r->cap, 1024);
	ring_free(r);
	r = ring_new(1024);
	assert_int_equal(r->cap, 1024);
	ring_free(r);
	assert_null(ring_new(SIZE_MAX));
}

static void
a_byte_leaves_in_two_steps(void **state)
{
	struct ring *r = ring_new(8);
	uint8_t *p;

	(void)state;
	assert_int_equal(ring_room(r, &p), 8);
	memcpy(p, "abcdef", 6);
	ring_put(r, 6);
	assert_int_equal(ring_room(r, &p), 2);
	assert_int_equal(ring_unsent(r, &p), 6);
	assert_memory_equal(p, "abcdef", 6);
	ring_sent(r, 6);
	assert_int_equal(ring_unsent(r, &p), 0);
	assert_int_equal(ring_held(r), 6);
	assert_int_equal(ring_room(r, &p), 2); /* sent, and not yet acknowledged */
	ring_done(r, 5);
	assert_int_equal(ring_held(r), 1);
	assert_int_equal(ring_room(r, &p), 2); /* up to the edge; then 5 more */
	memcpy(p, "gh", 2);
	ring_put(r, 2);
	assert_int_equal(ring_room(r, &p), 5);
	memcpy(p, "ijklm", 5);
	ring_put(r, 5);
	assert_int_equal(ring_room(r, &p), 0);
	assert_int_equal(ring_unsent(r, &p), 2);
	assert_memory_equal(p, "gh", 2);
	ring_sent(r, 2);
	assert_int_equal(ring_unsent(r, &p), 5);
	assert_memory_equal(p, "ijklm", 5);
	ring_free(r);
}

static size_t
at_most(struct rng *g, size_t n)
{
	return rng_below(g, (uint32_t)n + 1);
}

/* The bytes that come out are the bytes that went in, also where the counters wrap. */
static void
order_is_kept(void **state)
{
	uint8_t in = 0, out = 0, *p;
	struct ring *r = ring_new(64);
	struct rng g;
	size_t n, i;
	int step;

	(void)state;
	rng_init(&g);
	r->put = r->sent = r->done = UINT32_MAX - 1000;
	for (step = 0; step < 5000; step++) {
		n = at_most(&g, ring_room(r, &p));
		for (i = 0; i < n; i++)
			p[i] = in++;
		ring_put(r, n);
		n = at_most(&g, ring_unsent(r, &p));
		for (i = 0; i < n; i++)
			assert_int_equal(p[i], out++);
		ring_sent(r, n);
		ring_done(r, at_most(&g, r->sent - r->done));
		assert_true(ring_held(r) <= r->cap);
	}
	assert_true(r->put < UINT32_MAX - 1000);
	ring_free(r);
	rng_fini(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(a_byte_leaves_in_two_steps),
		cmocka_unit_test(order_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
