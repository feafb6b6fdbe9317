/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_OPENSSL_H
#define STREAM_TLS_OPENSSL_H

#include "stream/tls_inside.h"

#include <openssl/ssl.h>

/* Sessions that a setup keeps: a ticket of TLS 1.3 is good for one connection, and
 * servers send two a connection. */
enum { SESSIONS_MAX = 8 };

struct tls_openssl_setup {
	SSL_CTX *client;
	BIO_METHOD *below;                  /* the lower stream, as OpenSSL sees it */
	SSL_SESSION *session[SESSIONS_MAX]; /* newest last */
	size_t nsessions;
};

struct openssl {
	struct tls_stream t;
	void *place; /* counts this connection; NULL before the handshake */
	SSL *ssl;
	uint8_t *in, *out; /* blocks, while bytes are in flight */
	size_t in_at, in_end, out_at, out_end;
	X509_STORE_CTX *verifying;
	bool lower_ended;
};

static inline struct openssl *
openssl_of(const struct stream *s)
{
	return container_of(tls_of(s), struct openssl, t);
}

/* The lower stream, as OpenSSL sees it; its data is the struct openssl. NULL: no memory. */
BIO_METHOD *tls_openssl_below(void);
int tls_openssl_setup_init(struct tls_setup *t, struct err *e);
void tls_openssl_setup_fini(struct tls_setup *t);
/* Puts the trust anchors of the stock and the setup into a store for its client.
 * 0; -1 and why. */
int tls_openssl_roots(struct tls_setup *t, struct err *e);
/* For SSL_CTX_set_cert_verify_callback. */
int tls_openssl_verify(X509_STORE_CTX *x, void *unused);

#endif
