/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/aead.h"
#include "base/random.h"

/* What comes after 700 bytes is not what was there before, but for one time in 2^128. */
static void
the_system_fills_all(void **state)
{
	static const uint8_t zero[16];
	uint8_t p[700 + 16] = { 0 };

	(void)state;
	random_bytes(p, 700);
	assert_memory_not_equal(p, zero, 16);
	assert_memory_not_equal(p + 256, zero, 16);
	assert_memory_not_equal(p + 684, zero, 16);
	assert_memory_equal(p + 700, zero, 16);
	random_bytes(NULL, 0);
}

/* The generator is the key stream, 32 bytes of it for the next key. */
static void
a_generator_follows_its_key(void **state)
{
	uint8_t stream[512], second[512], out[1000];
	struct rng g;
	size_t at, n;

	(void)state;
	rng_init(&g);
	chacha20_stream(g.key, stream, sizeof stream);
	chacha20_stream(stream, second, sizeof second);
	for (at = 0; at < 960; at += n) {
		n = at % 83 + 1 < 960 - at ? at % 83 + 1 : 960 - at;
		rng_bytes(&g, out + at, n);
	}
	assert_memory_equal(out, stream + 32, 480);
	assert_memory_equal(out + 480, second + 32, 480);
	rng_fini(&g);
}

static void
what_was_given_is_forgotten(void **state)
{
	static const uint8_t zero[100];
	uint8_t out[100];
	struct rng g;

	(void)state;
	rng_init(&g);
	rng_bytes(&g, out, sizeof out);
	assert_memory_equal(g.buf, zero, sizeof zero);
	rng_fini(&g);
	assert_memory_equal(g.key, zero, sizeof g.key);
}

/* 60,000 draws of six: every face within ten standard deviations of 10,000. */
static void
numbers_are_even(void **state)
{
	unsigned seen[6] = { 0 };
	struct rng g;
	int i;

	(void)state;
	rng_init(&g);
	for (i = 0; i < 60000; i++)
		seen[rng_below(&g, 6)]++;
	for (i = 0; i < 6; i++)
		assert_in_range(seen[i], 9080, 10920);
	/* Of three quarters of 2^32, the first third: a bare remainder gives it half. */
	seen[0] = 0;
	for (i = 0; i < 30000; i++)
		seen[0] += rng_below(&g, 3u << 30) < 1u << 30;
	assert_in_range(seen[0], 9000, 11000);
	for (i = 0; i < 100; i++) {
		assert_int_equal(rng_below(&g, 1), 0);
		assert_true(rng_below(&g, 0x80000001) <= 0x80000000);
	}
	rng_fini(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_system_fills_all),
		cmocka_unit_test(a_generator_follows_its_key),
		cmocka_unit_test(what_was_given_is_forgotten),
		cmocka_unit_test(numbers_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
