/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/err.h"

static void
a_sentence_is_kept(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, "%d is not a port (1-65535)", 70000), -1);
	assert_string_equal(e.text, "70000 is not a port (1-65535)");
	assert_int_equal(err_prefix(&e, "%s: port", "config.json"), -1);
	assert_string_equal(e.text, "config.json: port: 70000 is not a port (1-65535)");
	err_set(&e, "again: %s", e.text); /* its own text among the arguments */
	assert_string_equal(
		e.text, "again: config.json: port: 70000 is not a port (1-65535)");
}

static void
it_stays_one_line(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, "no such tag: %s", "a\nb\033[2J");
	assert_string_equal(e.text, "no such tag: a?b?[2J");
	err_prefix(&e, "%s", "c\rd");
	assert_string_equal(e.text, "c?d: no such tag: a?b?[2J");
}

static void
too_much_is_cut(void **state)
{
	char big[2000];
	struct err e;

	(void)state;
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	err_set(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_prefix(&e, "where");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_memory_equal(e.text, "where: xxx", 10);
	err_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_is_kept),
		cmocka_unit_test(it_stays_one_line),
		cmocka_unit_test(too_much_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
