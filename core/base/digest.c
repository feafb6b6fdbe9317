/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include <bearssl.h>

void
md5(const void *p, size_t len, uint8_t out[static MD5_LEN])
{
	br_md5_context h;

	br_md5_init(&h);
	br_md5_update(&h, p, len);
	br_md5_out(&h, out);
}

void
sha1(const void *p, size_t len, uint8_t out[static SHA1_LEN])
{
	br_sha1_context h;

	br_sha1_init(&h);
	br_sha1_update(&h, p, len);
	br_sha1_out(&h, out);
}

void
sha256(const void *p, size_t len, uint8_t out[static SHA256_LEN])
{
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, p, len);
	sha256_out(&h, out);
}

void
hmac_md5(const void *key, size_t keylen, const void *p, size_t len,
	uint8_t out[static MD5_LEN])
{
	br_hmac_key_context k;
	br_hmac_context h;

	br_hmac_key_init(&k, &br_md5_vtable, key, keylen);
	br_hmac_init(&h, &k, 0);
	br_hmac_update(&h, p, len);
	br_hmac_out(&h, out);
}

/* Four bits at a time: the checksum guards headers of some dozen bytes, and a table of 64
 * bytes stays in the cache. */
uint32_t
crc32_ieee(const void *p, size_t len)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, /* 0 to 3 */
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, /* 4 to 7 */
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, /* 8 to b */
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c, /* c to f */
	};
	const uint8_t *b = p;
	uint32_t crc = UINT32_MAX;

	for (; len; b++, len--) {
		crc ^= *b;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

uint32_t
fnv1a32(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint32_t hash = 0x811c9dc5;

	for (; len; b++, len--)
		hash = (hash ^ *b) * 0x01000193;
	return hash;
}
