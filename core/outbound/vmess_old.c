/* SPDX-License-Identifier: MIT */
/* The header from before AEAD, which servers with an alterId above 0 take. */
#include "outbound/vmess_header.h"

#include "base/aead.h"
#include "base/bytes.h"
#include "base/digest.h"

#include <errno.h>
#include <string.h>

enum { BLOCK = 16 };

/* AES-128-CFB128 (NIST SP 800-38A, 6.3), in place. */
static void
cfb_encrypt(const uint8_t key[static 16], const uint8_t iv[static BLOCK], uint8_t *p,
	size_t len)
{
	uint8_t stream[BLOCK];
	const uint8_t *before = iv;
	size_t at, i;

	for (at = 0; at < len; at += BLOCK) {
		aes128_block(key, before, stream);
		for (i = 0; i < BLOCK && at + i < len; i++)
			p[at + i] ^= stream[i];
		before = p + at;
	}
	bytes_wipe(stream, sizeof(stream));
}

int
vmess_old_header_write(uint8_t out[static VMESS_HEADER_MAX],
	const uint8_t command_key[static 16], const uint8_t alter_id[static 16],
	const struct vmess_request *r, const struct vmess_draw *d)
{
	uint8_t time[4 * 8], iv[MD5_LEN];
	int i, n;

	for (i = 0; i < 4; i++)
		be64_put(time + 8 * i, (uint64_t)r->time);
	hmac_md5(alter_id, 16, time, 8, out);
	n = vmess_section_write(out + MD5_LEN, r, d);
	if (n < 0)
		return n;
	md5(time, sizeof(time), iv);
	cfb_encrypt(command_key, iv, out + MD5_LEN, (size_t)n);
	return MD5_LEN + n;
}

void
vmess_old_response_keys(
	const struct vmess_draw *d, uint8_t key[static 16], uint8_t iv[static 16])
{
	md5(d->key, sizeof(d->key), key);
	md5(d->iv, sizeof(d->iv), iv);
}

int
vmess_old_response(const uint8_t key[static 16], const uint8_t iv[static 16], uint8_t tag,
	const uint8_t p[static VMESS_OLD_RESPONSE])
{
	uint8_t stream[BLOCK];
	int rest;

	aes128_block(key, iv, stream);
	rest = (stream[0] ^ p[0]) == tag ? stream[3] ^ p[3] : -EBADMSG;
	bytes_wipe(stream, sizeof(stream));
	return rest;
}
