/* SPDX-License-Identifier: MIT */
#include "base/aead_inside.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

/*
 * A context is made once a key, and takes a new nonce for each message, without any
 * allocation.  The two ciphers are fetched once in a process.
 */
static struct {
	bool asked;
	EVP_CIPHER *gcm, *chacha;
} ciphers;

/* In a library context of our own: the machine's openssl.cnf is about TLS, and reading it
 * takes two thirds of the time. */
static void
ciphers_fetch(void)
{
	OSSL_LIB_CTX *own = OSSL_LIB_CTX_new();

	ciphers.asked = true;
	if (!own)
		return;
	ciphers.gcm = EVP_CIPHER_fetch(own, "AES-128-GCM", NULL);
	ciphers.chacha = EVP_CIPHER_fetch(own, "ChaCha20-Poly1305", NULL);
}

static const EVP_CIPHER *
cipher_of(enum aead_kind kind)
{
	switch (kind) {
	case AEAD_AES128_GCM:
		return ciphers.gcm;
	case AEAD_CHACHA20_POLY1305:
		return ciphers.chacha;
	}
	return NULL;
}

static void
forget(struct aead_keyed *k)
{
	EVP_CIPHER_CTX_free(k->u.context);
	memset(k, 0, sizeof *k);
}

static int
take(struct aead_keyed *k, const struct aead *a)
{
	if (!k->u.context)
		k->u.context = EVP_CIPHER_CTX_new();
	if (!k->u.context)
		return -ENOMEM;
	if (EVP_CipherInit_ex2(k->u.context, cipher_of(a->kind), a->key, NULL, 1, NULL) !=
		1) {
		forget(k);
		return -ENOMEM;
	}
	k->kind = a->kind;
	return 0;
}

static OSSL_PARAM
tag_param(uint8_t tag[static AEAD_TAG])
{
	return OSSL_PARAM_construct_octet_string(
		OSSL_CIPHER_PARAM_AEAD_TAG, tag, AEAD_TAG);
}

/* All of a message but its tag. */
static int
run(EVP_CIPHER_CTX *c, const struct aead_message *m)
{
	uint8_t rest[AEAD_TAG];
	int n;

	assert(m->len <= INT_MAX && m->aadlen <= INT_MAX);
	if (m->aadlen && EVP_CipherUpdate(c, NULL, &n, m->aad, (int)m->aadlen) != 1)
		return -EBADMSG;
	if (m->len && EVP_CipherUpdate(c, m->to, &n, m->from, (int)m->len) != 1)
		return -EBADMSG;
	return EVP_CipherFinal_ex(c, rest, &n) == 1 ? 0 : -EBADMSG;
}

/* Nothing here can fail but for a bug, and what is half sealed must not go out. */
static void
seal(struct aead_keyed *k, const struct aead_message *m, uint8_t tag[static AEAD_TAG])
{
	EVP_CIPHER_CTX *c = k->u.context;
	OSSL_PARAM with[] = { tag_param(tag), OSSL_PARAM_END };

	if (EVP_CipherInit_ex2(c, NULL, NULL, m->nonce, 1, NULL) != 1 || run(c, m) < 0 ||
		EVP_CIPHER_CTX_get_params(c, with) != 1)
		abort();
}

static int
open(struct aead_keyed *k, const struct aead_message *m,
	const uint8_t tag[static AEAD_TAG])
{
	EVP_CIPHER_CTX *c = k->u.context;
	uint8_t right[AEAD_TAG];
	OSSL_PARAM with[] = { tag_param(right), OSSL_PARAM_END };

	memcpy(right, tag, AEAD_TAG);
	if (EVP_CipherInit_ex2(c, NULL, NULL, m->nonce, 0, with) == 1 && run(c, m) == 0)
		return 0;
	/* Else the next call about TLS would find this error, and take it for its own. */
	ERR_clear_error();
	return -EBADMSG;
}

static const struct aead_library library = {
	.take = take,
	.forget = forget,
	.seal = seal,
	.open = open,
};

const struct aead_library *
aead_openssl(void)
{
	if (!ciphers.asked)
		ciphers_fetch();
	return ciphers.gcm && ciphers.chacha ? &library : NULL;
}

/*
 * BearSSL knows the AES of x86 and POWER only.  What OpenSSL has found on an ARM it tells
 * as "OPENSSL_armcap=0x...", where bit 2 is AES and bit 5 the multiplication for GHASH
 * (arm_arch.h: ARMV8_AES, ARMV8_PMULL).
 */
bool
aead_openssl_in_hardware(void)
{
	static const char name[] = "OPENSSL_armcap=";
	const unsigned long both = 1UL << 2 | 1UL << 5;
	const char *found = OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS);

	if (!found || strncmp(found, name, sizeof name - 1) != 0 || !aead_openssl())
		return false;
	return (strtoul(found + sizeof name - 1, NULL, 16) & both) == both;
}
