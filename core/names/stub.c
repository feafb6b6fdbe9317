/* SPDX-License-Identifier: MIT */
#include "names/stub.h"

#include "names/question.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question_key {
	const char *name;
	uint16_t type;
};

static bool
question_same(const struct table_node *n, const void *key)
{
	const struct question *q = container_of(n, const struct question, node);
	const struct question_key *k = key;

	return q->type == k->type && strcmp(q->name, k->name) == 0;
}

static struct question *
question_new(struct stub *s, const char *name, uint16_t type)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->stub = s;
	q->type = type;
	snprintf(q->name, sizeof(q->name), "%s", name);
	list_init(&q->waits);
	task_init(&q->task, question_run);
	timer_init(&q->timer, s->loop, question_fire);
	table_insert(&s->running, &q->node, table_hash(&s->running, name, strlen(name)));
	return q;
}

static void
question_bury(struct deferred *d)
{
	free(container_of(d, struct question, deferred));
}

static void
question_free(struct question *q)
{
	if (q->state != QUESTION_DONE)
		question_done(q, -ETIMEDOUT);
	task_fini(&q->task);
	loop_defer(q->stub->loop, &q->deferred, question_bury);
}

int
question_join(struct question_wait *w, struct stub *s, const char *name, uint16_t type)
{
	struct question_key k = { name, type };
	uint8_t probe[QUERY_CAP];
	struct table_node *n;
	struct question *q;

	if (strlen(name) >= DNS_NAME_TEXT ||
		dns_write_query(probe, sizeof(probe), 0, name, type) < 0)
		return -EINVAL;
	n = table_find(&s->running, table_hash(&s->running, name, strlen(name)),
		question_same, &k);
	if (!n && s->running.n >= STUB_QUESTIONS)
		return -ENOBUFS;
	q = n ? container_of(n, struct question, node) : question_new(s, name, type);
	if (!q)
		return -ENOMEM;
	w->question = q;
	list_append(&q->waits, &w->node);
	if (!n)
		question_begin(q);
	return 0;
}

const struct question_answer *
question_answer(const struct question *q)
{
	return q->state == QUESTION_DONE ? &q->answer : NULL;
}

void
question_leave(struct question_wait *w)
{
	struct question *q = w->question;

	if (!q)
		return;
	w->question = NULL;
	list_remove(&w->node);
	if (list_empty(&q->waits))
		question_free(q);
}

struct stub *
stub_new(struct loop *l, struct cache *c)
{
	struct stub *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (table_init(&s->running, QUERIES) < 0) {
		free(s);
		return NULL;
	}
	s->loop = l;
	s->cache = c;
	rng_init(&s->rng);
	return s;
}

void
stub_free(struct stub *s)
{
	if (!s)
		return;
	assert(s->running.n == 0);
	table_fini(&s->running);
	rng_fini(&s->rng);
	free(s);
}

static void
question_again(struct table_node *n, void *arg)
{
	struct question *q = container_of(n, struct question, node);

	(void)arg;
	question_hang_up(q);
	question_begin(q);
}

void
stub_servers(struct stub *s, const struct endpoint *server, int n)
{
	int i;

	s->nserver = n < NAMES_SERVERS ? n : NAMES_SERVERS;
	s->preferred = 0;
	for (i = 0; i < s->nserver; i++)
		s->server[i] = server[i];
	table_each(&s->running, question_again, NULL);
}
