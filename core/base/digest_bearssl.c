/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include <assert.h>
#include <bearssl.h>

/* SHA-256 in a build without OpenSSL. */

static_assert(sizeof(struct sha256) >= sizeof(br_sha256_context),
	"struct sha256 holds the library's context");
static_assert(_Alignof(struct sha256) >= _Alignof(br_sha256_context),
	"struct sha256 is aligned for it");

void
sha256_init(struct sha256 *h)
{
	br_sha256_init((br_sha256_context *)(void *)h);
}

void
sha256_add(struct sha256 *h, const void *p, size_t len)
{
	br_sha256_update((br_sha256_context *)(void *)h, p, len);
}

void
sha256_out(const struct sha256 *h, uint8_t out[static SHA256_LEN])
{
	br_sha256_out((const br_sha256_context *)(const void *)h, out);
}
