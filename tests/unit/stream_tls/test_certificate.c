/* SPDX-License-Identifier: MIT */
/* What sluice itself reads of certificates: names, dates, PEM and bundles. */
#include "stream/tls_certificate.h"

#include "base/bytes.h"
#include "base/log.h"
#include "stream/tls_pem.h"
#include "stream/tls_roots.h"
#include "unit/stream/check.h"
#include "unit/stream_tls/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A certificate with nothing but these names: the inside of its GeneralNames. */
static struct certificate
named(const char *names, size_t len)
{
	return (struct certificate){ .alt_names = { (const uint8_t *)names, len } };
}

#define NAMED(text) named(text, sizeof(text) - 1)

static const struct {
	const char *label, *names, *want;
	bool has;
} wildcards[] = {
	{ "itself",
		"\x82\x09"
		"a.example",
		"a.example", true },
	{ "upper case",
		"\x82\x09"
		"A.EXAMPLE",
		"a.example", true },
	{ "final dot",
		"\x82\x0a"
		"a.example.",
		"a.example", true },
	{ "another",
		"\x82\x09"
		"b.example",
		"a.example", false },
	{ "a suffix",
		"\x82\x07"
		"example",
		"a.example", false },
	{ "a prefix",
		"\x82\x01"
		"a",
		"a.example", false },
	{ "wildcard",
		"\x82\x0b"
		"*.b.example",
		"a.b.example", true },
	{ "not the parent",
		"\x82\x0b"
		"*.b.example",
		"b.example", false },
	{ "not two labels",
		"\x82\x0b"
		"*.b.example",
		"x.a.b.example", false },
	{ "not an empty label",
		"\x82\x0b"
		"*.b.example",
		".b.example", false },
	{ "not a whole top",
		"\x82\x09"
		"*.example",
		"a.example", false },
	{ "not everything",
		"\x82\x01"
		"*",
		"example", false },
	{ "not part of a label",
		"\x82\x0c"
		"f*.b.example",
		"fa.b.example", false },
	{ "not in the middle",
		"\x82\x0b"
		"a.*.example",
		"a.b.example", false },
	{ "itself as a name",
		"\x82\x0b"
		"*.b.example",
		"*.b.example", true },
	{ "second of two",
		"\x82\x01"
		"b\x82\x09"
		"a.example",
		"a.example", true },
	{ "behind other kinds",
		"\x81\x01"
		"b\x82\x09"
		"a.example",
		"a.example", true },
	{ "a mail address",
		"\x81\x09"
		"a.example",
		"a.example", false },
	{ "cut",
		"\x82\x0a"
		"a.example",
		"a.example", false },
	{ "cut before",
		"\x82\x7f"
		"b\x82\x09"
		"a.example",
		"a.example", false },
	{ "long form of the length",
		"\x82\x81\x09"
		"a.example",
		"a.example", true },
	{ "indefinite length",
		"\x82\x80"
		"a.example",
		"a.example", false },
	{ "none", "", "a.example", false },
	{ "empty", "\x82\x00", "a.example", false },
};

static void
test_wildcards(void **state)
{
	struct certificate c;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(wildcards) / sizeof(*wildcards); i++) {
		/* One case has a zero in it, behind which nothing else stands. */
		len = strlen(wildcards[i].names) +
			(strcmp(wildcards[i].label, "empty") == 0);
		c = named(wildcards[i].names, len);
		if (certificate_has_name(&c, wildcards[i].want) != wildcards[i].has)
			fail_msg("%s", wildcards[i].label);
	}
	/* A zero in a name ends it for no one. */
	c = NAMED("\x82\x0b"
		  "a.example\0b");
	assert_false(certificate_has_name(&c, "a.example"));
}

static void
test_addresses(void **state)
{
	struct certificate c = NAMED("\x87\x04\xc0\x00\x02\x01\x82\x09"
				     "192.0.2.2");
	struct ip ip;

	(void)state;
	assert_true(ip_parse(&ip, "192.0.2.1") && certificate_has_ip(&c, &ip));
	/* An address that stands there as a name is none. */
	assert_true(ip_parse(&ip, "192.0.2.2") && !certificate_has_ip(&c, &ip));
	assert_true(ip_parse(&ip, "::ffff:192.0.2.1"));
	assert_int_equal(certificate_has_ip(&c, &ip), ip.family == 4);
	ip.family = 0;
	assert_false(certificate_has_ip(&c, &ip));
}

static void
test_listing(void **state)
{
	char out[128], many[1024] = "", small[40];
	struct certificate c;
	size_t i;

	(void)state;
	c = NAMED("");
	assert_string_equal(certificate_names(&c, out, sizeof(out)), "");
	c = NAMED("\x82\x01"
		  "a");
	assert_string_equal(certificate_names(&c, out, sizeof(out)), "a");
	c = NAMED("\x82\x01"
		  "a\x82\x01"
		  "b\x82\x01"
		  "c");
	assert_string_equal(certificate_names(&c, out, sizeof(out)), "a, b and c");
	c = NAMED("\x82\x03\x1b[2\x81\x01"
		  "x\x87\x04\xc0\x00\x02\x01");
	assert_string_equal(certificate_names(&c, out, sizeof(out)), "?[2 and 192.0.2.1");
	for (i = 0; i < 20; i++)
		snprintf(many + i * 4, 5, "\x82\x02n%c", (char)('a' + i));
	c = named(many, 80);
	assert_string_equal(certificate_names(&c, out, sizeof(out)),
		"na, nb, nc, nd, ne, nf and 14 more");
	assert_true(strlen(certificate_names(&c, small, sizeof(small))) < sizeof(small));
}

static void
test_dates(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01 00:00:00 UTC" },
		{ 951782400, "2000-02-29 00:00:00 UTC" },
		{ 1709251199, "2024-02-29 23:59:59 UTC" },
		{ 4102444800, "2100-01-01 00:00:00 UTC" },
		{ -1, "1969-12-31 23:59:59 UTC" },
		{ 253402300799, "9999-12-31 23:59:59 UTC" },
	};
	char out[UNIX_TIME_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(unix_time_text(cases[i].t, out), cases[i].text);
}

static size_t
load(const char *name, uint8_t *der, size_t cap)
{
	char *text = certificates_text(name);
	const char *at = text;
	size_t len = strlen(text);
	long n = pem_certificate_next(&at, &len, der, cap);

	assert_true(n > 0);
	assert_int_equal(pem_certificate_next(&at, &len, der + n, cap - (size_t)n), 0);
	free(text);
	return (size_t)n;
}

static void
test_read(void **state)
{
	char who[CERTIFICATE_NAME_TEXT];
	struct certificate c;
	uint8_t der[8192], *copy;
	size_t n, i;

	(void)state;
	n = load("middle.pem", der, sizeof(der));
	assert_int_equal(certificate_read(&c, der, n), 0);
	assert_string_equal(
		certificate_name_text(c.subject, who), "Middle 1 of Big Roots");
	assert_string_equal(
		certificate_name_text(c.issuer, who), "Big Root of Big Roots");
	assert_true(c.authority && !c.old && c.for_servers);
	assert_int_equal(c.key, KEY_EC);
	assert_int_equal(c.curve, 23);
	assert_int_equal(c.point.len, 65);
	assert_false(certificate_signs_itself(&c));
	assert_true(c.key_id.p && c.issuer_key_id.p);
	assert_true(c.not_after - c.not_before == INT64_C(3000) * 86400);

	/* Every cut is one; behind the end nothing may stand. */
	for (i = 0; i < n; i++) {
		copy = malloc(i ? i : 1);
		memcpy(copy, der, i);
		assert_int_equal(certificate_read(&c, copy, i), -EBADMSG);
		free(copy);
	}
	der[n] = 0;
	assert_int_equal(certificate_read(&c, der, n + 1), -EBADMSG);

	n = load("root.pem", der, sizeof(der));
	assert_int_equal(certificate_read(&c, der, n), 0);
	assert_int_equal(c.key, KEY_RSA);
	assert_int_equal(c.modulus.len, 512);
	assert_true(certificate_signs_itself(&c));
	n = load("client-only.pem", der, sizeof(der));
	assert_int_equal(certificate_read(&c, der, n), 0);
	assert_false(c.for_servers);
}

/* Two texts after one another, found by name; what cannot be read is left out. */
static void
test_roots(void **state)
{
	static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n"
				     "-----END CERTIFICATE-----\n";
	struct tls_roots r = { 0 };
	const struct certificate *c;
	struct span subject;
	struct err e = { "" };
	char *text, both[16384];

	(void)state;
	text = certificates_text("root.pem");
	snprintf(both, sizeof(both), "# a comment\n%s%s%s", broken, text, broken);
	free(text);
	assert_int_equal(tls_roots_add(&r, both, strlen(both), "test", &e), 0);
	assert_int_equal(r.n, 1);
	text = certificates_text("crossed.pem");
	assert_int_equal(tls_roots_add(&r, text, strlen(text), "test", &e), 0);
	free(text);
	text = certificates_text("stranger.pem");
	assert_int_equal(tls_roots_add(&r, text, strlen(text), "test", &e), 0);
	free(text);
	assert_int_equal(r.n, 3);
	/* The root and its cross-signed twin have one name. */
	subject = r.certificate[r.n - 1].subject;
	assert_int_equal(tls_roots_find(&r, subject, &c), 2);
	assert_true(
		span_equal(c[0].subject, subject) && span_equal(c[1].subject, subject));
	subject.len--;
	assert_int_equal(tls_roots_find(&r, subject, &c), 0);
	assert_int_equal(tls_roots_add(&r, broken, strlen(broken), "test", &e), -1);
	assert_non_null(strstr(e.text, "test: there is no certificate in it"));
	assert_int_equal(r.n, 3);
	tls_roots_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_roots),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
