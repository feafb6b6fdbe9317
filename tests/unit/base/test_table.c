/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/list.h"
#include "base/table.h"

struct word {
	struct table_node node;
	unsigned key;
	unsigned seen;
};

static bool
same_word(const struct table_node *n, const void *key)
{
	return container_of(n, struct word, node)->key == *(const unsigned *)key;
}

static struct word *
word_find(const struct table *t, unsigned key)
{
	struct table_node *n;

	n = table_find(t, table_hash(t, &key, sizeof key), same_word, &key);
	return n ? container_of(n, struct word, node) : NULL;
}

static void
word_insert(struct table *t, struct word *w, unsigned key)
{
	w->key = key;
	table_insert(t, &w->node, table_hash(t, &key, sizeof key));
}

enum { WORDS = 5000 };

static void
a_table_grows(void **state)
{
	static struct word words[WORDS];
	struct table t;
	unsigned i;

	(void)state;
	assert_int_equal(table_init(&t, 3), 0);
	for (i = 0; i < WORDS; i++)
		word_insert(&t, &words[i], i);
	assert_int_equal(t.n, WORDS);
	assert_true(t.mask >= WORDS / 2);
	for (i = 0; i < WORDS; i++)
		assert_ptr_equal(word_find(&t, i), &words[i]);
	assert_null(word_find(&t, WORDS));
	for (i = 0; i < WORDS; i += 2)
		table_remove(&t, &words[i].node);
	for (i = 0; i < WORDS; i++)
		assert_ptr_equal(word_find(&t, i), i % 2 ? &words[i] : NULL);
	table_fini(&t);
}

static void
the_newest_twin_is_found(void **state)
{
	static struct word twins[3], others[100];
	struct table t;
	unsigned i;

	(void)state;
	assert_int_equal(table_init(&t, 1), 0);
	for (i = 0; i < 3; i++)
		word_insert(&t, &twins[i], 7);
	for (i = 0; i < 100; i++)
		word_insert(&t, &others[i], 100 + i); /* it grows meanwhile */
	for (i = 3; i-- > 0;) {
		assert_ptr_equal(word_find(&t, 7), &twins[i]);
		table_remove(&t, &twins[i].node);
	}
	assert_null(word_find(&t, 7));
	table_fini(&t);
}

static void
see_and_remove(struct table_node *n, void *arg)
{
	container_of(n, struct word, node)->seen++;
	table_remove(arg, n);
}

static void
each_may_go_when_seen(void **state)
{
	static struct word words[200];
	struct table t;
	unsigned i;

	(void)state;
	assert_int_equal(table_init(&t, 0), 0);
	for (i = 0; i < 200; i++)
		word_insert(&t, &words[i], i);
	table_each(&t, see_and_remove, &t);
	assert_int_equal(t.n, 0);
	for (i = 0; i < 200; i++)
		assert_int_equal(words[i].seen, 1);
	table_fini(&t);
	table_each(&t, see_and_remove, &t);
}

/* SipHash-1-3 of the bytes 0, 1, 2, ..., as CPython computes it: its keys are zero, and
 * af90cd68...b9, with PYTHONHASHSEED 0 and 42. */
static void
hashes_are_siphash(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} plain[] = {
		{ 1, 0x68a914128e01e473 },
		{ 3, 0x4d4c9a4a8ef6e0ad },
		{ 7, 0x2f098ab0c751325a },
		{ 8, 0xead411e67ebe2eea },
		{ 9, 0x75927f9d95124362 },
		{ 15, 0xf30eb725bb91c9ea },
		{ 16, 0x8972188433a5c5b7 },
		{ 31, 0x169739443111d49b },
	};
	static const struct table keyed = { .seed = { 0xdc504fd368cd90af,
						    0xb920bb9ffe99e9c1 } };
	static const struct table unkeyed;
	uint8_t count[31];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof count; i++)
		count[i] = (uint8_t)i;
	for (i = 0; i < sizeof plain / sizeof *plain; i++)
		assert_true(table_hash(&unkeyed, count, plain[i].len) == plain[i].hash);
	assert_true(table_hash(&keyed, count, 1) == 0xce880c366bcf3489);
	assert_true(table_hash(&keyed, count, 8) == 0x60866c3c108c6afb);
	assert_true(table_hash(&keyed, count, 15) == 0x94ace24d68c18cf8);
}

static void
every_table_has_its_own_seed(void **state)
{
	struct table a, b;

	(void)state;
	assert_int_equal(table_init(&a, 1), 0);
	assert_int_equal(table_init(&b, 1), 0);
	assert_memory_not_equal(a.seed, b.seed, sizeof a.seed);
	table_fini(&a);
	table_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_grows),
		cmocka_unit_test(the_newest_twin_is_found),
		cmocka_unit_test(each_may_go_when_seen),
		cmocka_unit_test(hashes_are_siphash),
		cmocka_unit_test(every_table_has_its_own_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
