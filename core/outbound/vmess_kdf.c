/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_kdf.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "base/text.h"
#include "outbound/outbound.h"

#include <assert.h>
#include <string.h>

enum { HASH_BLOCK = 64, INNER_PAD = 0x36, OUTER_PAD = 0x5c }; /* RFC 2104 */

static const char first_key[] = "VMess AEAD KDF";
static const char command_salt[] = "c48619fe-8f02-49e0-b9e9-edf763e17e21";
static const char alter_salt[] = "16167dc8-16b6-4e6d-b8bb-65dd68113a81";
static const char alter_again[] = "533eff8a-4113-4b10-b5ce-0f5d76b98cd2";

static void
pad_add(struct sha256 *h, const void *key, size_t len, uint8_t pad)
{
	const uint8_t *k = key;
	uint8_t block[HASH_BLOCK];
	size_t i;

	assert(len <= HASH_BLOCK);
	memset(block, pad, HASH_BLOCK);
	for (i = 0; i < len; i++)
		block[i] ^= k[i];
	sha256_add(h, block, HASH_BLOCK);
	bytes_wipe(block, sizeof(block));
}

void
vmess_nest_push(struct vmess_nest *n, const void *key, size_t len)
{
	struct sha256 *outer = &n->outer[n->levels];

	assert(n->levels < VMESS_LEVELS_MAX);
	*outer = n->inner;
	pad_add(outer, key, len, OUTER_PAD);
	pad_add(&n->inner, key, len, INNER_PAD);
	n->levels++;
}

void
vmess_nest_init(struct vmess_nest *n)
{
	n->levels = 0;
	sha256_init(&n->inner);
	vmess_nest_push(n, first_key, sizeof(first_key) - 1);
}

/*
 * Ends a hash of level `level` that has taken its message.  What it has taken since
 * its inner pad is the message of the level beneath, which ends first; its digest
 * goes behind the outer pad, to the level beneath again.
 */
static void
finish(const struct vmess_nest *n, const struct sha256 *h, size_t level,
	uint8_t out[static SHA256_LEN])
{
	struct sha256 again;

	if (level == 0) {
		sha256_out(h, out);
		return;
	}
	finish(n, h, level - 1, out);
	again = n->outer[level - 1];
	sha256_add(&again, out, SHA256_LEN);
	finish(n, &again, level - 1, out);
}

void
vmess_nest_out(const struct vmess_nest *n, const void *key, size_t len,
	uint8_t out[static VMESS_KDF_LEN])
{
	struct sha256 h = n->inner;

	sha256_add(&h, key, len);
	finish(n, &h, n->levels, out);
	bytes_wipe(&h, sizeof(h));
}

void
vmess_command_key(uint8_t out[static 16], const uint8_t id[static 16])
{
	uint8_t text[16 + sizeof(command_salt) - 1];

	memcpy(text, id, 16);
	memcpy(text + 16, command_salt, sizeof(command_salt) - 1);
	md5(text, sizeof(text), out);
	bytes_wipe(text, sizeof(text));
}

void
vmess_alter_id(uint8_t out[static 16], const uint8_t id[static 16])
{
	enum { SALT = sizeof(alter_salt) - 1, AGAIN = sizeof(alter_again) - 1 };
	uint8_t text[16 + SALT + AGAIN], next[MD5_LEN];

	memcpy(text, id, 16);
	memcpy(text + 16, alter_salt, SALT);
	memcpy(text + 16 + SALT, alter_again, AGAIN);
	md5(text, 16 + SALT, next);
	/* V2Ray adds its second salt until they differ: nobody can make them equal once,
	 * and nobody will twice. */
	if (memcmp(next, id, 16) == 0)
		md5(text, sizeof(text), next);
	memcpy(out, next, 16);
	bytes_wipe(text, sizeof(text));
	bytes_wipe(next, sizeof(next));
}

/* 32 hex digits, in groups of 8, 4, 4, 4 and 12 that may have a '-' before them. */
static int
uuid_parse(uint8_t id[static 16], const char *text)
{
	static const unsigned starts = 1u << 8 | 1u << 12 | 1u << 16 | 1u << 20;
	char digits[33];
	size_t n = 0;

	for (; *text && n <= 32; text++) {
		if (*text == '-' && n < 32 && starts & 1u << n && text[-1] != '-')
			continue;
		if (n == 32)
			return -1;
		digits[n++] = *text;
	}
	digits[n < 33 ? n : 32] = '\0';
	return n == 32 && hex_parse(id, 16, digits) ? 0 : -1;
}

/* UUIDv5 (RFC 9562, 5.5) in the name space of the nil UUID. */
static void
uuid_map(uint8_t id[static 16], const char *text, size_t len)
{
	uint8_t message[16 + 30] = { 0 };
	uint8_t digest[SHA1_LEN];

	memcpy(message + 16, text, len);
	sha1(message, 16 + len, digest);
	memcpy(id, digest, 16);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x50);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	bytes_wipe(message, sizeof(message));
	bytes_wipe(digest, sizeof(digest));
}

int
vmess_id_parse(uint8_t id[static 16], const char *text, struct err *e)
{
	size_t len = strlen(text);

	if (len == 0)
		return err_set(e, "the VMess id is empty");
	if (len <= 30) {
		uuid_map(id, text, len);
		return 0;
	}
	if (len == 31 || len > 36)
		return err_set(e,
			"a VMess id is a UUID, or 1 to 30 bytes; this one has %zu", len);
	if (uuid_parse(id, text) < 0)
		return err_set(e,
			"the VMess id is neither a UUID (8-4-4-4-12 hex digits) nor 1 to 30 bytes");
	return 0;
}
