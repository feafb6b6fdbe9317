/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_BODY_H
#define OUTBOUND_VMESS_BODY_H

#include "base/aead.h"
#include "base/digest.h"
#include "outbound/outbound.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The chunks of one direction of a VMess connection.  A chunk is a length of two
 * bytes (masked), the sealed payload with its tag, and padding.  Each call
 * moves on by one chunk, so both sides must see every chunk, in order.
 */
struct vmess_body {
	struct aead aead;
	struct shake128 mask;
	uint16_t counter; /* wraps: that is how the protocol is */
	uint8_t iv[10];   /* the constant part of the nonce */
	bool sealed;      /* false: security `none` */
	bool masked, padded;
};

/* How the chunk whose length was just read is made up. */
struct vmess_chunk {
	size_t size; /* of all that follows the length field */
	size_t len;  /* of the payload; 0: the end mark */
};

enum {
	VMESS_LENGTH = 2, /* of the length field */
	VMESS_PAD_MAX = 63,
	/* What a chunk needs beside its payload, at most. */
	VMESS_OVERHEAD = VMESS_LENGTH + AEAD_TAG + VMESS_PAD_MAX,
	/* All servers take this much at once (vmess.md 8.7). */
	VMESS_PAYLOAD_MAX = 16384 - AEAD_TAG - 64,
};

/* `options` are those of enum vmess_option. */
void vmess_body_init(struct vmess_body *b, enum vmess_security security, unsigned options,
	const uint8_t key[static 16], const uint8_t iv[static 16]);
void vmess_body_fini(struct vmess_body *b);

/*
 * Makes a chunk of the len bytes at chunk + VMESS_LENGTH, in place; there must be
 * VMESS_OVERHEAD bytes beside them. Returns the length of the whole chunk, of
 * which the last *pad bytes are padding that the caller fills with random.
 */
size_t vmess_body_seal(struct vmess_body *b, uint8_t *chunk, size_t len, size_t *pad);

/* Reads a length field. 0, or -EBADMSG: no chunk can be that short. */
int vmess_body_length(struct vmess_body *b, const uint8_t field[static VMESS_LENGTH],
	struct vmess_chunk *c);
/* Opens the c->size bytes at p in place: the payload is then the first c->len of them. 0,
 * or -EBADMSG. */
int vmess_body_open(struct vmess_body *b, const struct vmess_chunk *c, uint8_t *p);

#endif
