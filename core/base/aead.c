/* SPDX-License-Identifier: MIT */
#include "base/aead.h"

#include "base/aead_inside.h"
#include "base/bytes.h"

#include <string.h>

/*
 * BearSSL is there always.  Where OpenSSL was built in, it is asked for what it does
 * faster, from this many bytes on: chunks of 16 KB by a fifth with AES-GCM, and by a
 * factor of five with ChaCha20-Poly1305.  Below, what it costs to set up a call weighs
 * more.
 */
enum { GCM_LONG = 1024, CHACHA_LONG = 128 };

/*
 * Keys that were used last, ready: which place a key has follows from its number, and
 * whoever finds another one there takes the place, for a quarter of a microsecond.  Idle
 * connections, of which there may be ten thousand, keep their keys and nothing else.
 * These belong to the one thread that there is.
 */
enum { PLACES = 64 };
static struct aead_keyed by_bearssl[PLACES], by_openssl[PLACES];

/* A library with its form of a key. */
struct cipher {
	const struct aead_library *library;
	struct aead_keyed *keyed;
};

/* k, with the key of `a` in it. */
static int
keyed_ready(struct aead_keyed *k, const struct aead_library *l, const struct aead *a)
{
	int r;

	if (k->number == a->number)
		return 0;
	k->number = 0;
	r = l->take(k, a);
	if (r == 0)
		k->number = a->number;
	return r;
}

/* What is best for a message of len bytes. */
static struct cipher
cipher_for(const struct aead *a, size_t len)
{
	size_t place = a->number % PLACES;
	struct cipher c = { NULL, &by_openssl[place] };

	if (len >= (a->kind == AEAD_AES128_GCM ? GCM_LONG : CHACHA_LONG))
		c.library = aead_openssl();
	if (c.library && keyed_ready(c.keyed, c.library, a) == 0)
		return c;
	c.library = &aead_bearssl;
	c.keyed = &by_bearssl[place];
	keyed_ready(c.keyed, c.library, a);
	return c;
}

void
aead_init(struct aead *a, enum aead_kind kind, const uint8_t *key)
{
	static uint64_t last;

	memset(a, 0, sizeof *a);
	a->number = ++last;
	a->kind = kind;
	memcpy(a->key, key, kind == AEAD_AES128_GCM ? 16 : 32);
}

void
aead_fini(struct aead *a)
{
	size_t place = a->number % PLACES;

	if (by_bearssl[place].number == a->number)
		aead_bearssl.forget(&by_bearssl[place]);
	if (by_openssl[place].number == a->number && a->number)
		aead_openssl()->forget(&by_openssl[place]);
	bytes_wipe(a, sizeof *a);
}

void
aead_encrypt(
	const struct aead *a, const struct aead_message *m, uint8_t tag[static AEAD_TAG])
{
	struct cipher c = cipher_for(a, m->len);

	c.library->seal(c.keyed, m, tag);
}

int
aead_decrypt(const struct aead *a, const struct aead_message *m,
	const uint8_t tag[static AEAD_TAG])
{
	struct cipher c = cipher_for(a, m->len);

	return c.library->open(c.keyed, m, tag);
}

void
aead_seal(const struct aead *a, const uint8_t nonce[static AEAD_NONCE], const void *aad,
	size_t aadlen, uint8_t *p, size_t len, uint8_t tag[static AEAD_TAG])
{
	const struct aead_message m = { nonce, aad, aadlen, p, p, len };

	aead_encrypt(a, &m, tag);
}

int
aead_open(const struct aead *a, const uint8_t nonce[static AEAD_NONCE], const void *aad,
	size_t aadlen, uint8_t *p, size_t len, const uint8_t tag[static AEAD_TAG])
{
	const struct aead_message m = { nonce, aad, aadlen, p, p, len };

	return aead_decrypt(a, &m, tag);
}

enum aead_kind
aead_fastest(void)
{
	return aead_bearssl_in_hardware() || aead_openssl_in_hardware()
		? AEAD_AES128_GCM
		: AEAD_CHACHA20_POLY1305;
}
