/* SPDX-License-Identifier: MIT */
#include "names/cache.h"

#include "base/list.h"
#include "base/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MIN = 1, TTL_MAX = 86400, TTL_MAX_NEGATIVE = 900 };
enum { MAX_DEFAULT = 1024, EXPECTED = 64 };

struct cache {
	struct table table;
	struct list ages; /* the oldest first */
	size_t max;
};

struct entry {
	struct table_node node;
	struct list age;
	uint64_t until;
	const char *name; /* in this block, behind the addresses */
	uint16_t type;
	size_t n;
	struct ip ip[];
};

struct key {
	const char *name;
	uint16_t type;
};

static struct entry *
entry_new(const struct key *k, const struct ip *ip, size_t n)
{
	size_t len = strlen(k->name) + 1, addresses = n * sizeof(*ip);
	struct entry *e = calloc(1, sizeof(*e) + addresses + len);

	if (!e)
		return NULL;
	list_init(&e->age);
	e->type = k->type;
	e->n = n;
	if (n > 0)
		memcpy(e->ip, ip, addresses);
	e->name = memcpy((char *)(e->ip + n), k->name, len);
	return e;
}

static void
entry_free(struct cache *c, struct entry *e)
{
	table_remove(&c->table, &e->node);
	list_remove(&e->age);
	free(e);
}

static bool
entry_same(const struct table_node *n, const void *key)
{
	const struct entry *e = container_of(n, const struct entry, node);
	const struct key *k = key;

	return e->type == k->type && strcmp(e->name, k->name) == 0;
}

static struct entry *
entry_find(const struct cache *c, const struct key *k)
{
	uint64_t hash = table_hash(&c->table, k->name, strlen(k->name));
	struct table_node *n = table_find(&c->table, hash, entry_same, k);

	return n ? container_of(n, struct entry, node) : NULL;
}

struct cache *
cache_new(size_t max)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (table_init(&c->table, EXPECTED) < 0) {
		free(c);
		return NULL;
	}
	list_init(&c->ages);
	c->max = max ? max : MAX_DEFAULT;
	return c;
}

void
cache_free(struct cache *c)
{
	if (!c)
		return;
	cache_flush(c);
	table_fini(&c->table);
	free(c);
}

void
cache_flush(struct cache *c)
{
	while (!list_empty(&c->ages))
		entry_free(c, container_of(c->ages.next, struct entry, age));
}

uint32_t
cache_ttl(uint32_t ttl, size_t n)
{
	uint32_t max = n > 0 ? TTL_MAX : TTL_MAX_NEGATIVE;

	return ttl < TTL_MIN ? TTL_MIN : ttl > max ? max : ttl;
}

int
cache_find(struct cache *c, uint64_t now, const char *name, uint16_t type,
	const struct ip **ip)
{
	struct key k = { name, type };
	struct entry *e = entry_find(c, &k);

	if (!e)
		return -EAGAIN;
	if (e->until <= now) {
		entry_free(c, e);
		return -EAGAIN;
	}
	*ip = e->ip;
	return (int)e->n;
}

void
cache_put(struct cache *c, uint64_t now, const char *name, uint16_t type,
	const struct ip *ip, size_t n, uint32_t ttl)
{
	struct key k = { name, type };
	struct entry *e = entry_find(c, &k);

	if (e)
		entry_free(c, e);
	e = entry_new(&k, ip, n);
	if (!e)
		return;
	if (c->table.n >= c->max)
		entry_free(c, container_of(c->ages.next, struct entry, age));
	e->until = now + (uint64_t)cache_ttl(ttl, n) * 1000;
	table_insert(&c->table, &e->node, table_hash(&c->table, name, strlen(name)));
	list_append(&c->ages, &e->age);
}
