/* SPDX-License-Identifier: MIT */
#include "stream/tls_roots.h"

#include "stream/tls_pem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Where systems keep all their trusted certificates in one file.  They are tried in this
 * order on every system: a place that a system does not have is not there.
 */
static const char *const places[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, older */
	"/etc/ssl/ca-bundle.pem",                            /* openSUSE */
	"/etc/ssl/cert.pem",                                 /* macOS, Alpine, the BSDs */
	NULL,
};

/* Makes room for one more certificate of `len` bytes; spans move with their memory. */
static int
make_room(struct tls_roots *r, size_t len)
{
	struct certificate *certificate;
	size_t cap;

	if (r->n == TLS_ROOTS_MAX || r->der_len + len > r->der_cap)
		return -ENOSPC;
	if (r->n < r->cap)
		return 0;
	cap = r->cap ? r->cap * 2 : 64;
	certificate = realloc(r->certificate, cap * sizeof(*certificate));
	if (!certificate)
		return -ENOMEM;
	r->certificate = certificate;
	r->cap = cap;
	return 0;
}

/* The bytes of certificates that are in use move to memory that has room for more. */
static int
make_bytes(struct tls_roots *r, size_t len)
{
	size_t i, at, cap = r->der_len + len;
	uint8_t *der = malloc(cap ? cap : 1);

	if (!der)
		return -ENOMEM;
	for (i = 0, at = 0; i < r->n; i++) {
		size_t n = r->certificate[i].der.len;

		memcpy(der + at, r->certificate[i].der.p, n);
		certificate_read(&r->certificate[i], der + at, n);
		at += n;
	}
	free(r->der);
	r->der = der;
	r->der_cap = cap;
	r->der_len = at;
	return 0;
}

static int
subject_order(struct span a, struct span b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len ? memcmp(a.p, b.p, a.len) : 0;
}

static int
by_subject(const void *a, const void *b)
{
	const struct certificate *x = a, *y = b;

	return subject_order(x->subject, y->subject);
}

/* One certificate behind the others. 1: added; 0: no more; -1: cannot be read. */
static int
add_one(struct tls_roots *r, const char **pem, size_t *len)
{
	uint8_t *to;
	long n;

	if (make_room(r, 0) < 0)
		return 0;
	to = r->der + r->der_len;
	n = pem_certificate_next(pem, len, to, r->der_cap - r->der_len);
	if (n <= 0)
		return (int)n;
	if (certificate_read(&r->certificate[r->n], to, (size_t)n) < 0)
		return -1;
	r->der_len += (size_t)n;
	r->n++;
	return 1;
}

int
tls_roots_add(struct tls_roots *r, const char *pem, size_t len, const char *where,
	struct err *e)
{
	size_t before = r->n, left_before;
	int one;

	/* Base64 is longer than what it stands for. */
	if (len > TLS_BUNDLE_MAX)
		return err_set(e, "%s: more than %d MB of certificates", where,
			TLS_BUNDLE_MAX >> 20);
	if (make_bytes(r, len) < 0)
		return err_set(e, "%s: no memory left", where);
	do {
		left_before = len;
		one = add_one(r, &pem, &len);
	} while (one > 0 || (one < 0 && len < left_before));
	if (r->n == before)
		return err_set(e,
			"%s: there is no certificate in it that can be read (PEM: lines "
			"between BEGIN CERTIFICATE and END CERTIFICATE)",
			where);
	make_bytes(r, 0);
	qsort(r->certificate, r->n, sizeof(*r->certificate), by_subject);
	return 0;
}

int
tls_roots_read(struct tls_roots *r, const char *path, struct err *e)
{
	size_t n, cap = TLS_BUNDLE_MAX + 1;
	char *text = NULL;
	int result = -1;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return err_set(e, "%s: %s", path, strerror(errno));
	text = malloc(cap);
	if (!text) {
		err_set(e, "%s: no memory left", path);
		goto out;
	}
	n = fread(text, 1, cap, f);
	if (ferror(f)) {
		err_set(e, "%s: cannot be read", path);
		goto out;
	}
	result = tls_roots_add(r, text, n, path, e);
out:
	free(text);
	fclose(f);
	return result;
}

int
tls_roots_read_system(struct tls_roots *r, const char *root, struct err *e)
{
	const char *named = getenv("SSL_CERT_FILE");
	char path[512];
	size_t i;
	FILE *f;

	if (named && *named)
		return tls_roots_read(r, named, e);
	for (i = 0; places[i]; i++) {
		snprintf(path, sizeof(path), "%s%s", root, places[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		fclose(f);
		return tls_roots_read(r, path, e);
	}
	return err_set(e,
		"this system's trusted certificates are not found: install ca-certificates, "
		"or name a PEM file in the environment variable SSL_CERT_FILE");
}

void
tls_roots_fini(struct tls_roots *r)
{
	free(r->der);
	free(r->certificate);
	*r = (struct tls_roots){ 0 };
}

size_t
tls_roots_find(
	const struct tls_roots *r, struct span subject, const struct certificate **first)
{
	size_t low = 0, high = r->n, n = 0, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (subject_order(r->certificate[middle].subject, subject) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*first = r->certificate + low;
	while (low + n < r->n && span_equal(r->certificate[low + n].subject, subject))
		n++;
	return n;
}
