/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/log.h"
#include "base/pool.h"

#include <fcntl.h>
#include <unistd.h>

static void
a_pool_has_an_end(void **state)
{
	struct pool p;
	void *a, *b;

	(void)state;
	pool_init(&p, "pieces", 100, 2, 1);
	a = pool_get(&p);
	b = pool_get(&p);
	assert_non_null(a);
	assert_non_null(b);
	assert_null(pool_get(&p));
	assert_int_equal(p.out, 2);
	pool_put(&p, a);
	a = pool_get(&p);
	assert_non_null(a);
	assert_int_equal(p.peak, 2);
	pool_put(&p, a);
	pool_put(&p, b);
	pool_put(&p, NULL);
	assert_true(p.kept <= 1);
	assert_int_equal(pool_fini(&p), 0);
	assert_int_equal(p.kept, 0);
}

static void
a_block_comes_zeroed(void **state)
{
	static const char zero[64];
	struct pool p;
	char *a;
	int i;

	(void)state;
	pool_init(&p, "pieces", sizeof zero, 4, 4);
	for (i = 0; i < 3; i++) {
		a = pool_get(&p);
		assert_memory_equal(a, zero, sizeof zero);
		memset(a, 0xff, sizeof zero);
		pool_put(&p, a);
	}
	pool_trim(&p);
	assert_int_equal(pool_fini(&p), 0);
}

/* What is only written over counts like any other. */
static void
a_block_as_it_is(void **state)
{
	struct pool p;
	char *a, *b;

	(void)state;
	pool_init(&p, "pieces", 64, 2, 2);
	a = pool_take(&p);
	b = pool_take(&p);
	assert_non_null(a);
	assert_non_null(b);
	memset(a, 0xff, 64);
	assert_null(pool_take(&p));
	assert_int_equal(p.out, 2);
	pool_put(&p, a);
	a = pool_get(&p); /* and does not make the next one unclean */
	assert_int_equal(a[63], 0);
	pool_put(&p, a);
	pool_put(&p, b);
	assert_int_equal(pool_fini(&p), 0);
}

/* A block may be smaller than what links the spare ones. */
static void
a_small_block(void **state)
{
	struct pool p;
	char *a, *b;

	(void)state;
	pool_init(&p, "letters", 1, 2, 2);
	a = pool_get(&p);
	b = pool_get(&p);
	*a = *b = 'x';
	pool_put(&p, a);
	pool_put(&p, b);
	assert_int_equal(pool_fini(&p), 0);
}

static void
what_is_missing_is_named(void **state)
{
	char line[256];
	int ends[2];
	struct pool p;
	ssize_t n;
	void *a;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	log_open(ends[1], LOG_ERROR, NULL);
	pool_init(&p, "pieces", 8, 2, 2);
	a = pool_get(&p);
	assert_int_equal(pool_fini(&p), 1);
	n = read(ends[0], line, sizeof line - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_non_null(strstr(line, "pieces: 1 of"));
	pool_put(&p, a);
	assert_int_equal(pool_fini(&p), 0);
	log_open(STDERR_FILENO, LOG_WARNING, NULL);
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_has_an_end),
		cmocka_unit_test(a_block_comes_zeroed),
		cmocka_unit_test(a_block_as_it_is),
		cmocka_unit_test(a_small_block),
		cmocka_unit_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
