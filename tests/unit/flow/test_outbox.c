/* SPDX-License-Identifier: MIT */
#include "flow/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct outbox box;

static void
begin(void)
{
	assert_int_equal(outbox_init(&box), 0);
}

/* Puts one of a byte. */
static bool
put(uint8_t *place, uint8_t byte)
{
	struct dgram_out d = { .p = &byte, .len = 1 };

	return outbox_put(&box, place, &d);
}

/* That the part whose turn it is is this one, with these bytes. */
static void
leaves(uint8_t *place, const char *bytes)
{
	struct dgram_out d[OUTBOX_MAX];
	int i, n;

	assert_ptr_equal(outbox_next(&box), place);
	n = outbox_take(&box, place, d);
	assert_int_equal(*place, 0);
	for (i = 0; i < n; i++)
		assert_int_equal(*d[i].p, bytes[i]);
	assert_int_equal(bytes[n], '\0');
}

static void
parts_leave_in_turn(void **state)
{
	uint8_t a = 0, b = 0;

	(void)state;
	begin();
	assert_null(outbox_next(&box));
	for (int round = 0; round < 3; round++) {
		assert_true(put(&a, '1') && put(&b, '2') && put(&a, '3') && put(&b, '4'));
		leaves(&a, "13");
		leaves(&b, "24");
		assert_null(outbox_next(&box));
	}
	outbox_fini(&box);
}

/* What a leg puts after its part was taken comes behind those of the others. */
static void
one_is_taken_before_its_turn(void **state)
{
	uint8_t a = 0, b = 0;
	struct dgram_out d[OUTBOX_MAX];

	(void)state;
	begin();
	assert_true(put(&a, '1') && put(&b, '2') && put(&b, '3'));
	assert_int_equal(outbox_take(&box, &b, d), 2);
	assert_true(put(&b, '4') && put(&a, '5') && put(&b, '6'));
	leaves(&a, "15");
	leaves(&b, "46");
	outbox_fini(&box);
}

static void
one_is_dropped(void **state)
{
	uint8_t a = 0, b = 0, none = 0;

	(void)state;
	begin();
	assert_true(put(&a, '1') && put(&b, '2') && put(&a, '3'));
	assert_int_equal(outbox_drop(&box, &a), 2);
	assert_int_equal(outbox_drop(&box, &none), 0);
	assert_int_equal(a, 0);
	leaves(&b, "2");
	assert_null(outbox_next(&box));
	outbox_fini(&box);
}

static void
it_is_full(void **state)
{
	uint8_t place[OUTBOX_MAX + 1] = { 0 };

	(void)state;
	begin();
	for (int i = 0; i < OUTBOX_MAX; i++)
		assert_true(put(&place[i], 'x'));
	assert_false(put(&place[0], 'y'));
	assert_false(put(&place[OUTBOX_MAX], 'y'));
	assert_int_equal(place[OUTBOX_MAX], 0);
	for (int i = 0; i < OUTBOX_MAX; i++)
		leaves(&place[i], "x");
	assert_true(put(&place[OUTBOX_MAX], 'z'));
	leaves(&place[OUTBOX_MAX], "z");
	outbox_fini(&box);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_leave_in_turn),
		cmocka_unit_test(one_is_taken_before_its_turn),
		cmocka_unit_test(one_is_dropped),
		cmocka_unit_test(it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
