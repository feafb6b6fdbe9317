/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_ROOTS_H
#define STREAM_TLS_ROOTS_H

#include "base/err.h"
#include "stream/tls_certificate.h"

/*
 * Certificates that are trusted, found by their names.  The bundles of systems have 120
 * to 150 of them.
 */
struct tls_roots {
	uint8_t *der;                    /* of all of them; owned */
	struct certificate *certificate; /* sorted by subject; owned */
	size_t n;
	size_t cap, der_len, der_cap; /* while they are added */
};

enum { TLS_ROOTS_MAX = 4096, TLS_BUNDLE_MAX = 8 << 20 };

/*
 * Adds what a PEM text holds, then sorts. Certificates that cannot be read are left out,
 * as long as there is one that can. 0, or -1 and why. `where` is for the message.
 */
int tls_roots_add(struct tls_roots *r, const char *pem, size_t len, const char *where,
	struct err *e);
/* The same from a file. */
int tls_roots_read(struct tls_roots *r, const char *path, struct err *e);
/* From the file that SSL_CERT_FILE names, else from the first that is there of the places
 * where systems keep theirs. `root` stands before each of these: "", but for tests. */
int tls_roots_read_system(struct tls_roots *r, const char *root, struct err *e);
void tls_roots_fini(struct tls_roots *r);
/* Those with this subject: how many, from *first on. */
size_t tls_roots_find(
	const struct tls_roots *r, struct span subject, const struct certificate **first);

#endif
