/* SPDX-License-Identifier: MIT */
#include "base/aead.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/random.h"
#include "base/table.h"

#include <stdio.h>
#include <time.h>

/* How fast the words of base are on this machine, for pieces of the sizes that occur, by
 * processor time: others may be at work. */

enum { PIECE_MAX = 16384 };

/* Each line runs for so many seconds. */
static const double SPAN = 0.3;

static uint8_t piece[PIECE_MAX], tag[AEAD_TAG];
static struct aead aead;
static struct shake128 shake;
static struct rng rng;
static struct table table;
static volatile uint64_t sink;

static double
seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void
measure(const char *what, void (*run)(size_t len), size_t len)
{
	double start = seconds(), spent = 0;
	unsigned long n = 0;
	int i;

	while (spent < SPAN) {
		for (i = 0; i < 64; i++)
			run(len);
		n += 64;
		spent = seconds() - start;
	}
	printf("%-22s %6zu B %10.0f MB/s %10.0f ns\n", what, len,
		(double)n * (double)len / spent / 1e6, spent / (double)n * 1e9);
}

static void
seal(size_t len)
{
	static const uint8_t nonce[AEAD_NONCE];

	aead_seal(&aead, nonce, NULL, 0, piece, len, tag);
}

static void
new_key(size_t len)
{
	aead_init(&aead, AEAD_AES128_GCM, piece);
	seal(len);
	aead_fini(&aead);
}

static void
draw(size_t len)
{
	for (; len; len -= 2)
		sink = shake128_be16(&shake);
}

static void
pad(size_t len)
{
	rng_bytes(&rng, piece, len);
}

static void
sum(size_t len)
{
	sink = checksum_add(0, piece, len);
}

static void
hash(size_t len)
{
	sink = table_hash(&table, piece, len);
}

static void
digest(size_t len)
{
	uint8_t out[SHA256_LEN];

	sha256(piece, len, out);
	sink = out[0];
}

static void
sealing(const char *name, enum aead_kind kind)
{
	static const size_t sizes[] = { 64, 1400, 4096, PIECE_MAX };
	uint8_t key[AEAD_KEY_MAX];
	size_t i;

	random_bytes(key, sizeof key);
	aead_init(&aead, kind, key);
	for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
		measure(name, seal, sizes[i]);
	aead_fini(&aead);
}

int
main(void)
{
	printf("fastest here: %s\n",
		aead_fastest() == AEAD_AES128_GCM ? "aes-128-gcm" : "chacha20-poly1305");
	sealing("aes-128-gcm", AEAD_AES128_GCM);
	sealing("chacha20-poly1305", AEAD_CHACHA20_POLY1305);
	measure("aes-128-gcm, new key", new_key, 64);
	measure("aes-128-gcm, new key", new_key, 4096);
	measure("sha256", digest, 64);
	measure("sha256", digest, PIECE_MAX);
	shake128_init(&shake, piece, 16);
	measure("shake128 draw", draw, PIECE_MAX);
	rng_init(&rng);
	measure("rng", pad, 32);
	measure("rng", pad, PIECE_MAX);
	measure("checksum", sum, 40);
	measure("checksum", sum, 1500);
	measure("checksum", sum, PIECE_MAX);
	measure("table hash", hash, 16);
	measure("table hash", hash, 36);
	rng_fini(&rng);
	return 0;
}
