/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 8 };

int
table_init(struct table *t, size_t cap)
{
	size_t buckets = BUCKETS_MIN;

	while (buckets < cap) {
		if (buckets > SIZE_MAX / 2 / sizeof(*t->bucket))
			return -ENOMEM;
		buckets *= 2;
	}
	*t = (struct table){ .mask = buckets - 1 };
	t->bucket = calloc(buckets, sizeof(struct table_node *));
	if (!t->bucket)
		return -ENOMEM;
	random_bytes(t->seed, sizeof t->seed);
	return 0;
}

void
table_fini(struct table *t)
{
	free(t->bucket);
	*t = (struct table){ 0 };
}

static uint64_t
rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static void
sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash takes its words with the lowest byte first. Written out, this is one load where
 * the machine has the same order. */
static uint64_t
sip_word(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
		(uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
		(uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static void
sip_mix(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t
table_hash(const struct table *t, const void *key, size_t len)
{
	/* "somepseudorandomlygeneratedbytes", as the paper has it. */
	uint64_t v[4] = {
		t->seed[0] ^ 0x736f6d6570736575,
		t->seed[1] ^ 0x646f72616e646f6d,
		t->seed[0] ^ 0x6c7967656e657261,
		t->seed[1] ^ 0x7465646279746573,
	};
	uint8_t last[8] = { [7] = (uint8_t)len };
	const uint8_t *p = key;
	size_t left = len;
	int i;

	for (; left >= 8; p += 8, left -= 8)
		sip_mix(v, sip_word(p));
	if (left)
		memcpy(last, p, left);
	sip_mix(v, sip_word(last));
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct table_node *
table_find(const struct table *t, uint64_t hash,
	bool (*same)(const struct table_node *, const void *key), const void *key)
{
	struct table_node *n;

	for (n = t->bucket[hash & t->mask]; n; n = n->next)
		if (n->hash == hash && same(n, key))
			return n;
	return NULL;
}

/*
 * A bucket of the old table goes to two of the new one.  Nodes are moved to the
 * end of theirs, so that of twins the newest stays in front.
 */
static void
bucket_split(struct table_node *n, struct table_node **low, struct table_node **high,
	size_t bit)
{
	struct table_node **ends[2] = { low, high };
	int side;

	for (; n; n = n->next) {
		side = (n->hash & bit) != 0;
		*ends[side] = n;
		ends[side] = &n->next;
	}
	*ends[0] = *ends[1] = NULL;
}

static void
table_grow(struct table *t)
{
	size_t i, old = t->mask + 1;
	struct table_node **bucket;

	if (old > SIZE_MAX / 2 / sizeof *bucket)
		return;
	bucket = calloc(old * 2, sizeof *bucket);
	if (!bucket)
		return;
	for (i = 0; i < old; i++)
		bucket_split(t->bucket[i], &bucket[i], &bucket[i + old], old);
	free(t->bucket);
	t->bucket = bucket;
	t->mask = old * 2 - 1;
}

void
table_insert(struct table *t, struct table_node *n, uint64_t hash)
{
	struct table_node **bucket;

	if (t->n > t->mask)
		table_grow(t);
	bucket = &t->bucket[hash & t->mask];
	n->hash = hash;
	n->next = *bucket;
	*bucket = n;
	t->n++;
}

void
table_remove(struct table *t, struct table_node *n)
{
	struct table_node **link = &t->bucket[n->hash & t->mask];

	while (*link != n) {
		assert(*link);
		link = &(*link)->next;
	}
	*link = n->next;
	n->next = NULL;
	t->n--;
}

void
table_each(struct table *t, void (*each)(struct table_node *, void *arg), void *arg)
{
	struct table_node *n, *next;
	size_t i;

	for (i = 0; t->bucket && i <= t->mask; i++)
		for (n = t->bucket[i]; n; n = next) {
			next = n->next;
			each(n, arg);
		}
}
