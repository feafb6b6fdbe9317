/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_KDF_H
#define OUTBOUND_VMESS_KDF_H

#include "base/digest.h"

#include <stddef.h>
#include <stdint.h>

/* Keys from keys, as VMess derives them. */

enum { VMESS_KDF_LEN = 32, VMESS_LEVELS_MAX = 4 };

/*
 * HMAC-SHA256 nested in itself: each level has a key of its own, and the level beneath
 * for its hash function.  What the keys alone come to is computed when they are pushed,
 * so a nest whose first levels are always the same is kept and copied.
 */
struct vmess_nest {
	struct sha256 inner;                   /* behind the inner pads of all levels */
	struct sha256 outer[VMESS_LEVELS_MAX]; /* behind the outer pad of each, and the
						  inner pads beneath it */
	size_t levels;
};

/* One level, whose key is the same in all of VMess. */
void vmess_nest_init(struct vmess_nest *n);
/* One level more; there are at most VMESS_LEVELS_MAX. `len` is at most 64. */
void vmess_nest_push(struct vmess_nest *n, const void *key, size_t len);
/* The `key` that is given here is the message of the outermost HMAC. */
void vmess_nest_out(const struct vmess_nest *n, const void *key, size_t len,
	uint8_t out[static VMESS_KDF_LEN]);

/* The key of everything that belongs to a user id. */
void vmess_command_key(uint8_t out[static 16], const uint8_t id[static 16]);
/* The id that a server with alterId above 0 takes for the same user as `id`. */
void vmess_alter_id(uint8_t out[static 16], const uint8_t id[static 16]);

#endif
