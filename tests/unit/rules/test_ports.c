/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "rules/match.h"

#include <string.h>

static const struct {
	const char *text;
	uint16_t in, out;
} good[] = {
	{ "53", 53, 54 },
	{ "1-65535", 65535, 0 },
	{ "53,443,1000-2000", 1500, 999 },
	{ " 53 , 443 ", 443, 52 },
	{ "53,,443,", 443, 0 },
	{ "0-65535", 1, 0 },
	{ "1000 - 1001", 1001, 1002 },
};

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "no port in it" },
	{ " , ", "no port in it" },
	{ "0", "not a port" },
	{ "70000", "70000 is not a port" },
	{ "-1", "not a port" },
	{ "80-", "not a range" },
	{ "90-80", "ends before it begins" },
	{ "http", "http is not a port" },
	{ "0x50", "not a port" },
	{ "1-2-3", "not a range" },
	{ "99999999999999999999", "not a port" },
};

static void
ports(void **state)
{
	struct port_set s;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		if (port_set_parse(&s, good[i].text, &e) < 0)
			fail_msg("\"%s\": %s", good[i].text, e.text);
		assert_true(port_set_has(&s, good[i].in));
		if (good[i].out)
			assert_false(port_set_has(&s, good[i].out));
		port_set_free(&s);
	}
}

static void
bad_ports(void **state)
{
	struct port_set s;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		e.text[0] = '\0';
		assert_int_equal(port_set_parse(&s, bad[i].text, &e), -1);
		if (!strstr(e.text, bad[i].why))
			fail_msg("\"%s\": %s", bad[i].text, e.text);
		port_set_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports),
		cmocka_unit_test(bad_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
