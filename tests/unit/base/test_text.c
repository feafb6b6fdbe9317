/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

static void
numbers(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x10", "1e3",
		"1.0", "65536", "99999999999999999999999", "655350" };
	uint64_t n = 5;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (number_parse(&n, bad[i], 65535))
			fail_msg("'%s' was taken for a number", bad[i]);
	assert_int_equal(n, 5);
	assert_true(number_parse(&n, "65535", 65535) && n == 65535);
	assert_true(number_parse(&n, "0", 0) && n == 0);
	assert_false(number_parse(&n, "1", 0));
	assert_true(
		number_parse(&n, "18446744073709551615", UINT64_MAX) && n == UINT64_MAX);
	assert_false(number_parse(&n, "18446744073709551616", UINT64_MAX));
}

static void
names(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} cases[] = {
		{ "Example.COM", "example.com" },
		{ "example.com.", "example.com" },
		{ "_dmarc.example.com", "_dmarc.example.com" },
		{ "b\xc3\xbc"
		  "cher.example",
			"b\xc3\xbc"
			"cher.example" },
		{ "localhost", "localhost" },
		{ "", NULL },
		{ ".", NULL },
		{ "example.com..", NULL },
		{ ".example.com", NULL },
		{ "a..b", NULL },
		{ "a b", NULL },
		{ "a\tb", NULL },
		{ "a\x7f"
		  "b",
			NULL },
	};
	char out[16 + 8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool taken = name_normal(
			out, sizeof out, cases[i].in, strlen(cases[i].in));

		if (taken != (cases[i].out != NULL))
			fail_msg("'%s'", cases[i].in);
		if (taken)
			assert_string_equal(out, cases[i].out);
	}
	assert_true(name_normal(out, 4, "abc.", 4));
	assert_false(name_normal(out, 4, "abcd", 4));
	assert_false(name_normal(out, sizeof out, "a\0b", 3));
	assert_true(host_normal(out, sizeof out, "A.example", 9));
	assert_string_equal(out, "a.example");
	assert_false(host_normal(out, sizeof out, "<server>", 8));
	assert_false(host_normal(out, sizeof out, "a b", 3));
}

static void
amounts(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 kB" },
		{ 12345, "12.3 kB" },
		{ 999999, "999.9 kB" },
		{ 1000000, "1.0 MB" },
		{ 1234567, "1.2 MB" },
		{ UINT64_MAX, "18.4 EB" },
	};
	char buf[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(size_format(cases[i].bytes, buf), cases[i].text);
}

static void
spans(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = { { 0, "0 s" }, { 59, "59 s" }, { 60, "1 min 0 s" },
		{ 432, "7 min 12 s" }, { 3600, "1 h 0 min" }, { 7325, "2 h 2 min" },
		{ 86399, "23 h 59 min" }, { 90000, "1 d 1 h" },
		{ UINT64_MAX, "213503982334601 d 7 h" } };
	char buf[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(span_format(cases[i].seconds, buf), cases[i].text);
}

static void
hexadecimal(void **state)
{
	uint8_t out[3];

	(void)state;
	assert_true(hex_parse(out, 3, "00fFA5"));
	assert_int_equal(out[1], 0xff);
	assert_int_equal(out[2], 0xa5);
	assert_true(hex_parse(out, 0, ""));
	assert_false(hex_parse(out, 3, "00fFA"));
	assert_false(hex_parse(out, 3, "00fFA55"));
	assert_false(hex_parse(out, 3, "00fFg5"));
	assert_false(hex_parse(out, 3, "00 fA5"));
}

static void
what_was_meant(void **state)
{
	static const char *const words[] = { "inbounds", "outbounds", "routing", "log",
		"dns", NULL };
	char longest[1000];

	(void)state;
	assert_string_equal(text_nearest("outbond", words), "outbounds");
	assert_string_equal(text_nearest("InBounds", words), "inbounds");
	assert_string_equal(text_nearest("rotuing", words), "routing");
	assert_string_equal(text_nearest("lgo", words), "log");
	assert_null(text_nearest("transport", words));
	assert_null(text_nearest("ip", words)); /* everything short is near */
	assert_null(text_nearest("", words));
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_null(text_nearest(longest, words));
}

static void
only_what_may_be_shown_stays(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "a\nb\tc\x7f", "a?b?c?" },
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x89",
			"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x89" },
		{ "\xc2\x9b", "??" },           /* C1: a terminal's control sequence */
		{ "\xc0\xaf", "??" },           /* overlong */
		{ "\xe0\x80\x80", "???" },      /* overlong */
		{ "\xed\xa0\x80", "???" },      /* a surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* above U+10FFFF */
		{ "a\xe2\x82", "a??" },         /* cut short */
		{ "\x80", "?" },
	};
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		memcpy(text, cases[i].in, strlen(cases[i].in) + 1);
		text_clean(text);
		assert_string_equal(text, cases[i].out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(names),
		cmocka_unit_test(amounts),
		cmocka_unit_test(spans),
		cmocka_unit_test(hexadecimal),
		cmocka_unit_test(what_was_meant),
		cmocka_unit_test(only_what_may_be_shown_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
