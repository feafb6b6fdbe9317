/* SPDX-License-Identifier: MIT */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* Digests: one-shot where that is all that is needed, incremental where it is not. */

enum { MD5_LEN = 16, SHA1_LEN = 20, SHA256_LEN = 32 };

void md5(const void *p, size_t len, uint8_t out[static MD5_LEN]);
void sha1(const void *p, size_t len, uint8_t out[static SHA1_LEN]);
void sha256(const void *p, size_t len, uint8_t out[static SHA256_LEN]);
/* HMAC-MD5 (RFC 2104), for the legacy VMess header. */
void hmac_md5(const void *key, size_t keylen, const void *p, size_t len,
	uint8_t out[static MD5_LEN]);

/* SHA-256 that can be copied half-way, which nested HMACs live from. */
struct sha256 {
	uint64_t state[16]; /* opaque; large enough for the library's context */
};
void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *p, size_t len);
void sha256_out(const struct sha256 *h, uint8_t out[static SHA256_LEN]); /* h may go on */

/* SHAKE128 (FIPS 202): absorb once, then draw two bytes at a time. */
struct shake128 {
	uint64_t state[25];
	size_t used; /* bytes of the current block that are drawn */
};
void shake128_init(struct shake128 *s, const void *p, size_t len);
uint16_t
shake128_be16(struct shake128 *s); /* the next two bytes as a big-endian number */
void shake128_skip(struct shake128 *s, size_t n); /* as if n of them were drawn */

uint32_t crc32_ieee(const void *p, size_t len); /* reflected 0xEDB88320, as in zlib */
uint32_t fnv1a32(const void *p, size_t len);

#endif
