/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/check.h"

#include <string.h>

static struct tun_config
plain(void)
{
	struct tun_config c = { .name = "tun0", .mtu = 1500, .queue = 1000, .naddrs = 2 };

	assert_true(cidr_parse(&c.addrs[0], "198.18.0.1/15"));
	assert_true(cidr_parse(&c.addrs[1], "2001:db8::1/64"));
	return c;
}

static void
device_names(void **state)
{
	static const char *const good[] = { "tun0", "sluice", "a", "my-vpn_1",
		"abcdefghijklmno" };
	static const char *const bad[] = { "", "lo", "-x", ".", "..", "a/b", "a b", "a.b",
		"tun%d", "a\nb", "abcdefghijklmnop", "\xc3\xa4" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(check_device(good[i]));
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(check_device(bad[i]));
}

static void
tun_is_taken(void **state)
{
	struct tun_config c = plain();
	struct err e;

	(void)state;
	assert_int_equal(check_tun(&c, &e), 0);
	c.name[0] = '\0';
	assert_int_equal(check_tun(&c, &e), 0);
	c.mtu = TUN_MTU_MIN;
	assert_int_equal(check_tun(&c, &e), 0);
	c.mtu = TUN_MTU_MAX;
	assert_int_equal(check_tun(&c, &e), 0);
}

static void
tun_is_refused(void **state)
{
	struct tun_config c;
	struct err e;

	(void)state;
	c = plain();
	memset(c.name, 'a', sizeof c.name); /* without an end */
	assert_int_equal(check_tun(&c, &e), -1);
	c = plain();
	c.mtu = TUN_MTU_MIN - 1;
	assert_int_equal(check_tun(&c, &e), -1);
	c.mtu = TUN_MTU_MAX + 1;
	assert_int_equal(check_tun(&c, &e), -1);
	c = plain();
	c.queue = TUN_QUEUE_MIN - 1;
	assert_int_equal(check_tun(&c, &e), -1);
	c.queue = TUN_QUEUE_MAX + 1;
	assert_int_equal(check_tun(&c, &e), -1);
	c = plain();
	c.naddrs = 0;
	assert_int_equal(check_tun(&c, &e), -1);
	c.naddrs = TUN_ADDRS + 1;
	assert_int_equal(check_tun(&c, &e), -1);
	c.naddrs = -1;
	assert_int_equal(check_tun(&c, &e), -1);
	c = plain();
	c.addrs[0].bits = 33;
	assert_int_equal(check_tun(&c, &e), -1);
	c = plain();
	c.addrs[1].bits = 129;
	assert_int_equal(check_tun(&c, &e), -1);
	c = plain();
	c.addrs[1].ip.family = 5;
	assert_int_equal(check_tun(&c, &e), -1);
	c = plain();
	c.addrs[0].ip.b[7] = 1; /* bytes behind an IPv4 address */
	assert_int_equal(check_tun(&c, &e), -1);
}

static void
tun_addresses(void **state)
{
	static const char *const bad[] = { "0.0.0.0/0", "127.0.0.1/8", "224.0.0.1/4",
		"255.255.255.255/32", "::/0", "::1/128", "ff02::1/64" };
	struct tun_config c;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		c = plain();
		assert_true(cidr_parse(&c.addrs[0], bad[i]));
		if (check_tun(&c, &e) != -1)
			fail_msg("%s: taken", bad[i]);
	}
}

static void
routes(void **state)
{
	static const struct {
		uint8_t v4, v6;
		int want;
	} cases[] = { { 1, 1, 0 }, { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 0 }, { 2, 0, -1 },
		{ 1, 255, -1 } };
	struct request_routes r;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		r.v4 = cases[i].v4;
		r.v6 = cases[i].v6;
		assert_int_equal(check_routes(&r, &e), cases[i].want);
	}
}

static void
resolver(void **state)
{
	struct request_resolver r = { .n = 1 };
	struct err e;

	(void)state;
	assert_true(ip_parse(&r.server[0], "198.18.0.53"));
	assert_int_equal(check_resolver(&r, &e), 0);
	r.n = 2; /* the second has no address */
	assert_int_equal(check_resolver(&r, &e), -1);
	r.n = 0;
	assert_int_equal(check_resolver(&r, &e), -1);
	r.n = NET_RESOLVERS + 1;
	assert_int_equal(check_resolver(&r, &e), -1);
	r.n = INT32_MIN;
	assert_int_equal(check_resolver(&r, &e), -1);
	r.n = 1;
	assert_true(ip_parse(&r.server[0], "224.0.0.251"));
	assert_int_equal(check_resolver(&r, &e), -1);
	r.server[0].family = 77;
	assert_int_equal(check_resolver(&r, &e), -1);
}

static void
file_names(void **state)
{
	static const char *const good[] = { "", "geo.dat", "a/b/c.dat", "/etc/x",
		"/a/../b" };
	static const char *const bad[] = { "..", "../x", "a/../b", "a/..", ".hidden",
		"a/.b/c", "./a", "a//b", "a/", "a\nb", "a\x7f" };
	struct request_file r;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		memset(&r, 0, sizeof r);
		memcpy(r.name, good[i], strlen(good[i]));
		if (check_file(&r, &e) != 0)
			fail_msg("%s: refused", good[i]);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		memset(&r, 0, sizeof r);
		memcpy(r.name, bad[i], strlen(bad[i]));
		if (check_file(&r, &e) != -1)
			fail_msg("%s: taken", bad[i]);
	}
	memset(r.name, 'a', sizeof r.name);
	assert_int_equal(check_file(&r, &e), -1);
}

static void
ping(void **state)
{
	struct request_ping r = { .family = 4 };
	struct err e;

	(void)state;
	assert_int_equal(check_ping(&r, &e), 0);
	r.family = 6;
	assert_int_equal(check_ping(&r, &e), 0);
	r.family = 0;
	assert_int_equal(check_ping(&r, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_names),
		cmocka_unit_test(tun_is_taken),
		cmocka_unit_test(tun_is_refused),
		cmocka_unit_test(tun_addresses),
		cmocka_unit_test(routes),
		cmocka_unit_test(resolver),
		cmocka_unit_test(file_names),
		cmocka_unit_test(ping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
