/* SPDX-License-Identifier: MIT */
#ifndef UNIT_OUTBOUND_SERVER_H
#define UNIT_OUTBOUND_SERVER_H

#include "base/aead.h"
#include "base/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The other half of VMess in memory, for tests: written from the wire alone and
 * sharing no code with the client but ciphers and digests.  It takes AEAD
 * headers, old ones of one alternative id, and the bodies that sluice speaks.
 */
struct server_way {
	struct aead aead, *sealed; /* NULL: security none */
	struct shake128 mask;
	uint8_t iv[16];
	uint16_t counter;
	/* For sealed lengths. */
	struct aead length;
	uint8_t length_iv[16];
	uint16_t length_counter;
};

struct server {
	uint8_t command_key[16];
	bool old; /* takes old headers */
	uint8_t alter_id[16];
	bool greeted, answered, ended;
	/* What the header said. */
	int64_t time;
	uint8_t key[16], iv[16], tag, options, security, command, type;
	uint16_t port;
	uint8_t address[256]; /* a name ends in NUL */
	struct server_way up, down;
	size_t chunks;    /* heard, but for the end mark */
	size_t chunk_max; /* of payload in what it says; 0: 2,000 */
};

void server_init(struct server *s, const uint8_t id[static 16]);
/* From now on it takes old headers only, which this id says at this time. */
void server_init_old(struct server *s, const uint8_t alter_id[static 16], int64_t time);
void server_fini(struct server *s);
/*
 * Takes whole pieces of what the client wrote, and moves *at. Payload goes to `heard`. 0,
 * or -1: not VMess, or not for this user.
 */
int server_hear(struct server *s, const uint8_t *wire, size_t len, size_t *at,
	void (*heard)(void *arg, const uint8_t *p, size_t len), void *arg);
/* Writes the answer's bytes to `say`: its header first, then chunks; len 0: the end mark. */
void server_say(struct server *s, const uint8_t *p, size_t len,
	void (*say)(void *arg, const uint8_t *p, size_t len), void *arg);
/* The header alone, as a server does whose target refused. */
void server_answer(struct server *s, void (*say)(void *arg, const uint8_t *p, size_t len),
	void *arg);
/* A header with this plaintext, well or badly formed; at most 1,024 bytes. */
void server_answer_plain(struct server *s, const uint8_t *p, size_t len,
	void (*say)(void *arg, const uint8_t *p, size_t len), void *arg);

#endif
