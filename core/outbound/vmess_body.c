/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_body.h"

#include "base/bytes.h"
#include "outbound/vmess_header.h"
#include "outbound/vmess_kdf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Few servers want it. */
struct vmess_lengths {
	struct aead aead;
	uint8_t iv[16];
	uint16_t counter;
};

/* ChaCha20-Poly1305 wants twice the key that VMess has (vmess.md 8.2). */
static void
key_widen(uint8_t wide[static 2 * MD5_LEN], const uint8_t key[static 16])
{
	md5(key, 16, wide);
	md5(wide, MD5_LEN, wide + MD5_LEN);
}

static void
aead_start(struct aead *a, enum vmess_security security, const uint8_t key[static 16])
{
	uint8_t wide[2 * MD5_LEN];

	switch (security) {
	case VMESS_NONE:
	case VMESS_ZERO:
		return;
	case VMESS_AES128_GCM:
		aead_init(a, AEAD_AES128_GCM, key);
		return;
	case VMESS_CHACHA20_POLY1305:
		key_widen(wide, key);
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
	b->sealed = security == VMESS_AES128_GCM || security == VMESS_CHACHA20_POLY1305;
	b->raw = !(options & VMESS_CHUNKED);
	b->masked = options & VMESS_MASKED;
	b->padded = options & VMESS_PADDED;
	b->field = b->raw ? 0 : VMESS_LENGTH;
	vmess_mask_init(&b->mask, iv);
	aead_start(&b->aead, security, key);
}

int
vmess_body_seal_lengths(
	struct vmess_body *b, const uint8_t key[static 16], const uint8_t iv[static 16])
{
	static const char salt[] = "auth_len";
	struct vmess_lengths *l = calloc(1, sizeof(*l));
	uint8_t k[VMESS_KDF_LEN], wide[2 * MD5_LEN];
	struct vmess_nest n;

	assert(b->sealed && !b->lengths);
	if (!l)
		return -ENOMEM;
	vmess_nest_init(&n);
	vmess_nest_push(&n, salt, sizeof(salt) - 1);
	vmess_nest_out(&n, key, 16, k);
	key_widen(wide, k);
	aead_init(&l->aead, b->aead.kind,
		b->aead.kind == AEAD_CHACHA20_POLY1305 ? wide : k);
	memcpy(l->iv, iv, sizeof(l->iv));
	b->lengths = l;
	b->field = VMESS_LENGTH_MAX;
	bytes_wipe(k, sizeof(k));
	bytes_wipe(wide, sizeof(wide));
	return 0;
}

static void
lengths_free(struct vmess_lengths *l)
{
	if (!l)
		return;
	aead_fini(&l->aead);
	bytes_wipe(l, sizeof(*l));
	free(l);
}

void
vmess_body_fini(struct vmess_body *b)
{
	aead_fini(&b->aead);
	lengths_free(b->lengths);
	vmess_mask_fini(&b->mask);
	bytes_wipe(b, sizeof(*b));
}

/* Padding is drawn before the mask, for every chunk (vmess.md 8.3). */
static size_t
draw_padding(struct vmess_body *b)
{
	return b->padded ? vmess_mask_draw(&b->mask) % (VMESS_PAD_MAX + 1) : 0;
}

/* The IV, but its first two bytes count. */
static void
nonce_write(
	uint8_t nonce[static AEAD_NONCE], uint16_t counter, const uint8_t iv[static 16])
{
	be16_put(nonce, counter);
	memcpy(nonce + 2, iv + 2, AEAD_NONCE - 2);
}

/* The payload of the next chunk, on its way from one place to another. */
static struct aead_message
next_message(struct vmess_body *b, uint8_t nonce[static AEAD_NONCE], const uint8_t *from,
	uint8_t *to, size_t len)
{
	nonce_write(nonce, b->counter++, b->mask.seed);
	return (struct aead_message){
		.nonce = nonce, .from = from, .to = to, .len = len
	};
}

/* `size` as the length field has it; the mask is drawn only where it is used. */
static void
length_write(struct vmess_body *b, uint8_t *field, size_t size)
{
	struct vmess_lengths *l = b->lengths;
	uint8_t nonce[AEAD_NONCE];

	if (!l) {
		be16_put(field,
			(uint16_t)(size ^ (b->masked ? vmess_mask_draw(&b->mask) : 0)));
		return;
	}
	be16_put(field, (uint16_t)(size - AEAD_TAG));
	nonce_write(nonce, l->counter++, l->iv);
	aead_seal(&l->aead, nonce, NULL, 0, field, VMESS_LENGTH, field + VMESS_LENGTH);
}

/* The size, or -EBADMSG. */
static long
length_read(struct vmess_body *b, uint8_t *field)
{
	struct vmess_lengths *l = b->lengths;
	uint8_t nonce[AEAD_NONCE];
	int r;

	if (!l)
		return be16_get(field) ^ (b->masked ? vmess_mask_draw(&b->mask) : 0);
	nonce_write(nonce, l->counter++, l->iv);
	r = aead_open(
		&l->aead, nonce, NULL, 0, field, VMESS_LENGTH, field + VMESS_LENGTH);
	return r < 0 ? r : be16_get(field) + AEAD_TAG;
}

size_t
vmess_body_seal(struct vmess_body *b, uint8_t *chunk, const uint8_t *from, size_t len,
	size_t *pad)
{
	uint8_t nonce[AEAD_NONCE];
	uint8_t *p = chunk + b->field;
	struct aead_message m;
	size_t size;

	assert(!b->raw);
	*pad = draw_padding(b);
	size = len + (b->sealed ? AEAD_TAG : 0) + *pad;
	assert(size <= UINT16_MAX);
	length_write(b, chunk, size);
	if (b->sealed) {
		m = next_message(b, nonce, from, p, len);
		aead_encrypt(&b->aead, &m, p + len);
	} else if (from != p) {
		memcpy(p, from, len);
	}
	return b->field + size;
}

int
vmess_body_length(struct vmess_body *b, uint8_t *field, struct vmess_chunk *c)
{
	long rest = (long)(draw_padding(b) + (b->sealed ? AEAD_TAG : 0));
	long size = length_read(b, field);

	if (size < rest || size > UINT16_MAX)
		return -EBADMSG;
	c->size = (uint16_t)size;
	c->len = (uint16_t)(size - rest);
	return 0;
}

int
vmess_body_open(
	struct vmess_body *b, const struct vmess_chunk *c, const uint8_t *p, uint8_t *to)
{
	uint8_t nonce[AEAD_NONCE];
	struct aead_message m;

	if (b->sealed) {
		m = next_message(b, nonce, p, to, c->len);
		return aead_decrypt(&b->aead, &m, p + c->len);
	}
	if (to != p)
		memcpy(to, p, c->len);
	return 0;
}
