/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_HEADER_H
#define OUTBOUND_VMESS_HEADER_H

#include "base/addr.h"
#include "outbound/outbound.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two headers of a VMess connection: the request's and the response's. */

enum vmess_option {
	VMESS_CHUNKED = 0x01,
	VMESS_MASKED = 0x04,
	VMESS_PADDED = 0x08, /* only with VMESS_MASKED: servers crash on it alone */
	VMESS_SEALED_LENGTHS = 0x10, /* "AuthenticatedLength"; only with AEAD bodies */
};

enum vmess_command { VMESS_TCP = 1, VMESS_UDP = 2 };

enum {
	VMESS_PADDING_MAX = 15,
	VMESS_SECTION_MAX = 41 + 1 + 255 + VMESS_PADDING_MAX + 4,
	VMESS_HEADER_MAX = 16 + 18 + 8 + VMESS_SECTION_MAX + 16,
	VMESS_RESPONSE_SIZE = 18,          /* the sealed length of the response header */
	VMESS_OLD_RESPONSE = 4,            /* what an old response begins with */
	VMESS_RESPONSE_MAX = 4 + 255 + 16, /* the sealed response header itself */
};

/* What is drawn at random for one connection. */
struct vmess_draw {
	uint8_t key[16], iv[16];
	uint8_t tag; /* the response must repeat it */
	uint8_t auth[4];
	uint8_t nonce[8];
	uint8_t padlen; /* 0 to VMESS_PADDING_MAX */
	uint8_t padding[VMESS_PADDING_MAX];
};

struct vmess_request {
	enum vmess_security security;
	unsigned options; /* of enum vmess_option */
	enum vmess_command command;
	const struct target *to; /* its name where it has one, else its address */
	int64_t time;            /* Unix time, seconds */
};

/* What comes of a user id, once. Secret. */
struct vmess_keys {
	uint8_t command[16];
	uint8_t auth[16]; /* of the auth id */
};
void vmess_keys_init(struct vmess_keys *k, const uint8_t id[static 16]);

/* True when the name can be sent: the servers refuse any other. */
bool vmess_name_fits(const char *name);

/* The instruction section in clear. Its length, or -EINVAL: the name does not fit. */
int vmess_section_write(uint8_t out[static VMESS_SECTION_MAX],
	const struct vmess_request *r, const struct vmess_draw *d);
/* The sealed header: what goes on the wire. Its length, or -EINVAL. */
int vmess_header_write(uint8_t out[static VMESS_HEADER_MAX], const struct vmess_keys *k,
	const struct vmess_request *r, const struct vmess_draw *d);

/* The keys of the other direction. */
void vmess_response_keys(
	const struct vmess_draw *d, uint8_t key[static 16], uint8_t iv[static 16]);
/* How many bytes follow the sealed length at p, or -EBADMSG. Opens in place. */
int vmess_response_size(const uint8_t key[static 16], const uint8_t iv[static 16],
	uint8_t p[static VMESS_RESPONSE_SIZE]);
/* Opens what followed, in place; `len` is what vmess_response_size said. 0, or -EBADMSG. */
int vmess_response_open(const uint8_t key[static 16], const uint8_t iv[static 16],
	uint8_t tag, uint8_t *p, size_t len);

/*
 * The old header, from before AEAD (vmess.md 7): an HMAC of the time with an id that
 * only this user has, and the section in AES-128-CFB.  `alter_id` is one of the user's
 * alternative ids, `command_key` that of its main id.  Its length, or -EINVAL.
 */
int vmess_old_header_write(uint8_t out[static VMESS_HEADER_MAX],
	const uint8_t command_key[static 16], const uint8_t alter_id[static 16],
	const struct vmess_request *r, const struct vmess_draw *d);
void vmess_old_response_keys(
	const struct vmess_draw *d, uint8_t key[static 16], uint8_t iv[static 16]);
/* How many bytes of the old response header follow, which nobody needs; or -EBADMSG. */
int vmess_old_response(const uint8_t key[static 16], const uint8_t iv[static 16],
	uint8_t tag, const uint8_t p[static VMESS_OLD_RESPONSE]);

#endif
