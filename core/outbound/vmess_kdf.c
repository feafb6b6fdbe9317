/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_kdf.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "base/text.h"
#include "outbound/outbound.h"

#include <assert.h>
#include <string.h>

enum { HASH_BLOCK = 64, LEVELS_MAX = VMESS_PATH_MAX + 1 };
/* The message gains one block of key at each level. */
enum { MESSAGE_MAX = 64 + LEVELS_MAX * HASH_BLOCK };

static const char first_key[] = "VMess AEAD KDF";
static const char command_salt[] = "c48619fe-8f02-49e0-b9e9-edf763e17e21";

/* One application of HMAC's inner or outer pad: (key ^ pad) || message. */
static size_t
padded(uint8_t out[static MESSAGE_MAX], const struct vmess_path *key, uint8_t pad,
	const uint8_t *p, size_t len)
{
	size_t i;

	assert(key->len <= HASH_BLOCK && len <= MESSAGE_MAX - HASH_BLOCK);
	memset(out, pad, HASH_BLOCK);
	for (i = 0; i < key->len; i++)
		out[i] ^= ((const uint8_t *)key->p)[i];
	memcpy(out + HASH_BLOCK, p, len);
	return HASH_BLOCK + len;
}

/* The hash function of a level: SHA-256 at the bottom, HMAC over the one beneath above. */
static void
hash(uint8_t out[static SHA256_LEN], const struct vmess_path *key, size_t level,
	const uint8_t *p, size_t len)
{
	uint8_t message[MESSAGE_MAX];
	size_t n;

	if (level == 0) {
		sha256(p, len, out);
		return;
	}
	n = padded(message, &key[level - 1], 0x36, p, len);
	hash(out, key, level - 1, message, n);
	n = padded(message, &key[level - 1], 0x5c, out, SHA256_LEN);
	hash(out, key, level - 1, message, n);
	bytes_wipe(message, sizeof(message));
}

void
vmess_kdf(uint8_t out[static VMESS_KDF_LEN], const void *key, size_t len,
	const struct vmess_path *path, size_t n)
{
	struct vmess_path keys[LEVELS_MAX] = { { first_key, sizeof(first_key) - 1 } };

	assert(n <= VMESS_PATH_MAX && len <= 64);
	if (n)
		memcpy(keys + 1, path, n * sizeof(*path));
	hash(out, keys, n + 1, key, len);
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
