/* SPDX-License-Identifier: MIT */
#ifndef UNIT_BASE_CHECK_H
#define UNIT_BASE_CHECK_H

/* cmocka, with what has to come before it, and bytes as hexadecimal. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

#include <string.h>

enum { UNHEX_MAX = 512 };

/* The bytes that `hex` stands for; good until the next call with the slot (0 to 3). */
static inline const uint8_t *
unhex(int slot, const char *hex)
{
	static uint8_t bytes[4][UNHEX_MAX];

	assert_true(hex_parse(bytes[slot], strlen(hex) / 2, hex));
	return bytes[slot];
}

static inline void
assert_hex(const void *p, size_t len, const char *hex)
{
	assert_int_equal(len, strlen(hex) / 2);
	assert_memory_equal(p, unhex(0, hex), len);
}

#endif
