/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "rules/domain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum domain_kind kind;
	const char *pattern, *name;
	bool want;
} cases[] = {
	{ DOMAIN_SUFFIX, "example.com", "example.com", true },
	{ DOMAIN_SUFFIX, "example.com", "www.example.com", true },
	{ DOMAIN_SUFFIX, "example.com", "a.b.example.com", true },
	{ DOMAIN_SUFFIX, "example.com", "notexample.com", false },
	{ DOMAIN_SUFFIX, "example.com", "example.com.net", false },
	{ DOMAIN_SUFFIX, "example.com", "com", false },
	{ DOMAIN_SUFFIX, "EXAMPLE.Com", "www.example.com", true },
	{ DOMAIN_SUFFIX, "com", "www.example.com", true },
	{ DOMAIN_SUFFIX, ".example.com", "example.com", true },
	{ DOMAIN_SUFFIX, "example.com.", "www.example.com", true },
	{ DOMAIN_FULL, "example.com", "example.com", true },
	{ DOMAIN_FULL, "example.com", "www.example.com", false },
	{ DOMAIN_FULL, "Example.COM.", "example.com", true },
	{ DOMAIN_KEYWORD, "ampl", "example.com", true },
	{ DOMAIN_KEYWORD, "e.c", "example.com", true },
	{ DOMAIN_KEYWORD, "m", "example.com", true },
	{ DOMAIN_KEYWORD, "le", "example.com", true },
	{ DOMAIN_KEYWORD, "EXAMPLE.COM", "example.com", true },
	{ DOMAIN_KEYWORD, "examples", "example.com", false },
	{ DOMAIN_KEYWORD, "com", "a.co", false },
	{ DOMAIN_KEYWORD, "z", "example.com", false },
	{ DOMAIN_REGEXP, "\\.ex.*com$", "www.example.com", true },
	{ DOMAIN_REGEXP, "^ex", "www.example.com", false },
	{ DOMAIN_REGEXP, "EXAMPLE", "www.example.com", true },
	{ DOMAIN_REGEXP, "^(?P<host>www|ftp)\\.", "ftp.example.com", true },
	{ DOMAIN_REGEXP, "\\.xn--p1ai$", "a.xn--p1ai", true },
	{ DOMAIN_REGEXP, ".+-[zZ]$", "abc-z", true },
	{ DOMAIN_REGEXP, ".*", "anything", true },
	{ DOMAIN_REGEXP, "^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
		false },
	{ DOMAIN_DOTLESS, "", "printer", true },
	{ DOMAIN_DOTLESS, "", "printer.example", false },
	{ DOMAIN_DOTLESS, "int", "Printer", false }, /* names come in lower case */
	{ DOMAIN_DOTLESS, "INT", "printer", true },
	{ DOMAIN_DOTLESS, "scan", "printer", false },
};

static void
forms(void **state)
{
	struct domain_hit hit;
	struct domain_set *s;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		s = domain_set_new();
		assert_non_null(s);
		if (domain_set_add(s, cases[i].kind, cases[i].pattern,
			    strlen(cases[i].pattern), &e) < 0)
			fail_msg("%s: %s", cases[i].pattern, e.text);
		assert_int_equal(domain_set_count(s), 1);
		if (strcmp(cases[i].name, "Printer") == 0)
			assert_true(domain_set_has(s, "printer", &hit));
		else if (domain_set_has(s, cases[i].name, &hit) != cases[i].want)
			fail_msg("%d %s: %s", cases[i].kind, cases[i].pattern,
				cases[i].name);
		domain_set_free(s);
	}
}

static const struct {
	enum domain_kind kind;
	const char *pattern;
	size_t len; /* 0: all of it */
	int want;
	const char *why;
} bad[] = {
	{ DOMAIN_KEYWORD, "", 0, -EINVAL, "nothing stands here" },
	{ DOMAIN_SUFFIX, "", 0, -EINVAL, "nothing stands here" },
	{ DOMAIN_FULL, "a\0b", 3, -EINVAL, "NUL" },
	{ DOMAIN_REGEXP, "(unclosed", 0, -EINVAL, "at byte 9" },
	{ DOMAIN_REGEXP, "a[z", 0, -EINVAL, "bad regular expression" },
	{ DOMAIN_REGEXP, "(a)\\1", 0, -EINVAL, "bad regular expression" },
	{ DOMAIN_REGEXP, "((((a{1000}){1000}){1000}){1000}){1000}", 0, -EINVAL,
		"too large" },
	{ DOMAIN_DOTLESS, "a.b", 0, -EINVAL, "without a dot" },
};

static void
bad_patterns(void **state)
{
	struct domain_set *s = domain_set_new();
	struct domain_hit hit;
	struct err e;
	size_t i, len;

	(void)state;
	assert_non_null(s);
	for (i = 0; i < COUNT(bad); i++) {
		len = bad[i].len ? bad[i].len : strlen(bad[i].pattern);
		assert_int_equal(domain_set_add(s, bad[i].kind, bad[i].pattern, len, &e),
			bad[i].want);
		if (!strstr(e.text, bad[i].why))
			fail_msg("%s: %s", bad[i].pattern, e.text);
	}
	assert_int_equal(domain_set_count(s), 0);
	assert_false(domain_set_has(s, "a", &hit));
	domain_set_free(s);
}

static void
long_regexp(void **state)
{
	struct domain_set *s = domain_set_new();
	static char text[REGEXP_TEXT_MAX + 1];
	struct err e;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(
		domain_set_add(s, DOMAIN_REGEXP, text, sizeof(text), &e), -E2BIG);
	assert_int_equal(domain_set_add(s, DOMAIN_REGEXP, text, REGEXP_TEXT_MAX, &e), 0);
	domain_set_free(s);
}

/* One name as both: neither may hide the other. */
static void
full_and_suffix(void **state)
{
	struct domain_set *s = domain_set_new();
	struct domain_hit hit;
	struct err e;

	(void)state;
	assert_int_equal(domain_set_add(s, DOMAIN_FULL, "a.example", 9, &e), 0);
	assert_false(domain_set_has(s, "x.a.example", &hit));
	assert_int_equal(domain_set_add(s, DOMAIN_SUFFIX, "a.example", 9, &e), 0);
	assert_true(domain_set_has(s, "x.a.example", &hit));
	assert_int_equal(hit.kind, DOMAIN_SUFFIX);
	assert_string_equal(hit.pattern, "a.example");
	domain_set_free(s);
}

/* Three letters only, so that many things match by accident. */
static size_t
random_name(uint32_t *state, char *out, int labels)
{
	size_t n = 0, i;

	for (; labels > 0; labels--) {
		for (i = 1 + dice(state) % 4; i > 0; i--)
			out[n++] = (char)('a' + dice(state) % 3);
		out[n++] = '.';
	}
	out[--n] = '\0';
	return n;
}

static bool
naive(enum domain_kind kind, const char *pattern, const char *name)
{
	size_t n = strlen(name), p = strlen(pattern);

	if (kind == DOMAIN_KEYWORD)
		return strstr(name, pattern) != NULL;
	if (kind == DOMAIN_FULL)
		return strcmp(name, pattern) == 0;
	if (kind == DOMAIN_DOTLESS)
		return !strchr(name, '.') && strstr(name, pattern);
	return n >= p && strcmp(name + n - p, pattern) == 0 &&
		(n == p || name[n - p - 1] == '.');
}

enum { PATTERNS = 60, NAMES = 500, ROUNDS = 200, NAME_BYTES = 64 };

static size_t
agrees_once(uint32_t *seed)
{
	char pattern[PATTERNS][NAME_BYTES], name[NAME_BYTES];
	enum domain_kind kind[PATTERNS];
	struct domain_set *s = domain_set_new();
	size_t i, k, len, in = 0;
	struct domain_hit hit;
	struct err e;
	bool want;

	for (i = 0; i < PATTERNS; i++) {
		kind[i] = i % 12 == 0 ? DOMAIN_KEYWORD
			: i % 12 == 1 ? DOMAIN_DOTLESS
			: i % 2       ? DOMAIN_SUFFIX
				      : DOMAIN_FULL;
		len = random_name(seed, pattern[i],
			kind[i] == DOMAIN_DOTLESS ? 1 : 2 + (int)(dice(seed) % 3));
		assert_int_equal(domain_set_add(s, kind[i], pattern[i], len, &e), 0);
	}
	for (i = 0; i < NAMES; i++) {
		random_name(seed, name, 1 + (int)(dice(seed) % 4));
		if (i % 4 == 0)
			snprintf(
				name, sizeof(name), "%s", pattern[dice(seed) % PATTERNS]);
		for (want = false, k = 0; k < PATTERNS && !want; k++)
			want = naive(kind[k], pattern[k], name);
		if (domain_set_has(s, name, &hit) != want)
			fail_msg("%s: %d", name, want);
		if (want)
			assert_true(naive(hit.kind, hit.pattern, name));
		in += want;
	}
	domain_set_free(s);
	return in;
}

static void
agrees_with_naive(void **state)
{
	uint32_t seed = 19700101;
	size_t in = 0;
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++)
		in += agrees_once(&seed);
	assert_true(in > ROUNDS && in < (size_t)ROUNDS * NAMES);
}

static void
a_hundred_thousand(void **state)
{
	struct domain_set *s = domain_set_new();
	struct domain_hit hit;
	char name[64];
	struct err e;
	int i, len;

	(void)state;
	for (i = 0; i < 100000; i++) {
		len = snprintf(name, sizeof(name), "d%d.example", i);
		assert_int_equal(
			domain_set_add(s, DOMAIN_SUFFIX, name, (size_t)len, &e), 0);
	}
	for (i = 0; i < 100000; i += 7) {
		snprintf(name, sizeof(name), "www.d%d.example", i);
		assert_true(domain_set_has(s, name, &hit));
		snprintf(name, sizeof(name), "xd%d.example", i);
		assert_false(domain_set_has(s, name, &hit));
	}
	domain_set_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(bad_patterns),
		cmocka_unit_test(long_regexp),
		cmocka_unit_test(full_and_suffix),
		cmocka_unit_test(agrees_with_naive),
		cmocka_unit_test(a_hundred_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
