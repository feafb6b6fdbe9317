/* SPDX-License-Identifier: MIT */
#include "flow/line.h"

#include "base/bytes.h"
#include "flow/leg.h"
#include "names/message.h"

#include <string.h>

enum { HEADER = 12 }; /* of a message; it begins with the id (RFC 1035 4.1.1) */

/* Who waits for an answer, and to what. */
struct waiting {
	struct assoc_route_key key;
	uint64_t question; /* its hash; seeded, so that nobody can make two alike */
	uint16_t id;       /* on the line */
	uint16_t original;
	bool used;
};

struct line {
	struct list node;
	struct packets *packets; /* owned; NULL: it has ended, and says so for a while */
	struct outbound *outbound; /* counted */
	struct flows *flows;
	struct task task;
	struct timer timer;
	struct endpoint server;
	struct queue queue;
	uint64_t began;
	uint32_t asked, nwaiting;
	bool open;
	struct waiting waiting[LINE_WAITING];
};

/* Life. */

/* What the other side costs is given up; the rest is freed when the turn ends. */
static void
line_hang_up(struct line *l)
{
	queue_drop(&l->queue, &l->flows->assocs.queued);
	packets_free(l->packets);
	l->packets = NULL;
	l->nwaiting = 0;
}

static void
line_free(struct line *l)
{
	line_hang_up(l);
	timer_stop(&l->timer);
	list_remove(&l->node);
	list_append(&l->flows->assocs.lines.dead, &l->node);
	l->flows->assocs.lines.n--;
}

static void
timer_fired(struct timer *t)
{
	line_free(container_of(t, struct line, timer));
}

/* It is over before its time: until it is forgotten, questions go alone. */
static void
line_fail(struct line *l, int error)
{
	struct flows *fs = l->flows;

	flows_note_failure(
		fs, l->outbound, error, packets_reason(l->packets), &l->server);
	log_limited(&fs->assocs.troubles, loop_now(fs->loop), LOG_INFO,
		"questions by %s: %s", l->outbound->tag, packets_reason(l->packets));
	line_hang_up(l);
	timer_arm(&l->timer, LINE_ALONE_MS);
}

static void line_run(struct task *t);

static struct line *
line_new(struct flows *fs, struct outbound *o, const struct endpoint *server)
{
	struct target to = { .ip = server->ip, .port = server->port };
	struct lines *all = &fs->assocs.lines;
	struct line *l = NULL;

	if (all->n < LINES_MAX)
		l = pool_get(&all->pool);
	if (l == NULL)
		return NULL;
	task_init(&l->task, line_run);
	l->packets = outbound_bind(o, &to, &l->task);
	if (l->packets == NULL) {
		pool_put(&all->pool, l);
		return NULL;
	}
	l->outbound = outbound_hold(o);
	o->tally.flows++;
	l->flows = fs;
	l->server = *server;
	l->began = loop_now(fs->loop);
	timer_init(&l->timer, fs->loop, timer_fired);
	list_init(&l->node);
	list_append(&all->all, &l->node);
	all->n++;
	loop_ready(fs->loop, &l->task);
	return l;
}

static bool
may_ask(const struct line *l, uint64_t now)
{
	return l->nwaiting < LINE_WAITING && l->asked < LINE_QUESTIONS &&
		now - l->began < LINE_MS;
}

/* The line for a question; NULL: it has to go alone. */
static struct line *
line_get(struct flows *fs, struct outbound *o, const struct endpoint *server)
{
	struct list *all = &fs->assocs.lines.all;
	uint64_t now = loop_now(fs->loop);

	for (struct list *n = all->prev; n != all; n = n->prev) {
		struct line *l = container_of(n, struct line, node);

		if (l->outbound != o || !endpoint_equal(&l->server, server))
			continue;
		if (l->packets == NULL)
			return NULL;
		if (may_ask(l, now))
			return l;
	}
	return line_new(fs, o, server);
}

/* Questions. */

static uint64_t
question_hash(const struct flows *fs, const struct dns_question *q)
{
	uint8_t key[4 + DNS_NAME_TEXT];
	size_t len = strlen(q->name);

	be16_put(key, q->type);
	be16_put(key + 2, q->class);
	memcpy(key + 4, q->name, len);
	return table_hash(&fs->assocs.by_route, key, 4 + len);
}

static struct waiting *
waiting_find(struct line *l, uint16_t id)
{
	for (int i = 0; i < LINE_WAITING; i++)
		if (l->waiting[i].used && l->waiting[i].id == id)
			return &l->waiting[i];
	return NULL;
}

/* A free place, with an id that no other question of the line has. */
static struct waiting *
waiting_new(struct line *l)
{
	struct waiting *w = l->waiting;
	uint16_t id;

	while (w->used)
		w++;
	do
		id = (uint16_t)rng_below(&l->flows->assocs.lines.rng, 65536);
	while (waiting_find(l, id) != NULL);
	w->id = id;
	return w;
}

static void
waiting_end(struct line *l, struct waiting *w)
{
	w->used = false;
	l->nwaiting--;
}

/* False: the line has failed. */
static bool
line_try_open(struct line *l)
{
	int r;

	if (l->open)
		return true;
	r = packets_open(l->packets);
	l->open = r == STREAM_OK;
	if (r >= 0)
		return true;
	line_fail(l, r);
	return false;
}

/* False: it was not taken. */
static bool
line_send(struct line *l, const uint8_t *p, size_t len)
{
	struct dgram_out d = { l->server, p, len, 0 };
	int r = 0;

	if (!line_try_open(l))
		return false;
	if (l->open && queue_empty(&l->queue))
		r = packets_send_many(l->packets, &d, 1);
	if (r < 0)
		line_fail(l, r);
	if (r == 0)
		return queue_put(&l->queue, &l->flows->assocs.queued, &d) == 0;
	return r > 0;
}

bool
line_ask(struct assoc_route *r, const uint8_t *p, size_t len)
{
	struct flows *fs = r->assoc->flows;
	uint8_t copy[LINE_DATAGRAM];
	struct dns_message m;
	struct waiting *w;
	struct line *l;

	if (len > sizeof(copy) || dns_read(&m, p, len) < 0 || m.response || m.opcode != 0)
		return false;
	l = line_get(fs, r->outbound, &r->target);
	if (l == NULL)
		return false;
	w = waiting_new(l);
	memcpy(copy, p, len);
	be16_put(copy, w->id);
	if (!line_send(l, copy, len))
		return false;
	w->key = (struct assoc_route_key){ r->assoc->source, r->target, r->ours };
	w->question = question_hash(fs, &m.question);
	w->original = m.id;
	w->used = true;
	l->nwaiting++;
	l->asked++;
	timer_arm(&l->timer, LINE_ANSWER_MS);
	assoc_route_sent(r, len, 1);
	return true;
}

/* Answers. */

static void
deliver(struct line *l, uint8_t *p, size_t len)
{
	struct flows *fs = l->flows;
	struct waiting *w = NULL;
	struct assoc_route *r;
	struct dns_message m;

	if (len >= HEADER && dns_read(&m, p, len) == 0 && m.response)
		w = waiting_find(l, m.id);
	if (w == NULL || w->question != question_hash(fs, &m.question))
		return;
	waiting_end(l, w);
	r = assoc_route_find(&fs->assocs, &w->key);
	if (r == NULL)
		return;
	be16_put(p, w->original);
	if (fs->dns != NULL)
		dns_note(fs->dns, &w->key.source, &w->key.target, p, len);
	flows_note_bytes(fs, l->outbound, 0, len);
	if (stack_udp_send(fs->stack, assoc_route_seen_as(r), &w->key.source, p, len) < 0)
		fs->count.dropped++;
	assoc_route_answered(r, len, 1);
}

static void
line_receive(struct line *l)
{
	struct dgram_in d = { .p = l->flows->assocs.datagram, .cap = TUN_PACKET };
	int i, n, r;

	for (i = 0; i < LEG_TURN; i++) {
		r = packets_recv_many(l->packets, &d, 1, &n);
		if (r == STREAM_AGAIN)
			return;
		if (r == STREAM_OK)
			deliver(l, d.p, d.len);
		else if (r < 0 || r == STREAM_END) {
			line_fail(l, r);
			return;
		}
	}
	loop_ready(l->flows->loop, &l->task);
}

/* All have been answered, and no other may be asked. */
static bool
is_done(const struct line *l)
{
	return l->packets != NULL && l->nwaiting == 0 && l->asked > 0 &&
		!may_ask(l, loop_now(l->flows->loop));
}

static void
line_run(struct task *t)
{
	struct line *l = container_of(t, struct line, task);
	int r;

	if (l->packets == NULL || !line_try_open(l) || !l->open)
		return;
	r = queue_send(&l->queue, &l->flows->assocs.queued, l->packets);
	if (r < 0)
		line_fail(l, r);
	else
		line_receive(l);
	if (is_done(l))
		line_free(l);
}

/* The room's part. */

void
lines_init(struct lines *l)
{
	/* Those that ended in this turn still have their block. */
	pool_init(&l->pool, "lines", sizeof(struct line), 2 * LINES_MAX, 1);
	list_init(&l->all);
	list_init(&l->dead);
	rng_init(&l->rng);
	l->n = 0;
}

void
lines_close(struct flows *fs)
{
	struct list *all = &fs->assocs.lines.all;

	while (!list_empty(all))
		line_free(container_of(all->next, struct line, node));
}

void
lines_reap(struct flows *fs)
{
	struct lines *all = &fs->assocs.lines;
	struct list *n;

	while ((n = list_take(&all->dead)) != NULL) {
		struct line *l = container_of(n, struct line, node);

		task_fini(&l->task);
		outbound_drop(l->outbound);
		pool_put(&all->pool, l);
	}
}

size_t
lines_fini(struct lines *l)
{
	rng_fini(&l->rng);
	return pool_fini(&l->pool);
}
