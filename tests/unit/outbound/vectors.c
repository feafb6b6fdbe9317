/* SPDX-License-Identifier: MIT */
#include "unit/outbound/check.h"

#include "unit/outbound/vectors.h"

#include "base/text.h"

#include <string.h>

size_t
unhex(uint8_t *out, size_t cap, const char *hex)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= cap);
	assert_true(hex_parse(out, n, hex));
	return n;
}

void
assert_hex(const void *p, size_t len, const char *hex)
{
	uint8_t want[1024];
	size_t n = unhex(want, sizeof(want), hex);

	assert_int_equal(len, n);
	assert_memory_equal(p, want, n);
}

void
draw_fill(struct vmess_draw *d, size_t padlen)
{
	static const uint8_t auth[] = { 1, 2, 3, 4 };
	static const uint8_t nonce[] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
	static const uint8_t padding[] = { 0xaa, 0xbb, 0xcc };
	uint8_t i;

	memset(d, 0, sizeof(*d));
	for (i = 0; i < 16; i++) {
		d->iv[i] = i;
		d->key[i] = (uint8_t)(16 + i);
	}
	d->tag = 0xab;
	memcpy(d->auth, auth, sizeof(auth));
	memcpy(d->nonce, nonce, sizeof(nonce));
	memcpy(d->padding, padding, sizeof(padding));
	d->padlen = (uint8_t)padlen;
}
