/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include "stack/ends.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const struct stream_ops conn_ops;

static struct conn *
conn_of(const struct stream *s)
{
	return (struct conn *)(uintptr_t)s; /* its first member */
}

struct conn *
conn_new(struct stack *s, const struct segment *g, void *cookie)
{
	struct conn *c;

	if (s->n.conns >= s->config.conns_max)
		return NULL;
	c = pool_get(&s->conn_pool);
	if (!c)
		return NULL;
	c->stream.ops = &conn_ops;
	c->stack = s;
	c->cookie = cookie;
	c->node.hash = tuple_hash(&s->conns, &g->app, &g->target);
	c->ring_cap = RING_FIRST < s->config.ring ? RING_FIRST : s->config.ring;
	list_init(&c->work);
	list_init(&c->stuck);
	list_init(&c->place);
	s->n.conns++;
	return c;
}

static void
received_drop(struct conn *c)
{
	while (c->in)
		port_pbuf_drop(&c->in);
	c->in_used = c->in_room = 0;
}

void
conn_release(struct conn *c)
{
	assert(!c->pcb);
	list_remove(&c->work);
	list_remove(&c->stuck);
	conn_age_end(c);
	received_drop(c);
	credit_ring_drop(c);
	if (c->state == CONN_OPENING || c->state == CONN_OPEN)
		c->stack->n.conns--;
	pool_put(&c->stack->conn_pool, c);
}

struct pair {
	const struct endpoint *app, *target;
};

static bool
same(const struct table_node *n, const void *key)
{
	const struct conn *c = container_of(n, struct conn, node);
	const struct pair *p = key;

	return ends_are(c->pcb, p->app, p->target);
}

struct conn *
conn_find(
	const struct stack *s, const struct endpoint *app, const struct endpoint *target)
{
	struct pair key = { app, target };
	struct table_node *n;

	n = table_find(&s->conns, tuple_hash(&s->conns, app, target), same, &key);
	return n ? container_of(n, struct conn, node) : NULL;
}

/* The list that those in c's state are in by age, and how many they are; NULL: none. */
static struct list *
age_list(struct conn *c, size_t **n)
{
	struct stack *s = c->stack;

	switch (c->state) {
	case CONN_OPENING:
		if (c->accepted)
			break;
		*n = &s->nopening;
		return &s->opening;
	case CONN_LINGERING:
		*n = &s->nlingering;
		return &s->lingering;
	case CONN_DELIVERED:
		*n = &s->ndelivered;
		return &s->delivered;
	case CONN_OPEN:
	case CONN_DEAD:
		break;
	}
	return NULL;
}

void
conn_age_begin(struct conn *c)
{
	size_t *n;
	struct list *l = age_list(c, &n);

	assert(l);
	c->since = loop_now(c->stack->loop);
	list_append(l, &c->place);
	++*n;
}

void
conn_age_end(struct conn *c)
{
	size_t *n;

	if (list_empty(&c->place))
		return;
	list_remove(&c->place);
	if (age_list(c, &n))
		--*n;
}

void
conn_drop(struct conn *c, bool reset)
{
	port_abandon(c, reset);
}

void
conn_wake(struct conn *c)
{
	if (c->state != CONN_OPENING && c->owner)
		loop_ready(c->stack->loop, c->owner);
}

bool
conn_owes(const struct conn *c)
{
	return c->ring && ring_held(c->ring) > 0;
}

/* An empty ring goes back; one that was too small is followed by a larger one. */
static void
ring_rest(struct conn *c)
{
	if (!c->ring || conn_owes(c))
		return;
	credit_ring_drop(c);
	if (c->cramped && c->ring_cap < c->stack->config.ring)
		c->ring_cap *= 4;
	if (c->ring_cap > c->stack->config.ring)
		c->ring_cap = c->stack->config.ring;
	c->cramped = false;
}

void
conn_push(struct conn *c)
{
	if (c->pcb)
		port_push(c);
	ring_rest(c);
}

void
conn_own(struct stream *conn, struct task *owner)
{
	struct conn *c = conn_of(conn);

	c->owner = owner;
	if (owner && (c->in || c->ended || c->error || !c->pcb))
		conn_wake(c);
}

void
conn_ask(struct stream *conn, bool local)
{
	struct conn *c = conn_of(conn);

	if (c->pcb)
		port_ask(c, local);
}

static int
open_conn(struct stream *s)
{
	return conn_of(s)->error;
}

static int
send_buf(struct stream *s, struct window *w)
{
	struct conn *c = conn_of(s);
	int err;

	if (c->error)
		return c->error;
	if (c->shut || !c->pcb)
		return -EPIPE;
	if (c->cramped)
		ring_rest(c);
	err = c->ring ? 0 : credit_ring(c);
	if (err == -EAGAIN)
		return STREAM_AGAIN;
	if (err < 0)
		return c->error = -ENOMEM;
	w->len = c->cramped ? 0 : ring_room(c->ring, &w->p);
	if (w->len)
		return STREAM_OK;
	/* A ring that may still grow is emptied first: lwIP sends from its memory. */
	c->cramped = c->ring_cap < c->stack->config.ring;
	stack_work(c);
	return STREAM_AGAIN;
}

static int
send_ack(struct stream *s, size_t n)
{
	struct conn *c = conn_of(s);

	if (c->error)
		return c->error;
	ring_put(c->ring, n);
	stack_work(c);
	return STREAM_OK;
}

/* Nothing but bytes is sent at once: what is to be acknowledged is when the turn ends. */
static int
flush(struct stream *s)
{
	struct conn *c = conn_of(s);

	if (!c->error && conn_owes(c))
		conn_push(c);
	if (c->error)
		return c->error;
	return conn_owes(c) ? STREAM_AGAIN : STREAM_OK;
}

/* What came before an error is still read, as from a socket of the kernel. */
static int
recv_buf(struct stream *s, struct window *w)
{
	struct conn *c = conn_of(s);

	if (c->in) {
		*w = port_pbuf_window(port_pbuf_next(c->in));
		w->p += c->in_used;
		w->len -= c->in_used;
		return STREAM_OK;
	}
	if (c->error)
		return c->error;
	return c->ended || !c->pcb ? STREAM_END : STREAM_AGAIN;
}

static int
recv_bufs(struct stream *s, struct window *w, int max, int *count)
{
	const struct pbuf *last = conn_of(s)->in, *p;
	int r = recv_buf(s, w);

	*count = r == STREAM_OK;
	if (r != STREAM_OK)
		return r;
	for (p = port_pbuf_next(last); *count < max && p != last; (*count)++) {
		p = port_pbuf_next(p);
		w[*count] = port_pbuf_window(p);
	}
	return STREAM_OK;
}

/* Of n bytes that are done with those of the first piece; what is left of n. */
static size_t
first_drop(struct conn *c, size_t n)
{
	size_t len;

	assert(c->in);
	len = port_pbuf_window(port_pbuf_next(c->in)).len - c->in_used;
	if (n < len) {
		c->in_used = (uint16_t)(c->in_used + n);
		return 0;
	}
	port_pbuf_drop(&c->in);
	c->in_used = 0;
	return n - len;
}

static void
recv_ack(struct stream *s, size_t n)
{
	struct conn *c = conn_of(s);

	if (n == 0)
		return;
	credit_take(c, n);
	while (n > 0)
		n = first_drop(c, n);
	stack_work(c);
}

static int
shut(struct stream *s)
{
	struct conn *c = conn_of(s);

	if (c->error)
		return c->error;
	c->shut = true;
	stack_work(c);
	return STREAM_OK;
}

static void
park(struct stream *s)
{
	ring_rest(conn_of(s));
}

static const char *
reason(const struct stream *s)
{
	switch (conn_of(s)->error) {
	case 0:
		return "no error";
	case -ECONNRESET:
		return "reset by the application";
	case -ETIMEDOUT:
		return "the application does not answer";
	case -ENOMEM:
		return "no memory";
	default:
		return "failed";
	}
}

/* Of those that linger, and of those that have delivered. */
static size_t
ending_max(const struct stack *s)
{
	return s->config.conns_max / 2 > 16 ? s->config.conns_max / 2 : 16;
}

/* In a place among those that end; where all are taken the oldest one's.  Who has delivered
 * is in nobody's way who has not: short connections, which wait two seconds each to be
 * forgotten, would cost a slow reader the rest. */
static void
end_as(struct conn *c, enum conn_state state)
{
	struct list *l;
	size_t *n;

	conn_age_end(c);
	c->state = state;
	l = age_list(c, &n);
	if (*n >= ending_max(c->stack))
		conn_drop(container_of(l->next, struct conn, place), true);
	conn_age_begin(c);
}

void
conn_settle(struct conn *c)
{
	if (c->state == CONN_LINGERING && port_has_delivered(c))
		end_as(c, CONN_DELIVERED);
}

static void
linger(struct conn *c)
{
	received_drop(c);
	end_as(c, CONN_LINGERING);
	conn_settle(c);
	stack_work(c);
}

static void
free_conn(struct stream *s)
{
	struct conn *c = conn_of(s);

	c->owner = NULL;
	if (!c->pcb) {
		conn_release(c);
		return;
	}
	c->stack->n.conns--;
	if (c->shut && !c->error) {
		linger(c);
		return;
	}
	list_remove(&c->place);
	c->state = CONN_LINGERING;
	conn_drop(c, true);
}

static const struct stream_ops conn_ops = {
	.name = "conn",
	.open = open_conn,
	.send_buf = send_buf,
	.send_ack = send_ack,
	.flush = flush,
	.recv_buf = recv_buf,
	.recv_ack = recv_ack,
	.recv_bufs = recv_bufs,
	.shut = shut,
	.park = park,
	.reason = reason,
	.free = free_conn,
};
