/* SPDX-License-Identifier: MIT */
#include "outbound/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * An address that says nothing is left for the next one after this long; the
 * last one has all the time that the kernel gives it.
 */
enum { PATIENCE_MS = 3000 };

enum transport_state {
	TRANSPORT_LOOKUP,  /* the name's addresses are asked for */
	TRANSPORT_CONNECT, /* lower is an attempt */
	TRANSPORT_UP,      /* lower is the connection */
	TRANSPORT_DEAD,    /* error says why, and `why` or lower tells it */
};

struct transport {
	struct stream s; /* s.lower: the attempt or the connection; owned */
	struct lookup *lookup;
	struct outbound *o; /* held */
	struct task *owner;
	const struct sock_options *sock;
	struct timer patience;
	struct deferred gone;
	enum transport_state state;
	int error;       /* -errno, once DEAD */
	const char *why; /* static text; NULL: lower or the lookup knows */
	struct endpoint to;
	struct ip otherwise;
	const struct ip *ip; /* addresses not tried yet, in the lookup */
	size_t nip;
	bool impatient; /* the patience with this attempt has run out */
};

static struct transport *
transport_of(struct stream *s)
{
	return container_of(s, struct transport, s);
}

static int
fail(struct transport *t, int error, const char *why)
{
	timer_stop(&t->patience);
	t->state = TRANSPORT_DEAD;
	t->error = error;
	t->why = why;
	return error;
}

static void
lose_patience(struct timer *timer)
{
	struct transport *t = container_of(timer, struct transport, patience);

	t->impatient = true;
	loop_ready(timer->loop, t->owner);
}

static int
attempt(struct transport *t)
{
	stream_free(t->s.lower);
	t->s.lower = tcp_dial(
		t->o->env.loop, t->o->env.memory, &t->to, t->sock, t->owner);
	if (!t->s.lower)
		return fail(t, -ENOMEM, "no memory left");
	t->state = TRANSPORT_CONNECT;
	t->impatient = false;
	if (t->nip)
		timer_arm(&t->patience, PATIENCE_MS);
	else
		timer_stop(&t->patience);
	return STREAM_OK;
}

static int
attempt_next(struct transport *t)
{
	t->to.ip = *t->ip++;
	t->nip--;
	return attempt(t);
}

/* What the lookup says; OK when an attempt has begun. */
static int
look(struct transport *t)
{
	int n = lookup_answer(t->lookup, &t->ip);

	if (n == -EAGAIN)
		return STREAM_AGAIN;
	if (n > 0) {
		t->nip = (size_t)n;
		return attempt_next(t);
	}
	if (t->otherwise.family) {
		t->to.ip = t->otherwise;
		return attempt(t);
	}
	return fail(t, n < 0 ? n : -ENOENT, NULL);
}

/* Carries the attempt forward, and goes on to the next address when it fails. */
static int
connect_some(struct transport *t)
{
	int r;

	for (;;) {
		r = stream_open(t->s.lower);
		if (r == STREAM_OK) {
			timer_stop(&t->patience);
			lookup_free(t->lookup);
			t->lookup = NULL;
			t->nip = 0;
			t->state = TRANSPORT_UP;
			return STREAM_OK;
		}
		if (r == STREAM_AGAIN && !(t->impatient && t->nip))
			return STREAM_AGAIN;
		if (!t->nip)
			return fail(t, r, NULL);
		r = attempt_next(t);
		if (r < 0)
			return r;
	}
}

static int
transport_open(struct stream *s)
{
	struct transport *t = transport_of(s);
	int r;

	switch (t->state) {
	case TRANSPORT_LOOKUP:
		r = look(t);
		return r == STREAM_OK ? connect_some(t) : r;
	case TRANSPORT_CONNECT:
		return connect_some(t);
	case TRANSPORT_UP:
		return STREAM_OK;
	case TRANSPORT_DEAD:
		return t->error;
	}
	return -EINVAL;
}

/* Bytes pass only while the connection is up. */
static int
usable(const struct transport *t)
{
	if (t->state == TRANSPORT_UP)
		return STREAM_OK;
	return t->state == TRANSPORT_DEAD ? t->error : STREAM_AGAIN;
}

static int
transport_send_buf(struct stream *s, struct window *w)
{
	int r = usable(transport_of(s));

	return r == STREAM_OK ? stream_send_buf(s->lower, w) : r;
}

static int
transport_send_ack(struct stream *s, size_t n)
{
	return stream_send_ack(s->lower, n);
}

static int
transport_flush(struct stream *s)
{
	int r = usable(transport_of(s));

	return r == STREAM_OK ? stream_flush(s->lower) : r;
}

static int
transport_recv_buf(struct stream *s, struct window *w)
{
	int r = usable(transport_of(s));

	return r == STREAM_OK ? stream_recv_buf(s->lower, w) : r;
}

static void
transport_recv_ack(struct stream *s, size_t n)
{
	stream_recv_ack(s->lower, n);
}

static int
transport_shut(struct stream *s)
{
	int r = usable(transport_of(s));

	return r == STREAM_OK ? stream_shut(s->lower) : r;
}

static void
transport_park(struct stream *s)
{
	if (s->lower)
		stream_park(s->lower);
}

static const char *
transport_reason(const struct stream *s)
{
	const struct transport *t = container_of(s, struct transport, s);

	if (t->why)
		return t->why;
	if (s->lower)
		return stream_reason(s->lower);
	return t->error && t->lookup ? lookup_reason(t->lookup) : "";
}

static void
transport_delete(struct deferred *d)
{
	free(container_of(d, struct transport, gone));
}

static void
transport_free(struct stream *s)
{
	struct transport *t = transport_of(s);
	struct loop *l = t->o->env.loop;

	timer_stop(&t->patience);
	lookup_free(t->lookup);
	stream_free(s->lower);
	outbound_drop(t->o);
	loop_defer(l, &t->gone, transport_delete);
}

static int
transport_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	int r = usable(transport_of(s));

	return r == STREAM_OK ? stream_read(s->lower, p, cap, n) : r;
}

static int
transport_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	int r = usable(transport_of(s));

	return r == STREAM_OK ? stream_writev(s->lower, w, count, n) : r;
}

static const struct stream_ops transport_ops = {
	.name = "transport",
	.open = transport_open,
	.send_buf = transport_send_buf,
	.send_ack = transport_send_ack,
	.flush = transport_flush,
	.recv_buf = transport_recv_buf,
	.recv_ack = transport_recv_ack,
	.shut = transport_shut,
	.park = transport_park,
	.reason = transport_reason,
	.free = transport_free,
	.read = transport_read,
	.writev = transport_writev,
};

/* The first step: an attempt, or a question. What fails here is told by open. */
static void
begin(struct transport *t, const struct way *way)
{
	unsigned families = way->families ? way->families : LOOKUP_V4 | LOOKUP_V6;

	if (t->to.ip.family) {
		attempt(t);
		return;
	}
	if (!way->name || !t->o->env.names) {
		fail(t, -ENETUNREACH, "there is no resolver for the name of the server");
		return;
	}
	t->lookup = names_lookup(t->o->env.names, way->name, families, t->owner);
	if (!t->lookup)
		fail(t, -ENOMEM, "no memory left");
}

struct stream *
transport_new(struct outbound *o, const struct way *way, struct task *owner)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->s.ops = &transport_ops;
	t->o = outbound_hold(o);
	t->owner = owner;
	t->sock = way->sock;
	t->to = way->to;
	t->otherwise = way->otherwise;
	timer_init(&t->patience, o->env.loop, lose_patience);
	begin(t, way);
	return &t->s;
}
