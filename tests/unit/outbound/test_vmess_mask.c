/* SPDX-License-Identifier: MIT */
/* The masks of a connection are those of its seed, whoever else draws meanwhile. */
#include "unit/outbound/check.h"

#include "outbound/vmess_mask.h"

#include <string.h>

enum { MANY = 200, DRAWS = 600 };

struct pair {
	struct vmess_mask mask;
	struct shake128 plain;
};

static void
pair_init(struct pair *p, uint8_t first, uint8_t second)
{
	uint8_t seed[16] = { first, second, 3, 4 };

	vmess_mask_init(&p->mask, seed);
	shake128_init(&p->plain, seed, sizeof(seed));
}

static void
pair_draw(struct pair *p, size_t n)
{
	while (n--)
		assert_int_equal(vmess_mask_draw(&p->mask), shake128_be16(&p->plain));
}

static void
draws_alone(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 0, 0);
	pair_draw(&p, 20);
	assert_null(p.mask.state);
	pair_draw(&p, DRAWS);
	assert_non_null(p.mask.state);
	vmess_mask_fini(&p.mask);
}

/* More than there are places for, by turns, of different lengths. */
static void
draws_beside_others(void **state)
{
	static struct pair p[MANY];
	size_t i, k;

	(void)state;
	for (i = 0; i < MANY; i++)
		pair_init(&p[i], (uint8_t)i, (uint8_t)(i * 7));
	for (k = 0; k < DRAWS; k += 7)
		for (i = 0; i < MANY; i++)
			pair_draw(&p[i], i % 11);
	for (i = 0; i < MANY; i++)
		vmess_mask_fini(&p[i].mask);
}

/* Both directions of a test may have one seed, and be apart in it. */
static void
draws_from_one_seed(void **state)
{
	struct pair a, b;
	size_t i;

	(void)state;
	pair_init(&a, 9, 9);
	pair_init(&b, 9, 9);
	for (i = 0; i < 100; i++) {
		pair_draw(&a, 1);
		pair_draw(&b, 3);
	}
	vmess_mask_fini(&a.mask);
	pair_draw(&b, 3);
	vmess_mask_fini(&b.mask);
}

/* One that ends takes what it has made along. */
static void
ends_clean(void **state)
{
	static const struct vmess_mask zeros;
	struct pair p;

	(void)state;
	pair_init(&p, 1, 2);
	pair_draw(&p, DRAWS);
	vmess_mask_fini(&p.mask);
	assert_memory_equal(&p.mask, &zeros, sizeof(zeros));
	vmess_mask_fini(&p.mask);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_alone),
		cmocka_unit_test(draws_beside_others),
		cmocka_unit_test(draws_from_one_seed),
		cmocka_unit_test(ends_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
