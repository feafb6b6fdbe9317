/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "rules/cidr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *label;
	const char *const nets[4];
	const char *in, *out; /* "": nothing to ask */
} cases[] = {
	{ "empty", { NULL }, "", "192.0.2.1" },
	{ "one address", { "192.0.2.7" }, "192.0.2.7", "192.0.2.8" },
	{ "host bits set", { "192.0.2.77/24" }, "192.0.2.0", "192.0.3.0" },
	{ "all of v4", { "0.0.0.0/0" }, "255.255.255.255", "::1" },
	{ "all of v6", { "::/0" }, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1.1.1.1" },
	{ "two that touch", { "192.0.2.0/25", "192.0.2.128/25" }, "192.0.2.128",
		"192.0.3.0" },
	{ "one inside another", { "192.0.2.0/24", "192.0.2.64/26" }, "192.0.2.200",
		"192.0.1.255" },
	{ "v6 over the middle", { "2001:db8::/63" }, "2001:db8:0:1:ffff:ffff:ffff:ffff",
		"2001:db8:0:2::" },
	{ "v6 touching at the half", { "2001:db8::/64", "2001:db8:0:1::/64" },
		"2001:db8:0:1::", "2001:db8:0:2::" },
	{ "the last of v4", { "255.255.255.255", "255.255.255.254" }, "255.255.255.254",
		"255.255.255.253" },
	{ "mapped is v4", { "::ffff:192.0.2.0/120" }, "192.0.2.9", "192.0.3.9" },
	{ "unmapped from v6 alone", { "::ffff:0:0/95" }, "::fffe:0:1", "192.0.2.1" },
};

static void
networks(void **state)
{
	struct cidr_set s;
	struct cidr c;
	struct ip ip;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		memset(&s, 0, sizeof(s));
		for (k = 0; k < 4 && cases[i].nets[k]; k++) {
			if (!cidr_parse(&c, cases[i].nets[k]))
				fail_msg("%s: %s", cases[i].label, cases[i].nets[k]);
			assert_int_equal(cidr_set_add(&s, &c), 0);
		}
		cidr_set_seal(&s);
		ip = ip_of(cases[i].in[0] ? cases[i].in : "::");
		if (cases[i].in[0] && !cidr_set_has(&s, &ip))
			fail_msg("%s: %s is not in", cases[i].label, cases[i].in);
		ip = ip_of(cases[i].out);
		if (cidr_set_has(&s, &ip))
			fail_msg("%s: %s is in", cases[i].label, cases[i].out);
		cidr_set_free(&s);
	}
}

static void
bad_networks(void **state)
{
	struct cidr_set s = { 0 };
	struct cidr c = { ip_of("192.0.2.0"), 33 };

	(void)state;
	assert_int_equal(cidr_set_add(&s, &c), -EINVAL);
	c = (struct cidr){ ip_of("2001:db8::"), 129 };
	assert_int_equal(cidr_set_add(&s, &c), -EINVAL);
	c = (struct cidr){ { 0 }, 0 };
	assert_int_equal(cidr_set_add(&s, &c), -EINVAL);
	cidr_set_free(&s);
}

/* Few different bytes, so that networks and addresses meet often. */
static struct ip
random_ip(uint32_t *state, int family)
{
	uint8_t b[16];
	size_t i;

	for (i = 0; i < sizeof(b); i++)
		b[i] = dice(state) % 4 ? (uint8_t)(dice(state) % 2 * 255)
				       : (uint8_t)dice(state);
	return ip_make(family, b);
}

enum { NETS = 400, ASKED = 4000, ROUNDS = 6 };

static void
agrees_once(uint32_t *state, int family)
{
	static struct cidr nets[NETS];
	struct cidr_set s = { 0 };
	size_t i, k, in = 0;
	struct ip ip;
	bool naive;

	for (i = 0; i < NETS; i++) {
		nets[i].ip = random_ip(state, family);
		nets[i].bits = (uint8_t)(family == 4 ? 10 + dice(state) % 23
						     : 16 + dice(state) % 113);
		assert_int_equal(cidr_set_add(&s, &nets[i]), 0);
	}
	cidr_set_seal(&s);
	for (i = 0; i < ASKED; i++) {
		ip = i % 3 ? random_ip(state, family) : nets[dice(state) % NETS].ip;
		naive = false;
		for (k = 0; k < NETS && !naive; k++)
			naive = cidr_has(&nets[k], &ip);
		assert_int_equal(cidr_set_has(&s, &ip), naive);
		in += naive;
	}
	assert_true(in > 0 && in < ASKED);
	cidr_set_free(&s);
}

static void
agrees_with_naive(void **state)
{
	uint32_t seed = 20240607;
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		agrees_once(&seed, 4);
		agrees_once(&seed, 6);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(bad_networks),
		cmocka_unit_test(agrees_with_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
