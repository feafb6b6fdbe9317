/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include <string.h>

/* SHAKE128 by FIPS 202; the cipher library has no Keccak. */

enum { RATE = 168, ROUNDS = 24 };

static uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (-bits & 63);
}

/*
 * A round, from `a` to `b`.  Theta (3.2.1) gives each lane the parity of two columns; rho
 * (3.2.2) and pi (3.2.3) turn it and move it, so that what goes to place i of the result
 * comes from lane from[i]; chi (3.2.4) mixes each row of five; iota (3.2.5) is what sets
 * the rounds apart.  With its loops unrolled all of this is plain moves between registers.
 */
static void
keccak_round(const uint64_t *restrict a, uint64_t *restrict b, uint64_t iota)
{
	static const uint8_t from[25] = { 0, 6, 12, 18, 24, 3, 9, 10, 16, 22, 1, 7, 13,
		19, 20, 4, 5, 11, 17, 23, 2, 8, 14, 15, 21 };
	static const uint8_t turn[25] = { 0, 44, 43, 21, 14, 28, 20, 3, 45, 61, 1, 6, 25,
		8, 18, 27, 36, 10, 15, 56, 62, 55, 39, 41, 2 };
	uint64_t parity[5], both[5], row[5];
	int x, y;

#pragma GCC unroll 5
	for (x = 0; x < 5; x++)
		parity[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
#pragma GCC unroll 5
	for (x = 0; x < 5; x++)
		both[x] = parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1);
#pragma GCC unroll 5
	for (y = 0; y < 25; y += 5) {
#pragma GCC unroll 5
		for (x = 0; x < 5; x++)
			row[x] = rotate(
				a[from[x + y]] ^ both[from[x + y] % 5], turn[x + y]);
#pragma GCC unroll 5
		for (x = 0; x < 5; x++)
			b[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
	}
	b[0] ^= iota;
}

static void
keccak_f1600(uint64_t a[static 25])
{
	static const uint64_t iota[ROUNDS] = { 0x0000000000000001, 0x0000000000008082,
		0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
		0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
		0x000000000000008a, 0x0000000000000088, 0x0000000080008009,
		0x000000008000000a, 0x000000008000808b, 0x800000000000008b,
		0x8000000000008089, 0x8000000000008003, 0x8000000000008002,
		0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
		0x8000000080008081, 0x8000000000008080, 0x0000000080000001,
		0x8000000080008008 };
	uint64_t b[25];
	int i;

	for (i = 0; i < ROUNDS; i += 2) {
		keccak_round(a, b, iota[i]);
		keccak_round(b, a, iota[i + 1]);
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

/* After this the block has bytes that are not drawn yet. */
static void
refill(struct shake128 *s)
{
	if (s->used < RATE)
		return;
	keccak_f1600(s->state);
	s->used = 0;
}

void
shake128_skip(struct shake128 *s, size_t n)
{
	size_t left;

	for (; n; n -= left) {
		refill(s);
		left = (RATE - s->used) / 2;
		if (left > n)
			left = n;
		s->used += 2 * left;
	}
}

/* The two bytes from here on, the first one lowest; used is even. */
static unsigned
pair(struct shake128 *s)
{
	size_t i;

	refill(s);
	i = s->used;
	s->used += 2;
	return (unsigned)(s->state[i / 8] >> i % 8 * 8) & 0xffff;
}

uint16_t
shake128_be16(struct shake128 *s)
{
	unsigned v = pair(s);

	return (uint16_t)(v << 8 | v >> 8);
}
