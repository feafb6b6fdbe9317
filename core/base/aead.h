/* SPDX-License-Identifier: MIT */
#ifndef BASE_AEAD_H
#define BASE_AEAD_H

#include <stddef.h>
#include <stdint.h>

/*
 * Authenticated encryption.  This face and digest.h are all that the
 * program knows of the cipher libraries; aead.c picks the fastest implementation
 * that was built in and that this processor has.
 */
enum aead_kind { AEAD_AES128_GCM, AEAD_CHACHA20_POLY1305 };

enum { AEAD_TAG = 16, AEAD_NONCE = 12, AEAD_KEY_MAX = 32 };

/*
 * A key, and no more: what the libraries compute from it is ten to thirty times as large,
 * and is kept for the keys that were used last only.  It may be copied.
 */
struct aead {
	uint64_t number; /* of the key in this process, by which those know it again */
	enum aead_kind kind;
	uint8_t key[AEAD_KEY_MAX];
};

/* `key` has 16 bytes for AES-128-GCM and 32 for ChaCha20-Poly1305. */
void aead_init(struct aead *a, enum aead_kind kind, const uint8_t *key);
/* Wipes the key, and what was computed from it. Zeros are fine. */
void aead_fini(struct aead *a);

/* A message, without its tag. */
struct aead_message {
	const uint8_t *nonce; /* AEAD_NONCE bytes */
	const void *aad;
	size_t aadlen;
	const uint8_t *from; /* where the bytes are, */
	uint8_t *to;         /* and where they go: to the same place, or one apart */
	size_t len;
};

void aead_encrypt(
	const struct aead *a, const struct aead_message *m, uint8_t tag[static AEAD_TAG]);
/* 0, or -EBADMSG and the bytes at m->to are then of no use. */
int aead_decrypt(const struct aead *a, const struct aead_message *m,
	const uint8_t tag[static AEAD_TAG]);
/* The same for len bytes at p, in place. */
void
aead_seal(const struct aead *a, const uint8_t nonce[static AEAD_NONCE], const void *aad,
	size_t aadlen, uint8_t *p, size_t len, uint8_t tag[static AEAD_TAG]);
int
aead_open(const struct aead *a, const uint8_t nonce[static AEAD_NONCE], const void *aad,
	size_t aadlen, uint8_t *p, size_t len, const uint8_t tag[static AEAD_TAG]);
/* What `security: auto` takes: the kind that is faster with these libraries on this
 * processor. */
enum aead_kind aead_fastest(void);

/* One block of AES-128-ECB, for the VMess auth id. */
void aes128_block(const uint8_t key[static 16], const uint8_t in[static 16],
	uint8_t out[static 16]);
void aes128_unblock(const uint8_t key[static 16], const uint8_t in[static 16],
	uint8_t out[static 16]);

/* Fills p with the ChaCha20 key stream of `key` from block 0 with a nonce of zeros
 * (RFC 8439, 2.4), for struct rng: a key is good for one call. */
void chacha20_stream(const uint8_t key[static 32], void *p, size_t len);

#endif
