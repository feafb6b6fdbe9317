/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_TLS_PEER_H
#define UNIT_STREAM_TLS_PEER_H

#include "unit/stream/memory.h"

#include <bearssl.h>

/*
 * The server that TLS streams are tested against: BearSSL's, behind the memory of a
 * scripted lower stream.  It has a certificate that tests/unit/stream_tls/certificates.sh
 * made, and remembers sessions, so that thousands of handshakes are cheap.
 */
enum { IDENTITY_CHAIN_MAX = 20 };

struct identity {
	br_x509_certificate chain[IDENTITY_CHAIN_MAX]; /* owned */
	size_t n;
	br_skey_decoder_context key;
	br_ssl_server_context
		server; /* set up; copied, since the library asks the processor
					 * at each set-up */
	br_ssl_session_cache_lru sessions;
	uint8_t session_memory[4096];
};

struct peer {
	br_ssl_server_context server;
	struct memory *m;
	size_t heard; /* of m->out */
	void (*got)(void *arg, const uint8_t *p, size_t len);
	void *arg;
	bool deaf; /* does not read */
	uint8_t buffer[BR_SSL_BUFSIZE_BIDI];
};

/* The whole text of a file that certificates.sh made; the caller frees it. */
char *certificates_text(const char *name);
/* `key` without .key, `chain` without .pem, separated by spaces. */
void identity_load(struct identity *id, const char *key, const char *chain);
void identity_free(struct identity *id);

void peer_init(struct peer *p, struct identity *id, struct memory *m);
/* Everything that can be done with what was written so far. */
void peer_pump(struct peer *p);
void peer_say(struct peer *p, const uint8_t *bytes, size_t len);
/* Sends close_notify. */
void peer_end(struct peer *p);
bool peer_ended(const struct peer *p);

#endif
