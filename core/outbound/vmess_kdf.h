/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_KDF_H
#define OUTBOUND_VMESS_KDF_H

#include <stddef.h>
#include <stdint.h>

/* Keys from keys, as VMess derives them. */

enum { VMESS_KDF_LEN = 32, VMESS_PATH_MAX = 3 };

struct vmess_path {
	const void *p;
	size_t len; /* at most 64 */
};

/*
 * HMAC-SHA256 nested in itself: `key` is the message, and each of the n (at most
 * VMESS_PATH_MAX) elements of the path is the key of one level, whose hash
 * function is the level beneath.  `len` is at most 64.
 */
void vmess_kdf(uint8_t out[static VMESS_KDF_LEN], const void *key, size_t len,
	const struct vmess_path *path, size_t n);

/* The key of everything that belongs to a user id. */
void vmess_command_key(uint8_t out[static 16], const uint8_t id[static 16]);

#endif
