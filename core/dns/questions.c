/* SPDX-License-Identifier: MIT */
#include "dns/questions.h"

#include "base/bytes.h"
#include "base/list.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_ENDPOINT = 1 + 16 + 2 };

struct question {
	struct table_node node; /* in the table while `used` */
	struct list age;
	uint64_t at;
	bool used;
};

struct questions {
	struct table table;
	struct list ages; /* of all places, the oldest or unused first */
	struct question place[QUESTIONS_MAX];
};

struct questions *
questions_new(void)
{
	struct questions *q = calloc(1, sizeof(*q));
	int i;

	if (!q)
		return NULL;
	if (table_init(&q->table, QUESTIONS_MAX) < 0) {
		free(q);
		return NULL;
	}
	list_init(&q->ages);
	for (i = 0; i < QUESTIONS_MAX; i++)
		list_append(&q->ages, &q->place[i].age);
	return q;
}

void
questions_free(struct questions *q)
{
	if (!q)
		return;
	table_fini(&q->table);
	free(q);
}

static void
endpoint_write(struct writer *w, const struct endpoint *e)
{
	writer_u8(w, e->ip.family);
	writer_bytes(w, e->ip.b, e->ip.family == 4 ? 4 : 16);
	writer_be16(w, e->port);
}

/* The hash is seeded and has 64 bits: whoever guesses one for another question could as
 * well guess the id. So it stands for all that it was made of. */
static uint64_t
key_of(const struct questions *q, const struct endpoint *who,
	const struct endpoint *server, const struct dns_message *m)
{
	uint8_t key[2 * KEY_ENDPOINT + 4 + DNS_NAME_TEXT];
	struct writer w;

	writer_init(&w, key, sizeof(key));
	endpoint_write(&w, who);
	endpoint_write(&w, server);
	writer_be16(&w, m->id);
	writer_be16(&w, m->question.type);
	writer_bytes(&w, m->question.name, strlen(m->question.name));
	return table_hash(&q->table, key, w.len);
}

static bool
same(const struct table_node *n, const void *key)
{
	return n->hash == *(const uint64_t *)key;
}

static struct question *
find(const struct questions *q, uint64_t key)
{
	struct table_node *n = table_find(&q->table, key, same, &key);

	return n ? container_of(n, struct question, node) : NULL;
}

/* An unused place goes to the front, where the next question takes it. */
static void
forget(struct questions *q, struct question *a)
{
	if (!a->used)
		return;
	a->used = false;
	table_remove(&q->table, &a->node);
	list_remove(&a->age);
	list_append(q->ages.next, &a->age);
}

void
questions_asked(struct questions *q, uint64_t now, const struct endpoint *who,
	const struct endpoint *server, const struct dns_message *m)
{
	uint64_t key = key_of(q, who, server, m);
	struct question *a = find(q, key);

	if (!a) {
		a = container_of(q->ages.next, struct question, age);
		forget(q, a);
		a->used = true;
		table_insert(&q->table, &a->node, key);
	}
	a->at = now;
	list_remove(&a->age);
	list_append(&q->ages, &a->age);
}

bool
questions_has(const struct questions *q, uint64_t now, const struct endpoint *who,
	const struct endpoint *server, const struct dns_message *m)
{
	const struct question *a = find(q, key_of(q, who, server, m));

	return a && now - a->at < QUESTION_LIFE_MS;
}

void
questions_end(struct questions *q, const struct endpoint *who,
	const struct endpoint *server, const struct dns_message *m)
{
	struct question *a = find(q, key_of(q, who, server, m));

	if (a)
		forget(q, a);
}
