/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include "unit/base/check.h"

#include <errno.h>

/* RFC 4648, 10, and what tells the alphabets apart. */
static const struct {
	const char *label, *text, *hex;
	unsigned how;
} pairs[] = {
	{ "nothing", "", "", 0 },
	{ "f", "Zg==", "66", 0 },
	{ "fo", "Zm8=", "666f", 0 },
	{ "foo", "Zm9v", "666f6f", 0 },
	{ "foob", "Zm9vYg==", "666f6f62", 0 },
	{ "fooba", "Zm9vYmE=", "666f6f6261", 0 },
	{ "foobar", "Zm9vYmFy", "666f6f626172", 0 },
	{ "standard letters", "+/+/", "fbffbf", 0 },
	{ "URL letters", "-_-_", "fbffbf", BASE64_URL },
	{ "URL, padded", "-_8=", "fbff", BASE64_URL },
	{ "bare f", "Zg", "66", BASE64_BARE },
	{ "bare fo", "Zm8", "666f", BASE64_BARE },
	{ "bare foo", "Zm9v", "666f6f", BASE64_BARE },
	{ "bare URL", "-_8", "fbff", BASE64_URL | BASE64_BARE },
};

static void
both_ways(void **state)
{
	uint8_t bytes[16];
	char text[24];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		const char *want = pairs[i].text;
		size_t len = strlen(pairs[i].hex) / 2;

		print_message("%s\n", pairs[i].label);
		assert_int_equal(base64_encode(text, strlen(want) + 1,
					 unhex(1, pairs[i].hex), len, pairs[i].how),
			0);
		assert_string_equal(text, want);
		assert_int_equal(
			base64_parse(bytes, len, &n, want, strlen(want), pairs[i].how),
			0);
		assert_hex(bytes, n, pairs[i].hex);
		assert_int_equal(
			base64_parse(bytes, len, &n, want, strlen(want), BASE64_LENIENT),
			0);
		assert_hex(bytes, n, pairs[i].hex);
	}
}

static void
room(void **state)
{
	uint8_t bytes[4] = { 9, 9, 9, 9 };
	char text[] = "Zm9vYg==";
	size_t n;

	(void)state;
	assert_int_equal(BASE64_TEXT(3), 5);
	assert_int_equal(base64_encode(text, 8, "foob", 4, 0), -ENOSPC);
	assert_string_equal(text, "");
	assert_int_equal(base64_encode(NULL, 0, "", 0, 0), -ENOSPC);
	assert_int_equal(base64_encode(text, 7, "foob", 4, BASE64_BARE), 0);
	assert_string_equal(text, "Zm9vYg");
	assert_int_equal(base64_parse(bytes, 3, &n, "Zm9vYg==", 8, 0), -ENOSPC);
	assert_int_equal(bytes[3], 9);
	/* In place. */
	assert_int_equal(base64_parse((uint8_t *)text, 6, &n, text, 6, BASE64_BARE), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(text, "foob", 4);
}

static void
lenient(void **state)
{
	static const struct {
		const char *label, *text;
		int strict, lenient;
	} cases[] = {
		{ "no padding", "Zg", -EBADMSG, 0 },
		{ "half the padding", "Zg=", -EBADMSG, 0 },
		{ "padding to spare", "Zm9v==", -EBADMSG, 0 },
		{ "much padding", "Zg===", -EBADMSG, -EBADMSG },
		{ "padding inside", "Zg==Zg==", -EBADMSG, -EBADMSG },
		{ "wrapped", "Zm\r\n9v", -EBADMSG, 0 },
		{ "spaces", " Zm9v\t", -EBADMSG, 0 },
		{ "the other alphabet", "-_-_", -EBADMSG, 0 },
		{ "both alphabets", "-/+_", -EBADMSG, 0 },
		{ "bits left over", "Zh==", -EBADMSG, 0 },
		{ "one character", "Z", -EBADMSG, -EBADMSG },
		{ "five characters", "Zm9vZ", -EBADMSG, -EBADMSG },
		{ "only padding", "==", -EBADMSG, 0 },
		{ "not a letter", "Zm9!", -EBADMSG, -EBADMSG },
		{ "a byte above 127", "Zm9\xe9", -EBADMSG, -EBADMSG },
	};
	uint8_t bytes[8];
	size_t i, n, len;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		len = strlen(cases[i].text);
		print_message("%s\n", cases[i].label);
		assert_int_equal(base64_parse(bytes, 8, &n, cases[i].text, len, 0),
			cases[i].strict);
		assert_int_equal(
			base64_parse(bytes, 8, &n, cases[i].text, len, BASE64_LENIENT),
			cases[i].lenient);
	}
	/* A NUL is not a letter either. */
	assert_int_equal(
		base64_parse(bytes, 8, &n, "Zm9v\0", 5, BASE64_LENIENT), -EBADMSG);
	assert_int_equal(base64_parse(bytes, 8, &n, "+/+/", 4, BASE64_URL), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(room),
		cmocka_unit_test(lenient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
