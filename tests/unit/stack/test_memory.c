/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stack/memory.h"

#include "stack/arch/cc.h"

/* What lwIP may have, whoever asks. */

enum { BLOCK = 1000, BLOCKS = 32 };

static void
test_bound(void **state)
{
	uint64_t refused = 0;
	void *b[BLOCKS];
	size_t i;

	(void)state;
	memory_begin(BLOCKS * BLOCK, &refused);
	for (i = 0; i < BLOCKS; i++) {
		assert_false(memory_is_beyond((unsigned)i));
		b[i] = i % 2 ? port_block_new(BLOCK)
			     : port_block_new_zeroed(10, BLOCK / 10);
		assert_non_null(b[i]);
		assert_true(memory_is_beyond((unsigned)i));
	}
	assert_null(port_block_new(1));
	assert_null(port_block_new_zeroed(1, 1));
	assert_int_equal(refused, 2);
	port_block_free(b[0]);
	assert_null(port_block_new(BLOCK + 1));
	b[0] = port_block_new(BLOCK);
	assert_non_null(b[0]);
	assert_int_equal(memory_used(), BLOCKS * BLOCK);
	for (i = 0; i < BLOCKS; i++)
		port_block_free(b[i]);
	assert_int_equal(memory_used(), 0);
	assert_int_equal(memory_end(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_bound) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
