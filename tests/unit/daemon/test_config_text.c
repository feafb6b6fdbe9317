/* SPDX-License-Identifier: MIT */
#include "daemon/config_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every byte keeps its place: what is taken out is replaced by as many spaces. */
static const struct {
	const char *label, *in, *want;
} cleaned[] = {
	{ "plain", "{\"a\":1}", "{\"a\":1}" },
	{ "slashes", "{ // x\n}", "{     \n}" },
	{ "hash", "{ # x\n}", "{    \n}" },
	{ "stars", "{/*a\n*/}", "{   \n  }" },
	{ "stars with slashes in them", "{/* // */}", "{        }" },
	{ "carriage return", "{ // x\r\n}", "{     \r\n}" },
	{ "comma in an object", "{\"a\":1,}", "{\"a\":1 }" },
	{ "comma in a list", "{\"a\":[1, ]}", "{\"a\":[1  ]}" },
	{ "comma before a comment", "{\"a\":1, // x\n}", "{\"a\":1      \n}" },
	{ "comma that belongs", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}" },
	{ "marks inside of a string", "{\"a\":\"//#/*,]\"}", "{\"a\":\"//#/*,]\"}" },
	{ "escaped quote", "{\"a\":\"\\\"//\"}", "{\"a\":\"\\\"//\"}" },
	{ "byte order mark", "\xEF\xBB\xBF{}", "   {}" },
	{ "comment in front", "// x\n{}", "    \n{}" },
};

static void
keeps_places(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cleaned) / sizeof(*cleaned); i++) {
		char text[128];
		size_t len = strlen(cleaned[i].in);
		struct config_spot second;
		struct err e = { "" };

		memcpy(text, cleaned[i].in, len + 1);
		if (config_text_clean("c", text, &len, &second, &e) != 0 ||
			strcmp(text, cleaned[i].want) != 0)
			fail_msg("%s: \"%s\" %s", cleaned[i].label, text, e.text);
		assert_int_equal(second.line, 0);
	}
}

static const struct {
	const char *label, *in, *want;
} broken[] = {
	{ "empty", "", "c:1:1: the file is empty" },
	{ "only a comment", "// x\n", "c:1:1: the file is empty" },
	{ "a list", "\n [{}]",
		"c:2:2: an array, where one configuration (an object) is meant" },
	{ "yaml", "log:\n  x: 1\n", "c:1:1: this is not JSON: it does not begin with {" },
	{ "not closed", "{\n \"a\": [\n1", "c:2:7: this bracket is never closed" },
	{ "the outer one not closed", "{\"a\":[1]",
		"c:1:1: this bracket is never closed" },
	{ "wrong bracket", "{\n\"a\":[1}",
		"c:2:7: a closing bracket that nothing opened" },
	{ "string over lines", "{\"a\":\n\"x\n\"}",
		"c:2:1: a string that does not end on its line" },
	{ "string without end", "{\"a", "c:1:2: a string that does not end on its line" },
	{ "string that ends in a backslash", "{\"a\\",
		"c:1:2: a string that does not end on its line" },
	{ "comment without end", "{ /* x", "c:1:3: a comment without its end (*/)" },
	{ "comment that only seems to end", "{ /*/",
		"c:1:3: a comment without its end (*/)" },
	{ "single quotes", "{'a':1}",
		"c:1:2: a single quote; strings stand in double ones" },
	{ "UTF-16", "\xFF\xFE{", "c:1:1: the text is UTF-16; save it as UTF-8" },
};

static void
says_where(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		char text[128];
		size_t len = strlen(broken[i].in);
		struct config_spot second;
		struct err e = { "" };

		memcpy(text, broken[i].in, len + 1);
		if (config_text_clean("c", text, &len, &second, &e) != -1 ||
			strcmp(e.text, broken[i].want) != 0)
			fail_msg("%s: \"%s\"", broken[i].label, e.text);
	}
}

static void
refuses_zero_bytes(void **state)
{
	char text[] = "{\"a\":\0}";
	size_t len = sizeof(text) - 1;
	struct config_spot second;
	struct err e;

	(void)state;
	assert_int_equal(config_text_clean("c", text, &len, &second, &e), -1);
	assert_string_equal(e.text, "c:1:6: a zero byte: this is not text");
}

static void
cuts_the_second_document(void **state)
{
	char text[] = "{\"a\":1}\n\n// and\n{\"b\":2}";
	size_t len = sizeof(text) - 1;
	struct config_spot second;
	struct err e;

	(void)state;
	assert_int_equal(config_text_clean("c", text, &len, &second, &e), 0);
	assert_string_equal(text, "{\"a\":1}");
	assert_int_equal(len, 7);
	assert_int_equal(second.line, 4);
	assert_int_equal(second.column, 1);
}

static void
columns_are_characters(void **state)
{
	struct config_spot s = config_text_spot("x\n\xC3\xA4\xC3\xB6x", 6);

	(void)state;
	assert_int_equal(s.line, 2);
	assert_int_equal(s.column, 3);
}

static void
depth_is_bounded(void **state)
{
	enum { DEEP = 100000 };
	char *text = malloc(DEEP + 8);
	size_t len = DEEP + 5;
	struct config_spot second;
	struct err e;

	(void)state;
	assert_non_null(text);
	memcpy(text, "{\"a\":", 5);
	memset(text + 5, '[', DEEP);
	text[len] = '\0';
	assert_int_equal(config_text_clean("c", text, &len, &second, &e), -1);
	assert_string_equal(e.text, "c:1:69: brackets are nested more than 64 deep");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_places),
		cmocka_unit_test(says_where),
		cmocka_unit_test(refuses_zero_bytes),
		cmocka_unit_test(cuts_the_second_document),
		cmocka_unit_test(columns_are_characters),
		cmocka_unit_test(depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
