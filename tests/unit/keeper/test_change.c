/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/change.h"

#include <errno.h>
#include <string.h>

static const char *const good[] = {
	"session address tun0 198.18.0.1/15",
	"session address tun0 2001:db8::1/64",
	"session routes tun0 61184 7370 7370 7370 1 0",
	"session firewall",
	"guard firewall",
	"boot sysctl net.ipv4.conf.all.src_valid_mark 1 0",
	"session sysctl net.ipv4.ping_group_range 0\t0 1\t0",
	"session direct 4 7371",
	"session direct 6 7371",
	"session resolver resolved tun0",
	"session resolver moved /etc/resolv.conf",
	"session resolver absent /etc/resolv.conf",
	"session resolver copied /etc/resolv.conf /run/sluice/resolv.conf",
};

static void
round_trips(void **state)
{
	char text[CHANGE_TEXT];
	struct change c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(change_parse(&c, good[i]), 0);
		assert_int_equal(change_format(&c, text), 0);
		assert_string_equal(text, good[i]);
	}
}

static const struct {
	const char *label, *text;
} hostile[] = {
	{ "empty", "" },
	{ "one word", "session" },
	{ "unknown class", "forever firewall" },
	{ "unknown kind", "session firmware" },
	{ "upper case", "Session firewall" },
	{ "two spaces", "session  firewall" },
	{ "space first", " session firewall" },
	{ "space last", "session firewall " },
	{ "a field too many", "session firewall x" },
	{ "a newline", "session firewall\nsession firewall" },
	{ "a control character", "session resolver moved /etc/\x1b[2J" },
	{ "a byte that is not ASCII", "session resolver moved /etc/\xc3\xa4" },
	{ "device name with a slash", "session address ../x 198.18.0.1/15" },
	{ "device name too long", "session address abcdefghijklmnop 198.18.0.1/15" },
	{ "no prefix length", "session address tun0 198.18.0.1" },
	{ "prefix length of 33", "session address tun0 198.18.0.1/33" },
	{ "not an address", "session address tun0 198.18.0/15" },
	{ "the main table", "session routes tun0 61184 7370 254 7370 1 1" },
	{ "the local table", "session routes tun0 61184 7370 255 7370 1 1" },
	{ "table 0", "session routes tun0 61184 7370 0 7370 1 1" },
	{ "root's uid", "session routes tun0 0 7370 7370 7370 1 1" },
	{ "mark 0", "session routes tun0 61184 0 7370 7370 1 1" },
	{ "the main table's rule", "session routes tun0 61184 7370 7370 32766 1 1" },
	{ "the local table's rule", "session routes tun0 61184 7370 7370 0 1 1" },
	{ "no such family", "session direct 5 7371" },
	{ "zone 0", "session direct 4 0" },
	{ "a family alone", "session direct 4" },
	{ "a number too large", "session routes tun0 4294967296 7370 7370 7370 1 1" },
	{ "a negative number", "session routes tun0 -1 7370 7370 7370 1 1" },
	{ "a flag of 2", "session routes tun0 61184 7370 7370 7370 1 2" },
	{ "a field missing", "session routes tun0 61184 7370 7370 7370 1" },
	{ "another sysctl", "session sysctl kernel.core_pattern 1 0" },
	{ "a path as sysctl", "session sysctl net/../kernel.core_pattern 1 0" },
	{ "dots as sysctl", "session sysctl net...kernel 1 0" },
	{ "a word as value", "session sysctl net.ipv4.ip_forward 1 yes" },
	{ "no old value", "session sysctl net.ipv4.ip_forward 1" },
	{ "unknown way", "session resolver deleted /etc/resolv.conf" },
	{ "relative path", "session resolver moved etc/resolv.conf" },
	{ "a path that climbs", "session resolver moved /etc/../etc/shadow" },
	{ "no copy named", "session resolver copied /etc/resolv.conf" },
	{ "a copy too many", "session resolver moved /etc/resolv.conf /tmp/x" },
	{ "an option as device", "session resolver resolved --help" },
};

static void
refuses(void **state)
{
	struct change c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		if (change_parse(&c, hostile[i].text) != -EINVAL)
			fail_msg("%s: taken", hostile[i].label);
	}
}

static void
refuses_long_lines(void **state)
{
	char text[4096] = "session resolver moved /";
	struct change c;

	(void)state;
	memset(text + strlen(text), 'a', sizeof text - strlen(text) - 1);
	assert_int_equal(change_parse(&c, text), -EINVAL);
	text[CHANGE_TEXT - 1] = '\0';
	assert_int_equal(change_parse(&c, text), -EINVAL);
}

/* Whatever bytes there are, the parser ends; and what it takes, it can write. */
static void
survives_mutations(void **state)
{
	char text[CHANGE_TEXT], back[CHANGE_TEXT];
	struct change c;
	size_t i, at;
	unsigned byte;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		for (at = 0; at < strlen(good[i]); at++) {
			for (byte = 0; byte < 256; byte++) {
				memcpy(text, good[i], strlen(good[i]) + 1);
				text[at] = (char)byte;
				if (change_parse(&c, text) == 0)
					assert_int_equal(change_format(&c, back), 0);
			}
		}
	}
}

static void
does_not_write_what_it_could_not_read(void **state)
{
	struct change c = { .until = CHANGE_SESSION, .kind = CHANGE_RESOLVER };
	char text[CHANGE_TEXT];

	(void)state;
	memcpy(c.u.plan, "moved /a\nb", 11);
	assert_int_equal(change_format(&c, text), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_long_lines),
		cmocka_unit_test(survives_mutations),
		cmocka_unit_test(does_not_write_what_it_could_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
