/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/list.h"

static void
nodes_come_out_as_they_went_in(void **state)
{
	struct list head, a, b;

	(void)state;
	list_init(&head);
	list_init(&a);
	list_init(&b);
	assert_null(list_take(&head));
	list_append(&head, &a);
	list_append(&head, &b);
	assert_ptr_equal(list_take(&head), &a);
	assert_true(list_empty(&a));
	list_remove(&a); /* as often as one likes */
	list_remove(&b);
	list_remove(&b);
	assert_true(list_empty(&head));
}

static void
lists_join(void **state)
{
	struct list to, from, a, b, c;

	(void)state;
	list_init(&to);
	list_init(&from);
	list_join(&to, &from);
	assert_true(list_empty(&to));
	list_init(&a);
	list_init(&b);
	list_init(&c);
	list_append(&from, &a);
	list_join(&to, &from);
	assert_true(list_empty(&from));
	list_append(&from, &b);
	list_append(&from, &c);
	list_join(&to, &from);
	list_remove(&b);
	assert_ptr_equal(list_take(&to), &a);
	assert_ptr_equal(list_take(&to), &c);
	assert_null(list_take(&to));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_come_out_as_they_went_in),
		cmocka_unit_test(lists_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
