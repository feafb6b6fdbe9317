/* SPDX-License-Identifier: MIT */
#ifndef BASE_AEAD_INSIDE_H
#define BASE_AEAD_INSIDE_H

#include "base/aead.h"

#include <stdbool.h>

/* Between the files of base/aead: the cipher libraries behind it, one face for each. */

/* What a library has made of a key. All zeros: of none. */
struct aead_keyed {
	uint64_t number; /* of the struct aead; 0: none */
	enum aead_kind kind;
	union {
		uint64_t schedule[66]; /* by value, or */
		void *context;         /* owned */
	} u;
};

struct aead_library {
	/* Takes a's key in the place of the one before. 0, or -ENOMEM: it has none. */
	int (*take)(struct aead_keyed *k, const struct aead *a);
	/* Forgets it: nothing of it stays in memory, nor any memory with k. */
	void (*forget)(struct aead_keyed *k);
	void (*seal)(struct aead_keyed *k, const struct aead_message *m,
		uint8_t tag[static AEAD_TAG]);
	/* 0 or -EBADMSG. */
	int (*open)(struct aead_keyed *k, const struct aead_message *m,
		const uint8_t tag[static AEAD_TAG]);
};

extern const struct aead_library aead_bearssl;
/* Both AES and GHASH are instructions of this processor, and BearSSL knows them. */
bool aead_bearssl_in_hardware(void);

/* NULL: not built in, or the library that was found at the start has not both kinds. */
const struct aead_library *aead_openssl(void);
/* As above, for OpenSSL where it is not BearSSL that tells. */
bool aead_openssl_in_hardware(void);

#endif
