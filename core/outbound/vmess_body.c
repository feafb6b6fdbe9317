/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_body.h"

#include "base/bytes.h"
#include "outbound/vmess_header.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void
aead_start(struct aead *a, enum vmess_security security, const uint8_t key[static 16])
{
	uint8_t wide[2 * MD5_LEN];

	switch (security) {
	case VMESS_NONE:
		return;
	case VMESS_AES128_GCM:
		aead_init(a, AEAD_AES128_GCM, key);
		return;
	case VMESS_CHACHA20_POLY1305:
		md5(key, 16, wide);
		md5(wide, MD5_LEN, wide + MD5_LEN);
		aead_init(a, AEAD_CHACHA20_POLY1305, wide);
		bytes_wipe(wide, sizeof(wide));
		return;
	}
}

void
vmess_body_init(struct vmess_body *b, enum vmess_security security, unsigned options,
	const uint8_t key[static 16], const uint8_t iv[static 16])
{
	memset(b, 0, sizeof(*b));
	b->sealed = security != VMESS_NONE;
	b->masked = options & VMESS_MASKED;
	b->padded = options & VMESS_PADDED;
	memcpy(b->iv, iv + 2, sizeof(b->iv));
	shake128_init(&b->mask, iv, 16);
	aead_start(&b->aead, security, key);
}

void
vmess_body_fini(struct vmess_body *b)
{
	bytes_wipe(b, sizeof(*b));
}

/* Padding is drawn before the mask, for every chunk (vmess.md 8.3). */
static size_t
draw_padding(struct vmess_body *b)
{
	return b->padded ? shake128_be16(&b->mask) % (VMESS_PAD_MAX + 1) : 0;
}

static uint16_t
draw_mask(struct vmess_body *b)
{
	return b->masked ? shake128_be16(&b->mask) : 0;
}

static void
next_nonce(struct vmess_body *b, uint8_t nonce[static AEAD_NONCE])
{
	be16_put(nonce, b->counter++);
	memcpy(nonce + 2, b->iv, sizeof(b->iv));
}

size_t
vmess_body_seal(struct vmess_body *b, uint8_t *chunk, size_t len, size_t *pad)
{
	uint8_t nonce[AEAD_NONCE];
	uint8_t *p = chunk + VMESS_LENGTH;
	size_t size;

	*pad = draw_padding(b);
	size = len + (b->sealed ? AEAD_TAG : 0) + *pad;
	assert(size <= UINT16_MAX);
	be16_put(chunk, (uint16_t)(size ^ draw_mask(b)));
	if (b->sealed) {
		next_nonce(b, nonce);
		aead_seal(&b->aead, nonce, NULL, 0, p, len, p + len);
	}
	return VMESS_LENGTH + size;
}

int
vmess_body_length(struct vmess_body *b, const uint8_t field[static VMESS_LENGTH],
	struct vmess_chunk *c)
{
	size_t rest = draw_padding(b) + (b->sealed ? AEAD_TAG : 0);

	c->size = (size_t)(be16_get(field) ^ draw_mask(b));
	if (c->size < rest)
		return -EBADMSG;
	c->len = c->size - rest;
	return 0;
}

int
vmess_body_open(struct vmess_body *b, const struct vmess_chunk *c, uint8_t *p)
{
	uint8_t nonce[AEAD_NONCE];

	if (!b->sealed)
		return 0;
	next_nonce(b, nonce);
	return aead_open(&b->aead, nonce, NULL, 0, p, c->len, p + c->len);
}
