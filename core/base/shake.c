/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "base/digest.h"

#include <string.h>

/* SHAKE128 by FIPS 202; the cipher library has no Keccak. */

enum { RATE = 168, ROUNDS = 24 };

static uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (-bits & 63);
}

/* 3.2.1: each lane takes up the parity of two columns. */
static void
theta(uint64_t a[static 25])
{
	uint64_t parity[5], d;
	int x, y;

	for (x = 0; x < 5; x++)
		parity[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
	for (x = 0; x < 5; x++) {
		d = parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1);
		for (y = 0; y < 25; y += 5)
			a[x + y] ^= d;
	}
}

/* 3.2.2 and 3.2.3 in one walk: lane t of the walk moves to the place of the next one and
 * is rotated by (t + 1)(t + 2) / 2. */
static void
rho_pi(uint64_t a[static 25])
{
	static const uint8_t walk[24] = { 10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15,
		23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1 };
	uint64_t carried = a[1], next;
	unsigned t;

	for (t = 0; t < 24; t++) {
		next = a[walk[t]];
		a[walk[t]] = rotate(carried, (t + 1) * (t + 2) / 2 & 63);
		carried = next;
	}
}

/* 3.2.4: the only step that is not linear. */
static void
chi(uint64_t a[static 25])
{
	uint64_t row[5];
	int x, y;

	for (y = 0; y < 25; y += 5) {
		memcpy(row, a + y, sizeof row);
		for (x = 0; x < 5; x++)
			a[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
	}
}

static void
keccak_f1600(uint64_t a[static 25])
{
	/* 3.2.5: what sets the rounds apart. */
	static const uint64_t iota[ROUNDS] = { 0x0000000000000001, 0x0000000000008082,
		0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
		0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
		0x000000000000008a, 0x0000000000000088, 0x0000000080008009,
		0x000000008000000a, 0x000000008000808b, 0x800000000000008b,
		0x8000000000008089, 0x8000000000008003, 0x8000000000008002,
		0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
		0x8000000080008081, 0x8000000000008080, 0x0000000080000001,
		0x8000000080008008 };
	int i;

	for (i = 0; i < ROUNDS; i++) {
		theta(a);
		rho_pi(a);
		chi(a);
		a[0] ^= iota[i];
	}
}

/* Byte i of the state; lanes have their lowest byte first (3.1.2). */
static void
absorb(struct shake128 *s, size_t i, uint8_t byte)
{
	s->state[i / 8] ^= (uint64_t)byte << i % 8 * 8;
}

void
shake128_init(struct shake128 *s, const void *p, size_t len)
{
	const uint8_t *b = p;
	size_t i = 0;

	memset(s, 0, sizeof *s);
	for (; len; b++, len--) {
		absorb(s, i++, *b);
		if (i == RATE) {
			keccak_f1600(s->state);
			i = 0;
		}
	}
	absorb(s, i,
		0x1f); /* 6.2 and B.2: the suffix 1111 and the first bit of the padding */
	absorb(s, RATE - 1, 0x80);
	keccak_f1600(s->state);
}

static uint8_t
draw(struct shake128 *s)
{
	size_t i;

	if (s->used == RATE) {
		keccak_f1600(s->state);
		s->used = 0;
	}
	i = s->used++;
	return (uint8_t)(s->state[i / 8] >> i % 8 * 8);
}

void
shake128_draw(struct shake128 *s, void *out, size_t len)
{
	uint8_t *b = out;

	while (len--)
		*b++ = draw(s);
}

uint16_t
shake128_be16(struct shake128 *s)
{
	uint8_t b[2];

	shake128_draw(s, b, sizeof b);
	return be16_get(b);
}
