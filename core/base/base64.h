/* SPDX-License-Identifier: MIT */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Base64 (RFC 4648).  Decoding takes a time that depends on the text: no keys here. */

enum {
	BASE64_URL = 1,  /* '-' and '_' (RFC 4648, 5) in place of '+' and '/' */
	BASE64_BARE = 2, /* encode without padding; decode with or without */
	/* Decode as text from people comes: either alphabet, with or without padding,
	 * white space anywhere, and bits that are left over after the last byte. */
	BASE64_LENIENT = 4,
};

/* Room for the text of n bytes with its padding and its NUL. n is below SIZE_MAX / 2. */
#define BASE64_TEXT(n) (((n) + 2) / 3 * 4 + 1)

/* Writes the text and a NUL. -ENOSPC when cap (bytes) is too small; out is then empty. */
int base64_encode(char *out, size_t cap, const void *p, size_t len, unsigned how);
/*
 * At most cap bytes to out, and their number to *n.  out may be s: the bytes never
 * overtake the text.  -ENOSPC when there are more bytes than cap, -EBADMSG when the text
 * is not Base64; out then has bytes that mean nothing.
 */
int base64_parse(
	uint8_t *out, size_t cap, size_t *n, const char *s, size_t len, unsigned how);

#endif
