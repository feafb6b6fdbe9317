/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/heap.h"
#include "base/random.h"

#include <stdbool.h>

enum { NODES = 500, STEPS = 20000 };

static void
the_smallest_comes_first(void **state)
{
	struct heap_node n[5] = { { 5 }, { 3 }, { 4 }, { 1 }, { 3 } };
	static const uint64_t want[5] = { 1, 3, 3, 4, 5 };
	struct heap h = { NULL };
	struct heap_node *root;
	size_t i;

	(void)state;
	heap_remove(&h, &n[0]); /* it is in no heap: nothing happens */
	for (i = 0; i < 5; i++)
		heap_insert(&h, &n[i]);
	for (i = 0; i < 5; i++) {
		root = h.root;
		assert_true(root->key == want[i]);
		heap_remove(&h, root);
		heap_remove(&h, root);
	}
	assert_null(h.root);
}

/* Against a plain search through all that are in. */
static void
any_node_may_go_at_any_time(void **state)
{
	static struct heap_node n[NODES];
	static bool in[NODES];
	struct heap h = { NULL };
	uint64_t least;
	struct rng g;
	size_t i, j, k;

	(void)state;
	rng_init(&g);
	for (i = 0; i < STEPS; i++) {
		j = rng_below(&g, NODES);
		if (in[j]) {
			heap_remove(&h, &n[j]);
		} else {
			n[j].key = rng_below(&g, 300);
			heap_insert(&h, &n[j]);
		}
		in[j] = !in[j];
		least = UINT64_MAX;
		for (k = 0; k < NODES; k++)
			if (in[k] && n[k].key < least)
				least = n[k].key;
		assert_true((h.root ? h.root->key : UINT64_MAX) == least);
	}
	rng_fini(&g);
}

static void
a_long_row_of_siblings(void **state)
{
	static struct heap_node n[100000];
	struct heap h = { NULL };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof n / sizeof *n; i++) {
		n[i].key = i;
		heap_insert(&h, &n[i]);
	}
	for (i = 0; i < sizeof n / sizeof *n; i++) {
		assert_ptr_equal(h.root, &n[i]);
		heap_remove(&h, h.root);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_comes_first),
		cmocka_unit_test(any_node_may_go_at_any_time),
		cmocka_unit_test(a_long_row_of_siblings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
