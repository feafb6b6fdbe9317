/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *ip, *cc;
} asked[] = {
	{ "192.0.2.1", "XA" },
	{ "192.0.2.255", "XA" },
	{ "198.51.100.7", "XB" },
	{ "203.0.113.7", "XC" },
	{ "198.18.3.4", "XA" },
	{ "198.19.3.4", "XB" },
	{ "::ffff:192.0.2.1", "XA" },
	{ "2001:db8:a::1", "XA" },
	{ "2001:db8:b:ffff::", "XB" },
	{ "2001:db8:c::1", "" },
	{ "192.0.3.0", "" },
	{ "0.0.0.0", "" },
};

static void
countries(const char *path, bool six)
{
	struct geoip *g;
	struct err e;
	struct ip ip;
	char cc[3];
	size_t i;
	int r;

	g = geoip_open(path, &e);
	if (!g)
		fail_msg("%s", e.text);
	for (i = 0; i < COUNT(asked); i++) {
		ip = ip_of(asked[i].ip);
		r = geoip_country(g, &ip, cc);
		if (ip_unmapped(ip).family == 6 && !six) {
			assert_int_equal(r, -ENOENT);
			continue;
		}
		if (strcmp(cc, asked[i].cc) != 0)
			fail_msg("%s: %s is in \"%s\"", path, asked[i].ip, cc);
		assert_int_equal(r, cc[0] ? 0 : -ENOENT);
	}
	ip = (struct ip){ 0 };
	assert_int_equal(geoip_country(g, &ip, cc), -ENOENT);
	geoip_free(g);
}

static void
both_layouts(void **state)
{
	(void)state;
	countries(FIXTURE_FLAT, true);
	countries(FIXTURE_NESTED, true);
	countries(FIXTURE_V4, false);
}

static void
describes(void **state)
{
	struct geoip *g;
	struct err e;
	char text[160], small[8];

	(void)state;
	g = geoip_open(FIXTURE_NESTED, &e);
	assert_non_null(g);
	geoip_describe(g, text, sizeof(text));
	assert_non_null(strstr(text, "sluice-test-nested, built 20"));
	assert_non_null(strstr(text, "IPv4 and IPv6"));
	assert_string_equal(geoip_describe(g, small, sizeof(small)), "sluice-");
	geoip_free(g);
}

static uint8_t *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(1 << 16);

	assert_non_null(f);
	assert_non_null(p);
	*len = fread(p, 1, 1 << 16, f);
	fclose(f);
	return p;
}

static void
refused(struct fixture *x, const void *p, size_t len, const char *why)
{
	char path[256];
	struct geoip *g;
	struct err e = { "" };

	fixture_write(x, "bad.mmdb", p, len);
	snprintf(path, sizeof(path), "%s/bad.mmdb", x->dir);
	g = geoip_open(path, &e);
	geoip_free(g);
	assert_null(g);
	if (!strstr(e.text, "bad.mmdb") || !strstr(e.text, why))
		fail_msg("%s", e.text);
}

static void
malformed(void **state)
{
	struct fixture x;
	struct err e = { "" };
	uint8_t *p;
	size_t len, i;

	(void)state;
	fixture_init(&x);
	assert_null(geoip_open("/nonexistent/country.mmdb", &e));
	assert_non_null(strstr(e.text, "No such file"));
	p = slurp(FIXTURE_FLAT, &len);
	refused(&x, p, 0, "");
	refused(&x, "not a database", 14, "metadata");
	/* The marker of the metadata, and nothing behind it. */
	refused(&x, "\xab\xcd\xefMaxMind.com", 14, "");
	refused(&x, p, len / 2, "");
	/* A tree in which every record points far away. */
	for (i = 0; i < 600; i++)
		p[i] = 0xff;
	refused(&x, p, len, "damaged");
	free(p);
	fixture_fini(&x);
}

/* Bytes changed anywhere: refused, or opened and asked; never a crash. */
static void
bits_flipped(void **state)
{
	uint32_t seed = 4711;
	struct fixture x;
	struct geoip *g;
	char path[256], cc[3], text[160];
	uint8_t *p, saved;
	size_t len, at, i, k;
	struct err e;
	struct ip ip;

	(void)state;
	fixture_init(&x);
	snprintf(path, sizeof(path), "%s/bad.mmdb", x.dir);
	p = slurp(FIXTURE_NESTED, &len);
	for (i = 0; i < 600; i++) {
		at = dice(&seed) % len;
		saved = p[at];
		p[at] = (uint8_t)dice(&seed);
		fixture_write(&x, "bad.mmdb", p, i % 5 ? len : len - dice(&seed) % len);
		p[at] = saved;
		g = geoip_open(path, &e);
		for (k = 0; g && k < COUNT(asked); k++) {
			ip = ip_of(asked[k].ip);
			geoip_country(g, &ip, cc);
			assert_true(strlen(cc) == 0 || strlen(cc) == 2);
		}
		if (g)
			geoip_describe(g, text, sizeof(text));
		geoip_free(g);
	}
	free(p);
	fixture_fini(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_layouts),
		cmocka_unit_test(describes),
		cmocka_unit_test(malformed),
		cmocka_unit_test(bits_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
