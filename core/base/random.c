/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include "base/aead.h"
#include "base/bytes.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What getentropy gives at once. */
enum { ENTROPY_MAX = 256 };

void
random_bytes(void *p, size_t n)
{
	uint8_t *at = p;
	size_t part;

	for (; n; at += part, n -= part) {
		part = n < ENTROPY_MAX ? n : ENTROPY_MAX;
		if (getentropy(at, part) == -1) {
			log_error("the system gives no random bytes; ending");
			abort();
		}
	}
}

void
rng_init(struct rng *g)
{
	random_bytes(g->key, sizeof g->key);
	g->left = 0;
}

void
rng_fini(struct rng *g)
{
	bytes_wipe(g, sizeof *g);
}

/* The first bytes of the key stream become the next key, the others are given out. */
static void
refill(struct rng *g)
{
	uint8_t stream[sizeof g->key + sizeof g->buf];

	chacha20_stream(g->key, stream, sizeof stream);
	memcpy(g->key, stream, sizeof g->key);
	memcpy(g->buf, stream + sizeof g->key, sizeof g->buf);
	bytes_wipe(stream, sizeof stream);
	g->left = sizeof g->buf;
}

void
rng_bytes(struct rng *g, void *p, size_t n)
{
	uint8_t *at = p;

	while (n) {
		uint8_t *from;
		size_t part;

		if (g->left == 0)
			refill(g);
		part = n < g->left ? n : g->left;
		from = g->buf + sizeof g->buf - g->left;
		memcpy(at, from, part);
		bytes_wipe(from, part);
		g->left -= part;
		at += part;
		n -= part;
	}
}

uint32_t
rng_below(struct rng *g, uint32_t n)
{
	/* 2^32 mod n: below this, the small answers would come once too often. */
	uint32_t skew, v;

	assert(n > 0);
	skew = -n % n;
	do
		rng_bytes(g, &v, sizeof v);
	while (v < skew);
	return v % n;
}
