/* SPDX-License-Identifier: MIT */
/* Which chains of certificates are trusted, and what is said of those that are not. */
#include "unit/stream_tls/bench.h"

#include "base/digest.h"
#include "stream/tls_roots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY = 86400, YEAR = 365 * DAY };

/* In place of a sentence: it must succeed. */
#define TAKEN ""

static const struct {
	const char *label;
	const char *key, *chain; /* of the server */
	const char *roots;       /* that the setup trusts */
	const char *name;        /* that the setup wants */
	int64_t later;           /* how far the clock is moved */
	const char *bearssl; /* a part of the sentence; NULL or TAKEN: it must succeed */
	const char *openssl; /* where that says it differently */
} cases[] = {
	{ "in order", "p256", "server middle", "root", "a.example" },
	{ "with its root", "p256", "server middle root", "root", "a.example" },
	{ "wrong order", "p256", "server root middle", "root", "a.example" },
	{ "others between", "p256", "server stranger under-p384 middle alone", "root",
		"a.example" },
	{ "twice the same", "p256", "server middle middle server", "root", "a.example" },
	{ "RSA-2048", "rsa", "server-rsa middle", "root", "a.example" },
	{ "P-384", "p384", "server-p384 middle", "root", "a.example" },
	{ "all P-384", "p384", "under-p384", "root-p384", "a.example" },
	{ "RSA-4096", "big", "server-big middle", "root", "a.example" },
	{ "trusted authority, no root", "p256", "server", "middle", "a.example" },
	{ "cross-signed, new root", "p256", "server middle crossed", "root",
		"a.example" },
	{ "cross-signed, old root", "p256", "server middle crossed", "old-root",
		"a.example" },
	{ "both roots sent", "p256", "server root middle crossed old-root", "old-root",
		"a.example" },
	{ "the issuer's name twice", "p256", "server false-middle middle", "root",
		"a.example" },
	{ "itself trusted", "p256", "alone", "alone", "alone.example" },
	{ "wildcard", "p256", "server middle", "root", "any.w.example" },
	{ "address", "p256", "server middle", "root", "192.0.2.1" },
	{ "address of version 6", "p256", "server middle", "root", "2001:db8::1" },
	{ "other case, final dot", "p256", "server middle", "root", "A.Example." },

	{ "two labels for a wildcard", "p256", "server middle", "root", "x.any.w.example",
		0,
		"for a.example, *.w.example, 192.0.2.1 and 2001:db8::1, not for x.any" },
	{ "wrong name", "p256", "server middle", "root", "b.example", 0,
		"for a.example, *.w.example, 192.0.2.1 and 2001:db8::1, not for b.example" },
	{ "wrong address", "p256", "server middle", "root", "192.0.2.2", 0,
		"not for 192.0.2.2" },
	{ "only a common name", "p256", "unnamed middle", "root", "a.example", 0,
		"(of a.example) has no names that count" },
	{ "expired", "p256", "server middle", "root", "a.example", 9 * YEAR,
		"the certificate ended on 20" },
	{ "not yet valid", "p256", "server middle", "root", "a.example", -YEAR,
		"the certificate is valid only from 20" },
	{ "how far the clock is off", "p256", "server middle", "root", "a.example", -YEAR,
		"one of the two is wrong; if it is the clock, by at least 36" },
	{ "its authority expired", "p256", "under-brief brief-middle", "root",
		"a.example", 40 * DAY,
		"the certificate of Brief of Big Roots ended on 20" },
	{ "unknown root", "p256", "server middle", "stranger", "a.example", 0,
		"issued by Big Root of Big Roots, which this machine does not trust" },
	{ "unknown root that is sent", "p256", "server middle root", "stranger",
		"a.example", 0,
		"Big Root of Big Roots, which this machine does not trust" },
	{ "missing authority", "p256", "server", "root", "a.example", 0,
		"issued by Middle 1 of Big Roots, which this machine does not trust" },
	{ "alone", "p256", "alone", "root", "alone.example", 0,
		"the server made its certificate itself (alone.example of Home)" },
	{ "the wrong key for the issuer's name", "p256", "under-false false-middle",
		"root", "a.example", 0,
		"Middle 1 of Big Roots, which this machine does not trust" },
	{ "signed by another key", "p256", "under-false middle", "root", "a.example", 0,
		"the signature in a certificate is wrong", "does not trust" },
	{ "below no authority", "p256", "under-nobody no-authority", "root", "a.example",
		0, "does not trust", "may not sign others" },
	{ "for clients only", "p256", "client-only middle", "root", "a.example", 0,
		"not one for servers" },
	{ "signed with SHA-1", "p256", "by-sha1 middle", "root", "a.example", 0,
		"kind that BearSSL does not take", "kind that OpenSSL does not take" },
	{ "signed with RSA-PSS", "p256", "by-pss", "root", "a.example", 0,
		"kind that BearSSL does not take", TAKEN },
	{ "signed with Ed25519", "p256", "by-edwards edwards-ca", "root", "a.example", 0,
		"kind that BearSSL does not take", TAKEN },
	{ "signed with Ed25519, trusted", "p256", "by-edwards", "edwards-ca", "a.example",
		0, "kind that BearSSL does not take", TAKEN },
	{ "signed with 4608 bits", "p256", "by-huge huge-ca", "root", "a.example", 0,
		"kind that BearSSL does not take", TAKEN },
	{ "signed with 4608 bits, trusted", "p256", "by-huge", "huge-ca", "a.example", 0,
		"kind that BearSSL does not take", TAKEN },
	{ "a key of 512 bits", "p256", "of-short middle", "root", "a.example", 0,
		"has a key that is too short" },
	{ "below pathlen:0", "p256", "too-deep behind-last last-ca", "root", "a.example",
		0, "may not sign others" },
	{ "an authority's key for other use", "p256", "under-no-signer no-signer", "root",
		"a.example", 0, "may not sign others" },
	{ "a server's key for other use", "p256", "signs-only middle", "root",
		"a.example", 0, TAKEN, "not one for servers (key usage)" },
	{ "unknown critical extension", "p256", "conditional middle", "root", "a.example",
		0, "(critical extension) that BearSSL does not know",
		"(critical extension) that OpenSSL does not know" },
	{ "an extension that is none", "p256", "muddled middle", "root", "a.example", 0,
		"does not hold (BearSSL's error 41)", "does not trust" },
	{ "what is no certificate", "p256", "garbage middle", "root", "a.example", 0,
		"certificate cannot be read" },
	{ "names that are none", "p256", "no-list middle", "root", "a.example", 0,
		"certificate cannot be read" },
	{ "too many", "p256",
		"server middle root root root root root root root root root root root root "
		"root root root",
		"root", "a.example", 0, "more certificates than anyone needs" },
};

/* What open says of one case; `reason` gets the sentence. */
static int
try_chain(struct bench *b, const char *key, const char *chain, struct tls_setup *setup,
	char reason[512])
{
	struct identity id;
	struct pair p;
	int r;

	identity_load(&id, key, chain);
	pair_start_as(b, &p, setup, &id);
	r = pair_open(&p);
	snprintf(reason, 512, "%s", r < 0 ? stream_reason(p.s) : "");
	pair_end(b, &p);
	identity_free(&id);
	return r;
}

static void
test_chains(void **state)
{
	const char *want;
	struct tls_setup *setup;
	char reason[512];
	struct bench b;
	size_t i;
	int r;

	bench_start(&b, state);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		setup = bench_setup(
			&b, cases[i].roots, (struct tls_spec){ .name = cases[i].name });
		bench_clock += cases[i].later;
		r = try_chain(&b, cases[i].key, cases[i].chain, setup, reason);
		bench_clock -= cases[i].later;
		want = cases[i].bearssl;
		if (b.library == TLS_OPENSSL && cases[i].openssl)
			want = cases[i].openssl;
		if (want && !*want)
			want = NULL;
		if (!want && r != STREAM_OK)
			fail_msg("%s: %d, %s", cases[i].label, r, reason);
		if (want && (r != -EACCES || !strstr(reason, want)))
			fail_msg("%s: %d, \"%s\"", cases[i].label, r, reason);
		tls_setup_drop(setup);
	}
	bench_end(&b);
}

/* A case with a spec of its own. */
static void
check_chain(struct bench *b, const char *label, const char *chain, const char *roots,
	struct tls_spec spec, const char *want)
{
	struct tls_setup *setup = bench_setup(b, roots, spec);
	char reason[512];
	int r;

	r = try_chain(b, "p256", chain, setup, reason);
	if (want ? r != -EACCES || !strstr(reason, want) : r != STREAM_OK)
		fail_msg("%s: %d, \"%s\"", label, r, reason);
	tls_setup_drop(setup);
}

/* The same with the chain of a.example. */
static void
check_spec(struct bench *b, const char *label, const char *roots, struct tls_spec spec,
	const char *want)
{
	check_chain(b, label, "server middle", roots, spec, want);
}

static void
hash_of(const char *name, struct tls_pin *pin)
{
	struct identity id;

	identity_load(&id, "p256", name);
	sha256(id.chain[0].data, id.chain[0].data_len, pin->hash);
	identity_free(&id);
}

static void
test_pins(void **state)
{
	static const struct tls_pin wrong = { { 1 } };
	struct tls_pin server, middle, chain[2] = { { { 2 } } };
	uint8_t both[2 * TLS_PIN];
	struct bench b;

	bench_start(&b, state);
	hash_of("server", &server);
	hash_of("middle", &middle);
	memcpy(both, server.hash, TLS_PIN);
	memcpy(both + TLS_PIN, middle.hash, TLS_PIN);
	sha256(both, sizeof(both), chain[1].hash);

	/* One certificate, instead of trust. */
	check_spec(&b, "leaf pin", "", (struct tls_spec){ .pins = { &server, 1 } }, NULL);
	check_spec(&b, "leaf pin, wrong name", "",
		(struct tls_spec){ .name = "b.example", .pins = { &server, 1 } }, NULL);
	check_spec(&b, "authority pin", "",
		(struct tls_spec){ .name = "a.example", .pins = { &middle, 1 } }, NULL);
	check_spec(&b, "authority pin, wrong name", "",
		(struct tls_spec){ .name = "b.example", .pins = { &middle, 1 } },
		"not for b.example");
	check_spec(&b, "no pin matches", "root",
		(struct tls_spec){ .name = "a.example", .pins = { &wrong, 1 } },
		"its pinnedPeerCertSha256 is ");
	check_spec(&b, "no pin matches, insecure", "root",
		(struct tls_spec){ .name = "a.example",
			.pins = { &wrong, 1 },
			.allow_insecure = true },
		"its pinnedPeerCertSha256 is ");

	/* The chain, besides trust. */
	check_spec(&b, "chain pin", "root",
		(struct tls_spec){ .name = "a.example", .chain_pins = { chain, 2 } },
		NULL);
	check_spec(&b, "chain pin, no trust", "stranger",
		(struct tls_spec){ .name = "a.example", .chain_pins = { chain, 2 } },
		"does not trust");
	check_spec(&b, "chain pin, insecure", "",
		(struct tls_spec){ .chain_pins = { chain, 2 }, .allow_insecure = true },
		NULL);
	check_spec(&b, "wrong chain pin, insecure", "",
		(struct tls_spec){ .chain_pins = { &wrong, 1 }, .allow_insecure = true },
		"their pinnedPeerCertificateChainSha256 is ");
	check_spec(&b, "insecure", "",
		(struct tls_spec){ .name = "b.example", .allow_insecure = true }, NULL);
	bench_end(&b);
}

/* Nobody asks who signed it, and still the library must have a use for the key. */
static void
test_unknown_key(void **state)
{
	struct bench b;

	bench_start(&b, state);
	if (b.library == TLS_BEARSSL)
		check_chain(&b, "insecure, Ed25519", "of-edwards middle", "",
			(struct tls_spec){ .allow_insecure = true },
			"key is of a kind that BearSSL does not know");
	bench_end(&b);
}

static void
test_names(void **state)
{
	static const char *const right[] = { "b.example", "y.w.example" };
	static const char *const address[] = { "192.0.2.1" };
	static const char *const wrong[] = { "b.example" };
	struct bench b;

	bench_start(&b, state);
	check_spec(&b, "one of several", "root",
		(struct tls_spec){
			.name = "front.example", .verify_names = { right, 2 } },
		NULL);
	check_spec(&b, "an address", "root",
		(struct tls_spec){
			.name = "front.example", .verify_names = { address, 1 } },
		NULL);
	check_spec(&b, "none", "root",
		(struct tls_spec){ .name = "a.example", .verify_names = { wrong, 1 } },
		"not for b.example");
	check_spec(&b, "the address that is dialled", "root",
		(struct tls_spec){ .ip = { 4, { 192, 0, 2, 1 } } }, NULL);
	check_spec(&b, "trust of the system", "",
		(struct tls_spec){ .name = "a.example" }, "does not trust");
	bench_end(&b);
}

/* The trust anchors of the system, in place of one's own, and without them. */
static void
test_system_roots(void **state)
{
	struct bench b;
	struct tls_spec spec = { .name = "a.example" };

	bench_start(&b, state);
	tls_stock_drop(b.stock);
	b.stock = tls_stock_new(CERTIFICATES "/root.pem", 4);
	check_spec(&b, "the system's", "", spec, NULL);
	check_spec(&b, "both", "stranger", spec, NULL);
	spec.disable_system_root = true;
	check_spec(&b, "not the system's", "stranger", spec, "does not trust");
	bench_end(&b);
}

static void
copy_file(const char *from, const char *to)
{
	char *text = certificates_text(from);
	FILE *f = fopen(to, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	free(text);
}

/* They are read once: what becomes of the file later does not matter. */
static void
test_roots_load_once(void **state)
{
	char path[] = "/tmp/sluice-bundle-XXXXXX";
	struct tls_spec spec = { .name = "a.example" };
	struct tls_setup *first;
	struct err e = { "" };
	struct bench b;
	int f;

	bench_start(&b, state);
	f = mkstemp(path);
	assert_true(f >= 0);
	close(f);
	copy_file("root.pem", path);
	setenv("SSL_CERT_FILE", path, 1);
	tls_stock_drop(b.stock);
	b.stock = tls_stock_new(NULL, 4);
	first = bench_setup(&b, "", spec);
	assert_int_equal(unlink(path), 0);
	check_spec(&b, "without its file", "", spec, NULL);
	check_spec(&b, "without its file, and others", "stranger", spec, NULL);
	tls_setup_drop(first);
	check_spec(&b, "once more", "", spec, NULL);
	tls_stock_drop(b.stock);
	b.stock = tls_stock_new(NULL, 4);
	assert_null(tls_setup_new(b.stock, b.library, &spec, &e));
	assert_non_null(strstr(e.text, path));
	unsetenv("SSL_CERT_FILE");
	bench_end(&b);
}

static void
refuse(struct bench *b, struct tls_spec spec, const char *want)
{
	struct err e = { "" };

	assert_null(tls_setup_new(b->stock, b->library, &spec, &e));
	if (!strstr(e.text, want))
		fail_msg("\"%s\" and not \"%s\"", e.text, want);
}

static void
test_refused_setups(void **state)
{
	static const char *const not_pem[] = { "hello" };
	static const char *const empty[] = { "" };
	const char *endless;
	struct bench b;
	char *text;

	bench_start(&b, state);
	endless = text = calloc(1, TLS_BUNDLE_MAX + 2);
	assert_non_null(text);
	memset(text, 'x', TLS_BUNDLE_MAX + 1);
	refuse(&b, (struct tls_spec){ 0 }, "set serverName");
	refuse(&b, (struct tls_spec){ .name = "a b" }, "\"a b\" is no name");
	refuse(&b, (struct tls_spec){ .name = "a.example", .trusted = { not_pem, 1 } },
		"there is no certificate in it");
	refuse(&b, (struct tls_spec){ .name = "a.example", .alpn = { empty, 1 } },
		"an ALPN name has");
	refuse(&b,
		(struct tls_spec){ .name = "a.example", .min = TLS_1_2, .max = TLS_1_1 },
		"no version at all");
	if (b.library == TLS_BEARSSL)
		refuse(&b, (struct tls_spec){ .name = "a.example", .min = TLS_1_3 },
			"TLS 1.3 at least is asked for");
	refuse(&b, (struct tls_spec){ .name = "a.example", .trusted = { &endless, 1 } },
		"certificates: more than 8 MB");
	tls_stock_drop(b.stock);
	b.stock = tls_stock_new("/nowhere/bundle.pem", 4);
	refuse(&b, (struct tls_spec){ .name = "a.example" },
		"/nowhere/bundle.pem: No such");
	tls_stock_drop(b.stock);
	b.stock = tls_stock_new("/", 4);
	refuse(&b, (struct tls_spec){ .name = "a.example" }, "/: cannot be read");
	free(text);
	bench_end(&b);
}

static void
test_pin_texts(void **state)
{
	struct tls_pin pin;

	(void)state;
	assert_true(tls_pin_parse(&pin,
		"000102030405060708090a0b0c0d0e0f1011121314151617"
		"18191a1b1c1d1e1f"));
	assert_int_equal(pin.hash[31], 31);
	assert_true(tls_pin_parse(&pin,
		"FF:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:"
		"11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1F"));
	assert_int_equal(pin.hash[0], 255);
	assert_true(tls_pin_parse(&pin, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
	assert_int_equal(pin.hash[30], 30);
	assert_false(tls_pin_parse(&pin, ""));
	assert_false(tls_pin_parse(&pin, "00"));
	assert_false(tls_pin_parse(&pin, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="));
	assert_false(
		tls_pin_parse(&pin, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8hIiMk"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_LIBRARY(test_chains),
		EACH_LIBRARY(test_pins),
		EACH_LIBRARY(test_unknown_key),
		EACH_LIBRARY(test_names),
		EACH_LIBRARY(test_system_roots),
		EACH_LIBRARY(test_roots_load_once),
		EACH_LIBRARY(test_refused_setups),
		cmocka_unit_test(test_pin_texts),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
