/* SPDX-License-Identifier: MIT */
#include "dns/seen.h"

#include "base/list.h"
#include "base/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LIFE_MIN = 600, LIFE_MAX = 86400, MAX_DEFAULT = 16384, EXPECTED = 256 };

struct seen {
	struct table table;
	struct list ages; /* the oldest first */
	size_t max;
};

struct sight {
	struct table_node node;
	struct list age;
	uint64_t until;
	struct ip ip;
	char name[];
};

static void
sight_free(struct seen *s, struct sight *e)
{
	table_remove(&s->table, &e->node);
	list_remove(&e->age);
	free(e);
}

static bool
sight_same(const struct table_node *n, const void *key)
{
	return ip_equal(&container_of(n, const struct sight, node)->ip, key);
}

static uint64_t
ip_hash(const struct seen *s, const struct ip *ip)
{
	return table_hash(&s->table, ip->b, ip->family == 4 ? 4 : 16);
}

static struct sight *
sight_find(const struct seen *s, const struct ip *ip)
{
	struct table_node *n = table_find(&s->table, ip_hash(s, ip), sight_same, ip);

	return n ? container_of(n, struct sight, node) : NULL;
}

struct seen *
seen_new(size_t max)
{
	struct seen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (table_init(&s->table, EXPECTED) < 0) {
		free(s);
		return NULL;
	}
	list_init(&s->ages);
	s->max = max ? max : MAX_DEFAULT;
	return s;
}

void
seen_free(struct seen *s)
{
	if (!s)
		return;
	while (!list_empty(&s->ages))
		sight_free(s, container_of(s->ages.next, struct sight, age));
	table_fini(&s->table);
	free(s);
}

/* Room for one more: what is over goes first, else the oldest. */
static void
make_room(struct seen *s, uint64_t now)
{
	struct sight *e;

	while (!list_empty(&s->ages)) {
		e = container_of(s->ages.next, struct sight, age);
		if (e->until > now && s->table.n < s->max)
			return;
		sight_free(s, e);
	}
}

static struct sight *
sight_new(struct seen *s, const struct ip *ip, const char *name)
{
	size_t len = strlen(name) + 1;
	struct sight *e = calloc(1, sizeof(*e) + len);

	if (!e)
		return NULL;
	e->ip = *ip;
	memcpy(e->name, name, len);
	list_init(&e->age);
	table_insert(&s->table, &e->node, ip_hash(s, ip));
	return e;
}

void
seen_note(
	struct seen *s, uint64_t now, const struct ip *ip, const char *name, uint32_t ttl)
{
	uint32_t life = ttl < LIFE_MIN ? LIFE_MIN : ttl > LIFE_MAX ? LIFE_MAX : ttl;
	struct sight *e = sight_find(s, ip);

	if (e && strcmp(e->name, name) != 0) {
		sight_free(s, e);
		e = NULL;
	}
	if (!e) {
		make_room(s, now);
		e = sight_new(s, ip, name);
	}
	if (!e)
		return;
	list_remove(&e->age);
	list_append(&s->ages, &e->age);
	e->until = now + (uint64_t)life * 1000;
}

const char *
seen_find(const struct seen *s, uint64_t now, const struct ip *ip)
{
	const struct sight *e = sight_find(s, ip);

	return e && e->until > now ? e->name : NULL;
}
