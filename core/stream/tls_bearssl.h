/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_BEARSSL_H
#define STREAM_TLS_BEARSSL_H

#include "stream/tls_inside.h"

#include <bearssl.h>

/*
 * BearSSL's engine is four windows already, and they are lent as they are: the lower
 * stream reads and writes in the engine's own buffers.  A record out has 4 KiB.
 */
enum { TLS_RECORD_OUT = 4096 + 85 };

/* The chain as it comes, for br_x509_class. */
struct receiver {
	const br_x509_class *vtable;
	struct tls_stream *t;
	uint8_t *to;      /* where the certificate goes; NULL: it is passed over */
	size_t len;       /* of it, so far */
	br_x509_pkey key; /* points into the chain */
};

/* A connection's memory: 25 KB, taken when the lower stream is up. */
struct engine {
	br_ssl_client_context client;
	struct receiver receiver;
	uint8_t in[BR_SSL_BUFSIZE_INPUT];
	uint8_t out[TLS_RECORD_OUT];
};

struct bearssl {
	struct tls_stream t;
	struct engine *engine; /* a block of the stock's; NULL before the handshake */
	bool written;          /* the lower stream may still hold some of it back */
};

/*
 * A client that was set up once is copied for each connection: the library asks the
 * processor (CPUID) at every set-up, which costs 7 us and more in a virtual machine,
 * several times.  Nothing in a client that has not begun points into itself.
 */
struct tls_bearssl_setup {
	br_ssl_client_context client;
	br_x509_minimal_context unused; /* what the set-up of the library wants */
	br_ssl_session_parameters session;
	uint64_t session_until; /* loop_now(); 0: there is none */
};

static inline struct bearssl *
bearssl_of(const struct stream *s)
{
	return container_of(tls_of(s), struct bearssl, t);
}

static inline br_ssl_engine_context *
engine_of(const struct bearssl *b)
{
	return &b->engine->client.eng;
}

/* Gives the chain that comes to t, and the library its verdict. */
void tls_bearssl_receive(struct receiver *r, struct tls_stream *t);
const char *tls_bearssl_suite_name(uint16_t suite); /* NULL: none that is offered */
int tls_bearssl_setup_init(struct tls_setup *t, struct err *e);
void tls_bearssl_setup_fini(struct tls_setup *t);

#endif
