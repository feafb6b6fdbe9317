/* SPDX-License-Identifier: MIT */
#include "dns/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct ip
address(const char *s)
{
	struct ip ip;

	assert_true(ip_parse(&ip, s));
	return ip;
}

static void
the_newest_name_wins(void **state)
{
	struct seen *s = seen_new(0);
	struct ip ip = address("192.0.2.1"), six = address("c000:0201::");

	(void)state;
	assert_null(seen_find(s, 0, &ip));
	seen_note(s, 0, &ip, "a.example", 60);
	seen_note(s, 0, &ip, "b.example", 60);
	assert_string_equal(seen_find(s, 0, &ip), "b.example");
	/* The same first bytes are another address. */
	assert_null(seen_find(s, 0, &six));
	seen_free(s);
	seen_free(NULL);
}

static void
life_has_bounds(void **state)
{
	struct seen *s = seen_new(0);
	struct ip ip = address("2001:db8::1");

	(void)state;
	seen_note(s, 1, &ip, "a.example", 0);
	assert_non_null(seen_find(s, 600000, &ip));
	assert_null(seen_find(s, 600001, &ip));
	seen_note(s, 0, &ip, "a.example", 3600);
	assert_non_null(seen_find(s, 3599999, &ip));
	assert_null(seen_find(s, 3600000, &ip));
	seen_note(s, 0, &ip, "a.example", UINT32_MAX);
	assert_null(seen_find(s, 86400000, &ip));
	seen_free(s);
}

static void
the_oldest_goes(void **state)
{
	struct seen *s = seen_new(100);
	struct ip ip = address("192.0.2.0"), first = address("192.0.2.0");
	int i;

	(void)state;
	seen_note(s, 0, &first, "first.example", 0);
	for (i = 1; i < 100; i++) {
		ip.b[3] = (uint8_t)i;
		seen_note(s, 0, &ip, "a.example", 0);
	}
	/* Seen again, it is young again. */
	seen_note(s, 0, &first, "first.example", 0);
	ip.b[3] = 200;
	seen_note(s, 0, &ip, "a.example", 0);
	assert_non_null(seen_find(s, 0, &first));
	ip.b[3] = 1;
	assert_null(seen_find(s, 0, &ip));
	ip.b[3] = 2;
	assert_non_null(seen_find(s, 0, &ip));
	seen_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_name_wins),
		cmocka_unit_test(life_has_bounds),
		cmocka_unit_test(the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
