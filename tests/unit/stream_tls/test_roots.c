/* SPDX-License-Identifier: MIT */
/* Where the trust anchors of a system are found. */
#include "unit/stream_tls/peer.h"

#include "stream/tls_roots.h"
#include "unit/stream/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the order in which they are tried, each with a certificate of its own. */
static const struct {
	const char *place, *certificate;
} places[] = {
	{ "/etc/ssl/certs/ca-certificates.crt", "root.pem" },
	{ "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "middle.pem" },
	{ "/etc/pki/tls/certs/ca-bundle.crt", "stranger.pem" },
	{ "/etc/ssl/ca-bundle.pem", "alone.pem" },
	{ "/etc/ssl/cert.pem", "old-root.pem" },
};

enum { PLACES = sizeof(places) / sizeof(*places) };

/* A folder that stands for a system's root. */
static char root[32];

static const char *const folders[] = { "", "/etc", "/etc/ssl", "/etc/ssl/certs",
	"/etc/pki", "/etc/pki/ca-trust", "/etc/pki/ca-trust/extracted",
	"/etc/pki/ca-trust/extracted/pem", "/etc/pki/tls", "/etc/pki/tls/certs" };

enum { FOLDERS = sizeof(folders) / sizeof(*folders) };

static const char *
path_of(const char *place)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s", root, place);
	return path;
}

static int
make_root(void **state)
{
	size_t i;

	(void)state;
	unsetenv("SSL_CERT_FILE");
	snprintf(root, sizeof(root), "/tmp/sluice-roots-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	for (i = 1; i < FOLDERS; i++)
		if (mkdir(path_of(folders[i]), 0700) < 0)
			return -1;
	return 0;
}

static int
remove_root(void **state)
{
	size_t i;

	(void)state;
	unsetenv("SSL_CERT_FILE");
	for (i = 0; i < PLACES; i++)
		remove(path_of(places[i].place));
	for (i = FOLDERS; i > 0; i--)
		if (rmdir(path_of(folders[i - 1])) < 0)
			return -1;
	return 0;
}

static void
put(const char *place, const char *text)
{
	FILE *f = fopen(path_of(place), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
put_certificate(size_t i)
{
	char *text = certificates_text(places[i].certificate);

	put(places[i].place, text);
	free(text);
}

/* What is found is this certificate and nothing else. */
static void
assert_found(const char *certificate)
{
	struct tls_roots found = { 0 }, wanted = { 0 };
	char *text = certificates_text(certificate);
	struct err e = { "" };

	if (tls_roots_read_system(&found, root, &e) < 0)
		fail_msg("%s: %s", certificate, e.text);
	assert_int_equal(tls_roots_add(&wanted, text, strlen(text), "", &e), 0);
	assert_int_equal(found.n, 1);
	if (!span_equal(found.certificate[0].der, wanted.certificate[0].der))
		fail_msg("another certificate than %s", certificate);
	tls_roots_fini(&found);
	tls_roots_fini(&wanted);
	free(text);
}

static void
assert_refused(const char *want)
{
	struct tls_roots r = { 0 };
	struct err e = { "" };

	assert_int_equal(tls_roots_read_system(&r, root, &e), -1);
	if (!strstr(e.text, want))
		fail_msg("\"%s\" and not \"%s\"", e.text, want);
	assert_int_equal(r.n, 0);
	tls_roots_fini(&r);
}

static void
test_each_place(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < PLACES; i++) {
		put_certificate(i);
		assert_found(places[i].certificate);
		remove(path_of(places[i].place));
	}
	assert_refused("install ca-certificates");
}

static void
test_order(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < PLACES; i++)
		put_certificate(i);
	for (i = 0; i < PLACES; i++) {
		assert_found(places[i].certificate);
		remove(path_of(places[i].place));
	}
}

static void
test_variable(void **state)
{
	(void)state;
	put_certificate(0);
	setenv("SSL_CERT_FILE", CERTIFICATES "/stranger.pem", 1);
	assert_found("stranger.pem");
	/* Who names a file does not mean another one. */
	setenv("SSL_CERT_FILE", "/nowhere/bundle.pem", 1);
	assert_refused("/nowhere/bundle.pem: No such file");
	setenv("SSL_CERT_FILE", "", 1);
	assert_found("root.pem");
}

/* The first that is there counts, and is not passed over when it is no good. */
static void
test_bad_places(void **state)
{
	(void)state;
	put_certificate(1);
	assert_int_equal(symlink("/nowhere/bundle.pem", path_of(places[0].place)), 0);
	assert_found("middle.pem");
	remove(path_of(places[0].place));
	assert_int_equal(mkdir(path_of(places[0].place), 0700), 0);
	assert_refused("ca-certificates.crt: cannot be read");
	remove(path_of(places[0].place));
	put(places[0].place, "");
	assert_refused("ca-certificates.crt: there is no certificate in it");
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOT(test_each_place),
		IN_ROOT(test_order),
		IN_ROOT(test_variable),
		IN_ROOT(test_bad_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
