/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* RFC 6298 2.1 and 5.5: the first repetition comes after a second, each further one after
 * twice the time, and no system waits longer than about a minute. */
enum { BACKOFF_FIRST_MS = 1000, BACKOFF_MAX_MS = 64000 };

struct pair {
	const struct endpoint *app, *target;
};

static bool
same(const struct table_node *n, const void *key)
{
	const struct held *h = container_of(n, struct held, node);
	const struct pair *p = key;

	return endpoint_equal(&h->app, p->app) && endpoint_equal(&h->target, p->target);
}

static struct held *
held_find(const struct stack *s, const struct segment *g)
{
	struct pair key = { &g->app, &g->target };
	struct table_node *n;

	n = table_find(&s->helds, tuple_hash(&s->helds, &g->app, &g->target), same, &key);
	return n ? container_of(n, struct held, node) : NULL;
}

/* How many are held for that target, and for the others that its counter serves. */
static uint16_t *
share_of(struct stack *s, const struct endpoint *target)
{
	size_t i, n = 0;

	for (i = 0; i < sizeof(target->ip.b); i++)
		n ^= target->ip.b[i];
	return &s->share[n % HELD_SHARES];
}

static void
held_free(struct held *h)
{
	struct stack *s = h->stack;

	timer_stop(&h->timer);
	if (h->kept) {
		table_remove(&s->helds, &h->node);
		list_remove(&h->age);
		--*share_of(s, &h->target);
		s->n.waiting--;
	}
	pool_put(&s->held_pool, h);
}

static void
held_end(struct held *h, enum stack_gone why)
{
	struct stack_user *u = h->stack->user;
	void *cookie = h->cookie;

	if (why == STACK_GAVE_UP)
		h->stack->n.forgotten++;
	held_free(h);
	u->gone(u, cookie, why);
}

static void
forget(struct timer *t)
{
	struct held *h = container_of(t, struct held, timer);

	held_end(h, h->answered ? STACK_GAVE_WAY : STACK_GAVE_UP);
}

/* The header in our own words: what held_segment reads again. */
static void
head_write(struct held *h, const struct segment *g)
{
	struct writer w;

	writer_init(&w, h->head, sizeof(h->head));
	writer_be16(&w, g->app.port);
	writer_be16(&w, g->target.port);
	writer_be32(&w, g->seq);
	writer_be32(&w, g->ack);
	writer_u8(&w, (uint8_t)((TCP_HEADER + g->optlen) / 4 << 4));
	writer_u8(&w, g->flags);
	writer_be16(&w, g->window);
	writer_be32(&w, 0);
	writer_bytes(&w, g->options, g->optlen);
	h->headlen = w.len;
}

static void
held_segment(const struct held *h, struct segment *g)
{
	struct packet k = {
		.source = h->app.ip,
		.target = h->target.ip,
		.proto = PROTO_TCP,
		.verified = true,
		.p = h->head,
		.len = h->headlen,
	};
	int err = segment_read(g, &k);

	assert(err == 0);
	(void)err;
}

static struct held *
held_new(struct stack *s, const struct segment *g)
{
	struct held *h = pool_get(&s->held_pool);

	if (!h)
		return NULL;
	h->stack = s;
	h->app = g->app;
	h->target = g->target;
	h->since = h->seen = loop_now(s->loop);
	list_init(&h->age);
	timer_init(&h->timer, s->loop, forget);
	head_write(h, g);
	return h;
}

/* The same SYN once more, or a new attempt from the same port: still wanted. */
static void
held_again(struct held *h, const struct segment *g)
{
	uint64_t now = loop_now(h->stack->loop), next;

	next = 2 * (now - h->seen);
	if (next < BACKOFF_FIRST_MS)
		next = BACKOFF_FIRST_MS;
	if (next > BACKOFF_MAX_MS)
		next = BACKOFF_MAX_MS;
	h->seen = now;
	head_write(h, g);
	timer_arm(&h->timer, 2 * next);
}

/* To one that comes. */
static void
opening_give_way(struct conn *c)
{
	c->stack->n.over_limit++;
	c->error = -ENOMEM;
	conn_drop(c, false);
}

/* False when there is no room for it. */
static bool
admit(struct stack *s, const struct segment *g, void *cookie)
{
	struct syn_options o;
	struct conn *c;

	s->n.admitted++;
	while (s->nopening >= OPENING_MAX)
		opening_give_way(container_of(s->opening.next, struct conn, place));
	c = conn_new(s, g, cookie);
	if (!c) {
		s->n.over_limit++;
		return false;
	}
	syn_options_read(&o, g->options, g->optlen);
	port_input(c, g, &o);
	if (!c->pcb && list_empty(&c->place)) {
		c->error = -ENOMEM;
		list_append(&s->news, &c->place);
	}
	return true;
}

static void
refuse(struct stack *s, const struct segment *g, const struct held *h,
	enum stack_answer a)
{
	const struct quoted q = { &g->app, &g->target, h->head, h->headlen, h->headlen,
		PROTO_TCP };

	s->n.refused++;
	if (a == STACK_RESET)
		reply_reset(s, g);
	else if (a != STACK_IGNORE)
		reply_refuse(s, &q, a);
}

/* Those to a host that is silent leave some places to all others, and who has waited for
 * long, to whatever host, has the least hope.  Who would give way to one more to that
 * target; NULL: a place is free. */
static struct held *
in_the_way(struct stack *s, const struct endpoint *target)
{
	size_t max = s->config.held_max;

	if (s->n.waiting < max && *share_of(s, target) < max - max / 8)
		return NULL;
	return container_of(s->waits.next, struct held, age);
}

/* Whether one more SYN may be held.  Each of them has a way out that is being opened, so
 * this is looked at before one is.  Nobody gives way yet: it may not have to be held. */
static bool
may_hold(struct stack *s, const struct endpoint *target)
{
	const struct held *h = in_the_way(s, target);

	return !h || loop_now(s->loop) - h->since >= HELD_MS;
}

static void
hold(struct stack *s, struct held *h)
{
	struct held *oldest = in_the_way(s, &h->target);

	s->n.held++;
	s->n.waiting++;
	++*share_of(s, &h->target);
	h->kept = true;
	list_append(&s->waits, &h->age);
	table_insert(&s->helds, &h->node, tuple_hash(&s->helds, &h->app, &h->target));
	timer_arm(&h->timer, 2 * BACKOFF_FIRST_MS);
	if (!oldest)
		return;
	s->n.over_limit++;
	held_end(oldest, STACK_GAVE_WAY);
}

/* False, and counted: there is no room for another connection. */
static bool
has_room(struct stack *s, const struct endpoint *target)
{
	bool is_short = credit_is_short(s);

	if (!is_short && s->n.conns < s->config.conns_max && may_hold(s, target))
		return true;
	s->n.over_limit++;
	if (is_short)
		log_limited(&s->fullness, loop_now(s->loop), LOG_WARNING,
			"the memory for traffic is used up: new connections have to "
			"wait until others end; sluice.memory allows more");
	return false;
}

static enum stack_answer
ask_user(struct stack *s, struct held *h)
{
	struct stack_user *u = s->user;
	enum stack_answer a;

	if (u->elsewhere && u->elsewhere(u, &h->app, &h->target, &a))
		return a;
	if (!has_room(s, &h->target))
		return STACK_IGNORE;
	return u->syn(u, &h->app, &h->target, h, &h->cookie);
}

static void
ask(struct stack *s, const struct segment *g)
{
	struct held *h = held_new(s, g);
	enum stack_answer a;

	if (!h) {
		s->n.over_limit++;
		return;
	}
	a = ask_user(s, h);
	switch (a) {
	case STACK_HOLD:
		hold(s, h);
		return;
	case STACK_ADMIT:
		if (!admit(s, g, h->cookie))
			s->user->gone(s->user, h->cookie, STACK_GAVE_WAY);
		break;
	case STACK_RESET:
	case STACK_NO_HOST:
	case STACK_NO_NET:
	case STACK_PROHIBITED:
	case STACK_IGNORE:
		refuse(s, g, h, a);
		break;
	}
	held_free(h);
}

void
stack_answer_held(struct stack *s, struct held *h, enum stack_answer a)
{
	struct segment g;

	assert(h->kept && !h->answered && a != STACK_HOLD);
	held_segment(h, &g);
	if (a == STACK_ADMIT && !admit(s, &g, h->cookie)) {
		/* The user is not told from inside its own call. */
		h->answered = true;
		timer_arm(&h->timer, 0);
		return;
	}
	if (a != STACK_ADMIT)
		refuse(s, &g, h, a);
	held_free(h);
}

/* Without its payload, which lwIP would not take with a SYN either. */
static struct segment
bare(const struct segment *g)
{
	struct segment b = *g;

	b.p = NULL;
	b.len = 0;
	return b;
}

/* A SYN where a connection is.  One that is over gives way at once (RFC 6191): with
 * timestamps a kernel uses a port again after a second.  So does a handshake that the
 * application has begun anew.  lwIP challenges the others (RFC 5961 4). */
static bool
syn_meets(struct conn *c, const struct segment *g)
{
	struct segment b = bare(g);

	if (port_is_over(c) || (c->state == CONN_OPENING && !port_syn_again(c, g))) {
		conn_drop(c, false);
		return false;
	}
	port_input(c, &b, NULL);
	return true;
}

static void
admit_syn(struct stack *s, const struct segment *g)
{
	struct held *h = held_find(s, g);
	struct segment b = bare(g);
	struct conn *c;

	s->n.syns++;
	if (h) {
		if (!h->answered)
			held_again(h, g);
		return;
	}
	c = conn_find(s, &g->app, &g->target);
	if (c && syn_meets(c, g))
		return;
	stack_tell(s);
	ask(s, &b);
}

/* The application gives up a SYN that is held. */
static bool
held_reset(struct stack *s, const struct segment *g)
{
	struct held *h = g->flags & SEGMENT_RST ? held_find(s, g) : NULL;
	struct segment syn;

	if (!h)
		return false;
	held_segment(h, &syn);
	if (g->seq == syn.seq || g->seq == syn.seq + 1)
		held_end(h, STACK_GAVE_UP);
	return true;
}

/* What belongs to nothing here may still be somebody's. */
static void
stray(struct stack *s, const struct segment *g)
{
	struct stack_user *u = s->user;

	if (!u->stray || !u->stray(u, &g->app, &g->target))
		reply_reset(s, g);
}

void
admit_segment(struct stack *s, const struct segment *g)
{
	struct conn *c;

	if (g->flags & SEGMENT_SYN) {
		admit_syn(s, g);
		return;
	}
	c = conn_find(s, &g->app, &g->target);
	if (c)
		port_input(c, g, NULL);
	else if (!held_reset(s, g))
		stray(s, g);
}

static void
end_each(struct table_node *n, void *arg)
{
	(void)arg;
	held_end(container_of(n, struct held, node), STACK_GAVE_UP);
}

void
admit_end(struct stack *s)
{
	table_each(&s->helds, end_each, NULL);
}
