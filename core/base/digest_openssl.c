/* SPDX-License-Identifier: MIT */
/* Its contexts of the newer kind cannot be copied without an allocation. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/bytes.h"
#include "base/digest.h"

#include <assert.h>
#include <openssl/sha.h>

/*
 * SHA-256 by the instructions that processors have for it, which BearSSL does not use: a
 * VMess header takes a hundred blocks, each of them in a quarter of the time.
 */

static_assert(sizeof(struct sha256) >= sizeof(SHA256_CTX),
	"struct sha256 holds the library's context");
static_assert(_Alignof(struct sha256) >= _Alignof(SHA256_CTX),
	"struct sha256 is aligned for it");

void
sha256_init(struct sha256 *h)
{
	SHA256_Init((SHA256_CTX *)(void *)h);
}

void
sha256_add(struct sha256 *h, const void *p, size_t len)
{
	SHA256_Update((SHA256_CTX *)(void *)h, p, len);
}

void
sha256_out(const struct sha256 *h, uint8_t out[static SHA256_LEN])
{
	SHA256_CTX copy = *(const SHA256_CTX *)(const void *)h;

	SHA256_Final(out, &copy);
	bytes_wipe(&copy, sizeof copy);
}
