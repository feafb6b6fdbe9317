/* SPDX-License-Identifier: MIT */
#include "outbound/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	RACE_MAX = 6,         /* attempts at a time */
	STAGGER_MS = 250,     /* between one attempt and the next (RFC 8305, 5) */
	PATIENCE_MS = 3000,   /* with the oldest attempt, where RACE_MAX of them run */
	DOUBT_MS = 1000,      /* without an answer to a SYN that has taken bytes along */
	REMEMBER_MS = 600000, /* which family won; then the other one gets its chance */
	FAST_PAUSE_MS = 3600000, /* after two lost SYNs with bytes (RFC 7413, 4.1.3.1) */
};

enum transport_state {
	TRANSPORT_LOOKUP,  /* the name's addresses are asked for */
	TRANSPORT_CONNECT, /* attempts are under way */
	TRANSPORT_UP,      /* lower is the connection */
	TRANSPORT_DEAD,    /* error says why, and `why`, lower or the lookup tells it */
};

/* What is needed until one attempt has won, and not while bytes pass. */
struct attempts {
	struct stream *race[RACE_MAX]; /* the oldest first; owned */
	struct ip raced[RACE_MAX];     /* where each goes */
	size_t nrace;
	struct ip ip[NAMES_ADDRS]; /* in the order of trying */
	size_t nip, at;            /* ip[at] is the next */
	struct ip otherwise;
	bool mixed; /* there are addresses of both families */
};

struct transport {
	struct stream s; /* s.lower: the connection, or the last attempt that failed */
	struct attempts *tries; /* owned; NULL once UP */
	struct lookup *lookup;
	struct outbound *o; /* held */
	struct task *owner;
	const struct sock_options *sock;
	struct way_family *family; /* the outbound's, or NULL */
	struct way_fast *fast;     /* so is this */
	struct timer stagger;
	struct deferred gone;
	enum transport_state state;
	int error;            /* -errno: of the last failure; final once DEAD */
	const char *why;      /* static text; NULL: lower or the lookup knows */
	struct endpoint peer; /* once UP */
	uint16_t port;
	bool due;  /* it is time for the next address */
	bool held; /* lower was open before it was up, and has not brought a byte yet */
	uint64_t began; /* once UP: when it was */
};

static struct transport *
transport_of(struct stream *s)
{
	return container_of(s, struct transport, s);
}

static int
fail(struct transport *t, int error, const char *why)
{
	timer_stop(&t->stagger);
	t->state = TRANSPORT_DEAD;
	t->error = error;
	t->why = why;
	return error;
}

bool
transport_is_unproven(struct stream *s)
{
	struct transport *t = transport_of(s);

	return t->held && tcp_is_unproven(t->s.lower);
}

/* Perhaps there is nobody: the next connection asks first. */
static void
doubt(struct transport *t)
{
	if (transport_is_unproven(&t->s))
		t->fast->proven.family = 0;
}

static void
stagger_over(struct timer *timer)
{
	struct transport *t = container_of(timer, struct transport, stagger);

	if (t->state == TRANSPORT_UP) {
		doubt(t);
		return;
	}
	t->due = true;
	loop_ready(timer->loop, t->owner);
}

static void
race_remove(struct transport *t, size_t i)
{
	struct attempts *a = t->tries;
	size_t rest = --a->nrace - i;

	memmove(a->race + i, a->race + i + 1, rest * sizeof(*a->race));
	memmove(a->raced + i, a->raced + i + 1, rest * sizeof(*a->raced));
}

static bool
may_be_fast(const struct transport *t, const struct ip *ip)
{
	const struct way_fast *f = t->fast;

	return f && t->sock->fast != SOCK_FAST_NEVER && f->proven.family &&
		ip_equal(&f->proven, ip) && loop_now(t->o->env.loop) >= f->pause;
}

/* An attempt at the next address; the oldest one goes where there are too many. */
static int
launch(struct transport *t)
{
	struct attempts *a = t->tries;
	struct endpoint to = { .ip = a->ip[a->at++], .port = t->port };
	struct sock_options sock = *t->sock;
	struct stream *s;

	t->due = false;
	if (a->nrace == RACE_MAX) {
		stream_free(a->race[0]);
		race_remove(t, 0);
	}
	if (may_be_fast(t, &to.ip))
		sock.fast = SOCK_FAST_DATA;
	s = tcp_dial(t->o->env.loop, t->o->env.memory, &to, &sock, t->owner);
	if (!s)
		return fail(t, -ENOMEM, "no memory left");
	a->race[a->nrace] = s;
	a->raced[a->nrace++] = to.ip;
	if (a->at < a->nip)
		timer_arm(&t->stagger, a->nrace < RACE_MAX ? STAGGER_MS : PATIENCE_MS);
	else
		timer_stop(&t->stagger);
	return STREAM_OK;
}

/* The family that comes first: the one that won the last time, else the resolver's. */
static int
first_family(const struct transport *t, const struct ip *ip)
{
	const struct way_family *f = t->family;

	if (f && f->family && loop_now(t->o->env.loop) < f->until)
		return f->family;
	return ip->family;
}

/* The addresses in the order of trying: family by turns (RFC 8305, 4). */
static void
order(struct transport *t, const struct ip *ip, size_t n)
{
	struct attempts *a = t->tries;
	int family = first_family(t, ip);
	size_t of[2] = { 0, 0 }; /* where to go on looking: for this family, and others */
	size_t i, which;

	if (n > NAMES_ADDRS)
		n = NAMES_ADDRS;
	for (i = 0; a->nip < n; i++) {
		which = i % 2;
		while (of[which] < n && (ip[of[which]].family == family) != (which == 0))
			of[which]++;
		if (of[which] < n)
			a->ip[a->nip++] = ip[of[which]++];
	}
	for (i = 1; i < n; i++)
		a->mixed |= ip[i].family != ip[0].family;
}

/* The address that needs no race comes first. */
static void
order_fast(struct transport *t)
{
	struct attempts *a = t->tries;
	struct ip first;
	size_t i;

	for (i = 0; i < a->nip; i++) {
		if (!may_be_fast(t, &a->ip[i]))
			continue;
		first = a->ip[i];
		memmove(a->ip + 1, a->ip, i * sizeof(*a->ip));
		a->ip[0] = first;
		return;
	}
}

/* What the lookup says; OK when an attempt has begun. */
static int
look(struct transport *t)
{
	const struct ip *ip;
	int n = lookup_answer(t->lookup, &ip);

	if (n == -EAGAIN)
		return STREAM_AGAIN;
	if (n > 0)
		order(t, ip, (size_t)n);
	else if (t->tries->otherwise.family)
		t->tries->ip[t->tries->nip++] = t->tries->otherwise;
	else
		return fail(t, n < 0 ? n : -ENOENT, NULL);
	order_fast(t);
	t->state = TRANSPORT_CONNECT;
	return launch(t);
}

/* For a while only: what has won once would be tried first, and win, for ever. */
static void
remember(struct transport *t, int family)
{
	struct way_family *f = t->family;
	uint64_t now = loop_now(t->o->env.loop);

	if (!f || !t->tries->mixed || (f->family == family && now < f->until))
		return;
	f->family = family;
	f->until = now + REMEMBER_MS;
}

static void
tries_free(struct transport *t)
{
	while (t->tries && t->tries->nrace)
		stream_free(t->tries->race[--t->tries->nrace]);
	free(t->tries);
	t->tries = NULL;
}

static int
won(struct transport *t, size_t i)
{
	struct attempts *a = t->tries;

	remember(t, a->raced[i].family);
	t->peer = (struct endpoint){ .ip = a->raced[i], .port = t->port };
	timer_stop(&t->stagger);
	stream_free(t->s.lower);
	t->s.lower = a->race[i];
	race_remove(t, i);
	tries_free(t);
	lookup_free(t->lookup);
	t->lookup = NULL;
	t->state = TRANSPORT_UP;
	t->began = loop_now(t->o->env.loop);
	t->held = tcp_is_unproven(t->s.lower);
	if (t->held)
		timer_arm(&t->stagger, DOUBT_MS);
	else if (t->fast)
		t->fast->proven = t->peer.ip;
	return STREAM_OK;
}

/* Any SYN may be lost: only of two in a row is it the bytes that are to blame. Those that
 * left before the first was missed are one with it. */
static void
note_lost(struct transport *t)
{
	uint64_t now = loop_now(t->o->env.loop);
	struct way_fast *f = t->fast;
	char at[ENDPOINT_TEXT];

	if (f->lost == 0) {
		f->lost = now;
		return;
	}
	if (t->began < f->lost)
		return;
	f->lost = 0;
	f->pause = now + FAST_PAUSE_MS;
	log_info(
		"%s: two SYNs with bytes were lost on the way there; for an hour none has "
		"any",
		endpoint_format(&t->peer, at));
}

/* The first bytes of a connection that was held have come, or its end: it was up. */
static void
prove(struct transport *t)
{
	t->held = false;
	t->fast->proven = t->peer.ip;
	timer_stop(&t->stagger);
	if (tcp_fast_lost(t->s.lower))
		note_lost(t);
	else
		t->fast->lost = 0;
}

static int
received(struct transport *t, int r)
{
	if (t->held && (r == STREAM_OK || r == STREAM_END))
		prove(t);
	return r;
}

/* The attempt is kept instead of the one that failed before, for its reason. */
static void
lost(struct transport *t, size_t i, int error)
{
	struct attempts *a = t->tries;

	stream_free(t->s.lower);
	t->s.lower = a->race[i];
	t->error = error;
	race_remove(t, i);
	t->due = true;
}

/* Carries every attempt forward; OK when one has won, AGAIN else. */
static int
race(struct transport *t)
{
	struct attempts *a = t->tries;
	size_t i = 0;
	int r;

	while (i < a->nrace) {
		r = stream_open(a->race[i]);
		if (r == STREAM_OK)
			return won(t, i);
		if (r == STREAM_AGAIN)
			i++;
		else
			lost(t, i, r);
	}
	return STREAM_AGAIN;
}

static int
connect_some(struct transport *t)
{
	struct attempts *a = t->tries;
	int r;

	for (;;) {
		r = race(t);
		if (r == STREAM_OK)
			return STREAM_OK;
		if (a->at == a->nip || !t->due)
			break;
		r = launch(t);
		if (r < 0)
			return r;
	}
	return a->nrace ? STREAM_AGAIN : fail(t, t->error, NULL);
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

	return r == STREAM_OK ? received(transport_of(s), stream_recv_buf(s->lower, w))
			      : r;
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
transport_own(struct stream *s, struct task *owner)
{
	transport_of(s)->owner = owner;
}

static void
transport_delete(struct deferred *d)
{
	free(container_of(d, struct transport, gone));
}

/* All but the connection. */
static void
transport_leave(struct stream *s)
{
	struct transport *t = transport_of(s);
	struct loop *l = t->o->env.loop;

	timer_stop(&t->stagger);
	lookup_free(t->lookup);
	tries_free(t);
	outbound_drop(t->o);
	loop_defer(l, &t->gone, transport_delete);
}

static void
transport_free(struct stream *s)
{
	doubt(transport_of(s));
	stream_free(s->lower);
	transport_leave(s);
}

static bool
transport_is_over(const struct stream *s)
{
	const struct transport *t = container_of(s, const struct transport, s);

	return t->state == TRANSPORT_UP && !t->held;
}

static int
transport_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	int r = usable(transport_of(s));

	return r == STREAM_OK
		? received(transport_of(s), stream_read(s->lower, p, cap, n))
		: r;
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
	.own = transport_own,
	.over = transport_is_over,
	.leave = transport_leave,
	.free = transport_free,
	.read = transport_read,
	.writev = transport_writev,
};

/* The first step: an attempt, or a question. What fails here is told by open. */
static void
begin(struct transport *t, const struct way *way)
{
	unsigned families = way->families ? way->families : LOOKUP_V4 | LOOKUP_V6;

	if (way->to.ip.family) {
		t->tries->ip[t->tries->nip++] = way->to.ip;
		t->state = TRANSPORT_CONNECT;
		launch(t);
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
	t->tries = calloc(1, sizeof(*t->tries));
	if (!t->tries) {
		free(t);
		return NULL;
	}
	t->s.ops = &transport_ops;
	t->o = outbound_hold(o);
	t->owner = owner;
	t->sock = way->sock;
	t->family = way->family;
	t->fast = way->fast;
	t->port = way->to.port;
	t->tries->otherwise = way->otherwise;
	timer_init(&t->stagger, o->env.loop, stagger_over);
	begin(t, way);
	return &t->s;
}

const struct endpoint *
transport_peer(const struct stream *s)
{
	return &container_of(s, const struct transport, s)->peer;
}

bool
transport_is_fresh(const struct stream *s)
{
	const struct transport *t = container_of(s, const struct transport, s);
	struct endpoint from;
	struct ip now;

	return t->state == TRANSPORT_UP && tcp_is_silent(t->s.lower) &&
		tcp_local(t->s.lower, &from) == 0 &&
		sock_source(&t->peer, t->sock, &now) == 0 && ip_equal(&from.ip, &now);
}
