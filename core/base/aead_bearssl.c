/* SPDX-License-Identifier: MIT */
#include "base/aead_inside.h"
#include "base/bytes.h"

#include <assert.h>
#include <bearssl.h>
#include <errno.h>
#include <string.h>

/*
 * GCM is put together here from the library's CTR and GHASH and not by its own
 * br_gcm_context: that one holds a pointer to the key schedule, and enciphers a
 * block more a message.  They run over a chunk one after the other: both in turns
 * over pieces of 256 bytes to 8 KB was measured, and is slower, since a chunk of
 * 16 KB stays in the nearest cache between the two.
 */

struct gcm {
	br_aes_gen_ctr_keys ctr;
	br_ghash ghash;
	uint8_t h[16]; /* the enciphered zero block, NIST SP 800-38D, 7.1 */
};

static_assert(sizeof(struct gcm) <= sizeof(((struct aead_keyed *)0)->u.schedule),
	"struct aead_keyed holds the key schedule");
static_assert(_Alignof(struct gcm) <= _Alignof(uint64_t), "and is aligned for it");

static struct gcm *
gcm_of(struct aead_keyed *k)
{
	return (struct gcm *)(void *)k->u.schedule;
}

/*
 * What this processor does best.  The library asks it by CPUID at every call,
 * which costs 7 us and more in a virtual machine, several times a connection;
 * so it is asked once.  This is written once and never changed.
 */
static struct {
	const br_block_ctr_class *ctr; /* NULL: not asked yet */
	const br_block_cbcenc_class *cbcenc;
	const br_block_cbcdec_class *cbcdec;
	br_ghash ghash;
	bool in_hardware; /* both AES and GHASH */
} best;

static void
best_find(void)
{
	const br_block_ctr_class *ctr;
	br_ghash ghash;

	if (best.ctr)
		return;
	ctr = br_aes_x86ni_ctr_get_vtable();
	ghash = br_ghash_pclmul_get();
	best.ctr = ctr ? ctr : &br_aes_ct64_ctr_vtable;
	best.cbcenc = ctr ? br_aes_x86ni_cbcenc_get_vtable() : &br_aes_ct64_cbcenc_vtable;
	best.cbcdec = ctr ? br_aes_x86ni_cbcdec_get_vtable() : &br_aes_ct64_cbcdec_vtable;
	best.ghash = ghash ? ghash : br_ghash_ctmul64;
	best.in_hardware = ctr && ghash;
}

bool
aead_bearssl_in_hardware(void)
{
	best_find();
	return best.in_hardware;
}

/* These two are known when the library is built, and asking costs nothing. */

static br_chacha20_run
chacha20_best(void)
{
	br_chacha20_run run = br_chacha20_sse2_get();

	return run ? run : br_chacha20_ct_run;
}

static br_poly1305_run
poly1305_best(void)
{
	br_poly1305_run run = br_poly1305_ctmulq_get();

	return run ? run : br_poly1305_ctmul_run;
}

static void
gcm_init(struct gcm *g, const uint8_t key[static 16])
{
	static const uint8_t zero[12];

	best_find();
	best.ctr->init(&g->ctr.vtable, key, 16);
	g->ghash = best.ghash;
	/* Counter mode over zeros gives the enciphered counter block itself. */
	memset(g->h, 0, sizeof g->h);
	g->ctr.vtable->run(&g->ctr.vtable, zero, 0, g->h, sizeof g->h);
}

/* SP 800-38D, 7.1: the counter starts at 1 with the block that hides the tag. */
static void
gcm_crypt(const struct gcm *g, const struct aead_message *m)
{
	g->ctr.vtable->run(&g->ctr.vtable, m->nonce, 2, m->to, m->len);
}

static void
gcm_tag(const struct gcm *g, const struct aead_message *m, uint8_t tag[static AEAD_TAG])
{
	uint8_t sum[16] = { 0 }, lengths[16];
	int i;

	g->ghash(sum, g->h, m->aad, m->aadlen);
	g->ghash(sum, g->h, m->to, m->len);
	be64_put(lengths, (uint64_t)m->aadlen * 8);
	be64_put(lengths + 8, (uint64_t)m->len * 8);
	g->ghash(sum, g->h, lengths, sizeof lengths);
	memset(tag, 0, AEAD_TAG);
	g->ctr.vtable->run(&g->ctr.vtable, m->nonce, 1, tag, AEAD_TAG);
	for (i = 0; i < AEAD_TAG; i++)
		tag[i] ^= sum[i];
}

/* Enciphers or deciphers, and makes the tag, which is that of what is enciphered. */
static void
chacha_run(const struct aead_keyed *k, const struct aead_message *m,
	uint8_t tag[static AEAD_TAG], bool encrypt)
{
	poly1305_best()(k->u.schedule, m->nonce, m->to, m->len, m->aad, m->aadlen, tag,
		chacha20_best(), encrypt);
}

static int
take(struct aead_keyed *k, const struct aead *a)
{
	k->kind = a->kind;
	switch (a->kind) {
	case AEAD_AES128_GCM:
		gcm_init(gcm_of(k), a->key);
		break;
	case AEAD_CHACHA20_POLY1305:
		memcpy(k->u.schedule, a->key, 32);
		break;
	}
	return 0;
}

/* The library works in place. */
static void
bring(const struct aead_message *m)
{
	if (m->len && m->from != m->to)
		memcpy(m->to, m->from, m->len);
}

static void
forget(struct aead_keyed *k)
{
	bytes_wipe(k, sizeof *k);
}

static void
seal(struct aead_keyed *k, const struct aead_message *m, uint8_t tag[static AEAD_TAG])
{
	bring(m);
	switch (k->kind) {
	case AEAD_AES128_GCM:
		gcm_crypt(gcm_of(k), m);
		gcm_tag(gcm_of(k), m, tag);
		break;
	case AEAD_CHACHA20_POLY1305:
		chacha_run(k, m, tag, true);
		break;
	}
}

static int
open(struct aead_keyed *k, const struct aead_message *m,
	const uint8_t tag[static AEAD_TAG])
{
	uint8_t right[AEAD_TAG] = { 0 };

	bring(m);
	switch (k->kind) {
	case AEAD_AES128_GCM:
		gcm_tag(gcm_of(k), m, right);
		break;
	case AEAD_CHACHA20_POLY1305:
		chacha_run(k, m, right, false);
		break;
	}
	if (!bytes_equal_secret(right, tag, AEAD_TAG))
		return -EBADMSG;
	if (k->kind == AEAD_AES128_GCM)
		gcm_crypt(gcm_of(k), m);
	return 0;
}

const struct aead_library aead_bearssl = {
	.take = take,
	.forget = forget,
	.seal = seal,
	.open = open,
};

/* One block of ECB is one of CBC with a first vector of zeros. */

void
aes128_block(
	const uint8_t key[static 16], const uint8_t in[static 16], uint8_t out[static 16])
{
	br_aes_gen_cbcenc_keys k;
	uint8_t iv[16] = { 0 };

	best_find();
	memmove(out, in, 16);
	best.cbcenc->init(&k.vtable, key, 16);
	best.cbcenc->run(&k.vtable, iv, out, 16);
	bytes_wipe(&k, sizeof k);
}

void
aes128_unblock(
	const uint8_t key[static 16], const uint8_t in[static 16], uint8_t out[static 16])
{
	br_aes_gen_cbcdec_keys k;
	uint8_t iv[16] = { 0 };

	best_find();
	memmove(out, in, 16);
	best.cbcdec->init(&k.vtable, key, 16);
	best.cbcdec->run(&k.vtable, iv, out, 16);
	bytes_wipe(&k, sizeof k);
}

void
chacha20_stream(const uint8_t key[static 32], void *p, size_t len)
{
	static const uint8_t nonce[12];

	memset(p, 0, len);
	chacha20_best()(key, nonce, 0, p, len);
}
