/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_BODY_H
#define OUTBOUND_VMESS_BODY_H

#include "base/aead.h"
#include "outbound/outbound.h"
#include "outbound/vmess_mask.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The chunks of one direction of a VMess connection.  A chunk is a length of two
 * bytes (masked, or sealed with a tag of its own), the sealed payload with its tag, and
 * padding.  Each call moves on by one chunk, so both sides must see every chunk, in
 * order.  Without VMESS_CHUNKED there are none: the bytes stand for themselves, and
 * nothing here but init and fini may be called.
 */
struct vmess_body {
	struct vmess_lengths
		*lengths; /* how they are sealed; owned; NULL: they are not */
	struct aead aead;
	struct vmess_mask mask; /* its seed, but for two bytes, is in each nonce */
	uint16_t counter;       /* wraps: that is how the protocol is */
	uint8_t field;          /* bytes of a length field; 0: raw */
	bool sealed : 1;        /* false: security `none` or `zero` */
	bool raw : 1;           /* there are no chunks */
	bool masked : 1, padded : 1;
};

_Static_assert(sizeof(struct vmess_body) <= 96, "there are two for each idle flow");

/* How the chunk whose length was just read is made up. */
struct vmess_chunk {
	uint16_t size; /* of all that follows the length field */
	uint16_t len;  /* of the payload; 0: the end mark */
};

enum {
	VMESS_LENGTH = 2, /* of a length field; see vmess_body.field */
	VMESS_LENGTH_MAX = VMESS_LENGTH + AEAD_TAG,
	VMESS_PAD_MAX = 63,
	/* What a chunk needs beside its payload, at most. */
	VMESS_OVERHEAD = VMESS_LENGTH_MAX + AEAD_TAG + VMESS_PAD_MAX,
	/* All servers take this much at once (vmess.md 8.7). */
	VMESS_PAYLOAD_MAX = 16384 - AEAD_TAG - 64,
};

/* `options` are those of enum vmess_option. */
void vmess_body_init(struct vmess_body *b, enum vmess_security security, unsigned options,
	const uint8_t key[static 16], const uint8_t iv[static 16]);
/* With VMESS_SEALED_LENGTHS, after init: the request's key and IV, in either direction.
 * 0, or -ENOMEM. */
int vmess_body_seal_lengths(
	struct vmess_body *b, const uint8_t key[static 16], const uint8_t iv[static 16]);
void vmess_body_fini(struct vmess_body *b);

/*
 * Makes a chunk of the len bytes at `from`, which may be chunk + b->field; beside them it
 * takes VMESS_OVERHEAD bytes at most. Returns the length of the whole chunk, of which the
 * last *pad bytes are padding that the caller fills with random.
 */
size_t vmess_body_seal(struct vmess_body *b, uint8_t *chunk, const uint8_t *from,
	size_t len, size_t *pad);

/* Reads a length field of b->field bytes, which it may write to. 0, or -EBADMSG: no chunk
 * can be that short, nor longer than UINT16_MAX, or the field is damaged. */
int vmess_body_length(struct vmess_body *b, uint8_t *field, struct vmess_chunk *c);
/* Opens the c->size bytes at p, and leaves the payload, c->len bytes, at `to`, which may be
 * p. 0, or -EBADMSG. */
int vmess_body_open(
	struct vmess_body *b, const struct vmess_chunk *c, const uint8_t *p, uint8_t *to);

#endif
