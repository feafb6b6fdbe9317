/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/addr.h"

static struct ip
ip_of(const char *s)
{
	struct ip ip;

	if (!ip_parse(&ip, s))
		fail_msg("%s is an address", s);
	return ip;
}

static void
addresses_come_back_as_written(void **state)
{
	static const char *const same[] = { "192.0.2.1", "0.0.0.0", "255.255.255.255",
		"::", "::1", "2001:db8::1", "2001:db8:1:2:3:4:5:6", "::ffff:192.0.2.1" };
	char text[IP_TEXT];
	struct ip ip;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof same / sizeof *same; i++) {
		ip = ip_of(same[i]);
		assert_string_equal(ip_format(&ip, text), same[i]);
	}
	ip = ip_of("2001:DB8:0:0:0:0:0:1");
	assert_string_equal(ip_format(&ip, text), "2001:db8::1");
	ip.family = 0;
	assert_string_equal(ip_format(&ip, text), "-");
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = { "", "192.0.2", "192.0.2.1.", "192.0.2.256",
		"192.0.2.01", " 192.0.2.1", "192.0.2.1 ", "192.0.2.1:80", "[::1]",
		"::1%lo", ":::", "1:2:3:4:5:6:7:8:9", "example.com", "0x7f000001",
		"3221225985" };
	struct ip ip = { .family = 9 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (ip_parse(&ip, bad[i]))
			fail_msg("'%s' was taken for an address", bad[i]);
	assert_int_equal(ip.family, 9);
}

static void
endpoints(void **state)
{
	static const char *const good[] = { "192.0.2.1:80", "[2001:db8::1]:65535",
		"[::]:0", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535" };
	static const char *const bad[] = { "", ":", "192.0.2.1",
		"192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:+1",
		"192.0.2.1: 1", "2001:db8::1:80", "[192.0.2.1]:80", "[2001:db8::1]",
		"[2001:db8::1]80", "2001:db8::1]:80", "[:80", "]:80", "[]:80", ":80",
		"example.com:80",
		"[2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9]:1" };
	char text[ENDPOINT_TEXT];
	struct endpoint e, other;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(endpoint_parse(&e, good[i]));
		assert_string_equal(endpoint_format(&e, text), good[i]);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (endpoint_parse(&e, bad[i]))
			fail_msg("'%s' was taken for an endpoint", bad[i]);
	assert_true(endpoint_parse(&e, "192.0.2.1:80"));
	assert_true(endpoint_parse(&other, "192.0.2.1:81"));
	assert_false(endpoint_equal(&e, &other));
	other.port = 80;
	assert_true(endpoint_equal(&e, &other));
}

static void
the_longest_texts_fit(void **state)
{
	struct endpoint e = { .ip.family = 6, .port = UINT16_MAX };
	struct cidr c = { .bits = 128 };
	char text[ENDPOINT_TEXT];

	(void)state;
	memset(e.ip.b, 0xff, sizeof e.ip.b);
	c.ip = e.ip;
	assert_string_equal(endpoint_format(&e, text),
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	assert_string_equal(
		cidr_format(&c, text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void
networks(void **state)
{
	static const struct {
		const char *net, *ip;
		bool has;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.77/24", "192.0.2.1", true }, /* host bits may be set */
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "2001:db8::1/128", "2001:db8::1", true },
		{ "2001:db8::1", "2001:db8::2", false },
	};
	static const char *const bad[] = { "", "/", "192.0.2.0/", "192.0.2.0/33",
		"2001:db8::/129", "192.0.2.0/24/1", "192.0.2.0/-1", "192.0.2/24", "/24" };
	char text[CIDR_TEXT];
	struct cidr c;
	struct ip ip;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(cidr_parse(&c, cases[i].net));
		ip = ip_of(cases[i].ip);
		if (cidr_has(&c, &ip) != cases[i].has)
			fail_msg("%s in %s", cases[i].ip, cases[i].net);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (cidr_parse(&c, bad[i]))
			fail_msg("'%s' was taken for a network", bad[i]);
	assert_true(cidr_parse(&c, "192.0.2.77/24"));
	assert_string_equal(cidr_format(&c, text), "192.0.2.77/24");
}

static void
mapped_addresses(void **state)
{
	struct ip v4 = ip_of("192.0.2.1"), v6 = ip_of("::ffff:192.0.2.1"), other;

	(void)state;
	assert_false(ip_equal(&v4, &v6));
	v6 = ip_unmapped(v6);
	assert_true(ip_equal(&v4, &v6));
	other = ip_of("64:ff9b::192.0.2.1");
	v6 = ip_unmapped(other);
	assert_true(ip_equal(&other, &v6));
}

static void
classes(void **state)
{
	static const struct {
		const char *ip;
		bool multicast, unspecified, loopback, link_local;
	} cases[] = {
		{ "192.0.2.1", false, false, false, false },
		{ "224.0.0.1", true, false, false, false },
		{ "239.255.255.255", true, false, false, false },
		{ "240.0.0.1", false, false, false, false },
		{ "255.255.255.255", true, false, false, false },
		{ "0.0.0.0", false, true, false, false },
		{ "127.255.0.1", false, false, true, false },
		{ "128.0.0.1", false, false, false, false },
		{ "169.254.255.1", false, false, false, true },
		{ "169.253.0.1", false, false, false, false },
		{ "2001:db8::1", false, false, false, false },
		{ "ff02::1", true, false, false, false },
		{ "::", false, true, false, false },
		{ "::1", false, false, true, false },
		{ "::2", false, false, false, false },
		{ "fe80::1", false, false, false, true },
		{ "febf::1", false, false, false, true },
		{ "fec0::1", false, false, false, false },
		{ "::ffff:127.0.0.1", false, false, true, false },
		{ "::ffff:169.254.0.1", false, false, false, true },
	};
	static const struct ip none;
	struct ip ip;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		ip = ip_of(cases[i].ip);
		assert_int_equal(ip_is_multicast(&ip), cases[i].multicast);
		assert_int_equal(ip_is_unspecified(&ip), cases[i].unspecified);
		assert_int_equal(ip_is_loopback(&ip), cases[i].loopback);
		assert_int_equal(ip_is_link_local(&ip), cases[i].link_local);
	}
	assert_false(ip_is_unspecified(&none) || ip_is_multicast(&none));
	assert_true(ip_equal(&none, &none));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_back_as_written),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(the_longest_texts_fit),
		cmocka_unit_test(networks),
		cmocka_unit_test(mapped_addresses),
		cmocka_unit_test(classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
