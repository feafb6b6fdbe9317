/* SPDX-License-Identifier: MIT */
#include "outbound/vmess.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The way to a server: its transport, opened, and that of the next server where it
 * does not come up.
 */

enum {
	/* For a server where another one is left, and in all. */
	PATIENCE_MS = 5000,
	OPEN_MAX_MS = 30000,
};

enum reach_state {
	REACH_TRYING, /* lower is being opened */
	REACH_UP,     /* lower is the connection */
	REACH_DEAD,   /* no server is left; error says why, and `why` or lower tells it */
};

struct reach {
	struct stream s;          /* s.lower: the transport; owned */
	struct stream *transport; /* beneath the carrier; NULL: none */
	struct vmess *v;          /* held */
	struct task *owner;
	struct timer patience;
	struct deferred gone;
	enum reach_state state;
	int error;       /* -errno, once DEAD */
	const char *why; /* static text, or the server's; NULL: lower knows */
	struct vmess_pick pick;
	uint64_t tried; /* a bit for each server that is not to be tried any more */
	uint64_t began; /* with this server */
	bool impatient; /* this server has had its time */
	bool heard;     /* bytes have come, or it has ended in order */
	bool early;     /* made before it is needed */
	bool unproven;  /* UP, but the server has not been asked before the first bytes */
};

static struct reach *
reach_of(struct stream *s)
{
	return container_of(s, struct reach, s);
}

static int
fail(struct reach *a, int error, const char *why)
{
	timer_stop(&a->patience);
	a->state = REACH_DEAD;
	a->error = error;
	a->why = why;
	return error;
}

static void
lose_patience(struct timer *t)
{
	struct reach *a = container_of(t, struct reach, patience);

	a->impatient = true;
	loop_ready(t->loop, a->owner);
}

static uint64_t
patience(const struct reach *a, bool others)
{
	uint64_t user = (uint64_t)a->v->o.policy.handshake * 1000;
	uint64_t most = others ? PATIENCE_MS : OPEN_MAX_MS;

	if (user == 0)
		return most;
	return others && most < user ? most : user;
}

/* All bits of the servers are set. */
static bool
all_tried(const struct reach *a)
{
	size_t n = a->v->nserver;

	return a->tried == (n < 64 ? (1ull << n) - 1 : UINT64_MAX);
}

/* An attempt at the next server. False: there is none, and lower is what it was. */
static bool
begin(struct reach *a)
{
	struct vmess *v = a->v;
	struct way way = { .sock = &v->sock };
	struct vmess_server *server;

	if (!vmess_servers_pick(v, a->tried, &a->pick))
		return false;
	server = a->pick.server;
	a->tried |= 1ull << (server - v->server);
	way.to = server->at;
	way.name = server->name;
	way.family = &server->family;
	/* What is made early is to be up, and not to wait for bytes. */
	way.fast = a->early ? NULL : &server->fast;
	stream_free(a->s.lower);
	a->transport = server->dead ? NULL : transport_new(&v->o, &way, a->owner);
	a->s.lower = server->dead ? NULL
				  : carrier_new(&server->carrier, a->transport, &v->rng,
					    &v->o.env, a->owner);
	a->began = loop_now(v->o.env.loop);
	a->impatient = false;
	timer_arm(&a->patience, patience(a, !all_tried(a)));
	return true;
}

/* What this machine lacks says nothing of the server. */
static bool
is_server_fault(int error)
{
	return error != -ENOMEM && error != -EMFILE && error != -ENFILE &&
		error != -ENOBUFS;
}

static int
open_lower(struct reach *a)
{
	int r;

	if (a->pick.server->dead)
		return -EDESTADDRREQ;
	if (!a->s.lower)
		return -ENOMEM;
	r = stream_open(a->s.lower);
	return r == STREAM_AGAIN && a->impatient ? -ETIMEDOUT : r;
}

/* A refusal has a date, too, and comes behind a certificate. */
static void
hear(const struct reach *a)
{
	struct carrier_told told;

	vmess_reach_told(&a->s, &told);
	vmess_clock_hear(a->pick.server, &told, a->v->o.env.unix_time());
}

static const char slow[] = "the server did not come up in time";

/* NULL: lower knows. */
static const char *
why_not(const struct reach *a)
{
	if (a->pick.server->dead)
		return a->pick.server->dead;
	if (!a->s.lower)
		return "no memory left";
	return a->impatient ? slow : NULL;
}

static void
reached(struct reach *a)
{
	timer_stop(&a->patience);
	vmess_server_reached(a->pick.server);
	a->unproven = false;
}

static int
try(struct reach *a)
{
	const char *why;
	int r;

	for (;;) {
		r = open_lower(a);
		if (r == STREAM_AGAIN)
			return STREAM_AGAIN;
		if (r == STREAM_OK) {
			a->state = REACH_UP;
			a->unproven = transport_is_unproven(a->transport);
			if (!a->unproven)
				reached(a);
			return STREAM_OK;
		}
		why = why_not(a);
		hear(a);
		if (is_server_fault(r))
			vmess_server_failed(a->v, a->pick.server,
				why ? why : stream_reason(a->s.lower));
		if (!begin(a))
			return fail(a, r, why);
	}
}

static int
reach_open(struct stream *s)
{
	struct reach *a = reach_of(s);

	switch (a->state) {
	case REACH_TRYING:
		return try(a);
	case REACH_UP:
		return STREAM_OK;
	case REACH_DEAD:
		return a->error;
	}
	return -EINVAL;
}

/* Its SYN has left with the first bytes, and nobody answers: it cannot be tried elsewhere,
 * since they may have arrived. */
static int
give_up(struct reach *a)
{
	if (!transport_is_unproven(a->transport)) {
		reached(a);
		return STREAM_OK;
	}
	vmess_server_failed(a->v, a->pick.server, slow);
	return fail(a, -ETIMEDOUT, slow);
}

/* Bytes pass only while the connection is up. */
static int
usable(struct reach *a)
{
	if (a->state == REACH_UP)
		return a->unproven && a->impatient ? give_up(a) : STREAM_OK;
	return a->state == REACH_DEAD ? a->error : STREAM_AGAIN;
}

/*
 * With early data, or where its SYN takes the first bytes along, a connection may be open
 * before the server was asked: what it answers is then the server's failure, and the next
 * connection begins elsewhere.
 */
static int
passed(struct reach *a, int r)
{
	if (r >= 0 || a->heard)
		return r;
	a->unproven = a->unproven && transport_is_unproven(a->transport);
	if (!a->unproven && !carrier_is_early(&a->pick.server->carrier))
		return r;
	a->heard = true;
	hear(a);
	if (is_server_fault(r))
		vmess_server_failed(a->v, a->pick.server, stream_reason(a->s.lower));
	return r;
}

static int
received(struct reach *a, int r)
{
	if (r == STREAM_AGAIN)
		return r;
	r = passed(a, r);
	if (r >= 0 && a->unproven)
		reached(a);
	a->heard = true;
	return r;
}

static int
reach_send_buf(struct stream *s, struct window *w)
{
	struct reach *a = reach_of(s);
	int r = usable(a);

	return r == STREAM_OK ? passed(a, stream_send_buf(s->lower, w)) : r;
}

static int
reach_send_ack(struct stream *s, size_t n)
{
	return stream_send_ack(s->lower, n);
}

static int
reach_flush(struct stream *s)
{
	struct reach *a = reach_of(s);
	int r = usable(a);

	return r == STREAM_OK ? passed(a, stream_flush(s->lower)) : r;
}

static int
reach_recv_buf(struct stream *s, struct window *w)
{
	struct reach *a = reach_of(s);
	int r = usable(a);

	return r == STREAM_OK ? received(a, stream_recv_buf(s->lower, w)) : r;
}

static void
reach_recv_ack(struct stream *s, size_t n)
{
	stream_recv_ack(s->lower, n);
}

static int
reach_shut(struct stream *s)
{
	int r = usable(reach_of(s));

	return r == STREAM_OK ? stream_shut(s->lower) : r;
}

static void
reach_park(struct stream *s)
{
	if (s->lower)
		stream_park(s->lower);
}

static const char *
reach_reason(const struct stream *s)
{
	const struct reach *a = container_of(s, struct reach, s);

	if (a->why)
		return a->why;
	return s->lower ? stream_reason(s->lower) : "";
}

static void
reach_own(struct stream *s, struct task *owner)
{
	reach_of(s)->owner = owner;
}

static void
reach_delete(struct deferred *d)
{
	free(container_of(d, struct reach, gone));
}

/* All but the connection. */
static void
reach_leave(struct stream *s)
{
	struct reach *a = reach_of(s);
	struct loop *l = a->v->o.env.loop;

	timer_stop(&a->patience);
	outbound_drop(&a->v->o);
	loop_defer(l, &a->gone, reach_delete);
}

static void
reach_free(struct stream *s)
{
	struct reach *a = reach_of(s);

	/* Whoever dialled has lost patience first. */
	if ((a->state == REACH_TRYING || !vmess_reach_is_up(s)) &&
		a->state != REACH_DEAD &&
		loop_now(a->v->o.env.loop) - a->began >= PATIENCE_MS)
		vmess_server_failed(a->v, a->pick.server, slow);
	stream_free(s->lower);
	reach_leave(s);
}

/* The transport beneath may go only with it, or after it. */
static bool
reach_is_over(const struct stream *s)
{
	const struct reach *a = container_of(s, const struct reach, s);

	return a->state == REACH_UP && a->heard && !a->unproven;
}

static int
reach_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct reach *a = reach_of(s);
	int r = usable(a);

	return r == STREAM_OK ? received(a, stream_read(s->lower, p, cap, n)) : r;
}

static int
reach_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct reach *a = reach_of(s);
	int r = usable(a);

	return r == STREAM_OK ? passed(a, stream_writev(s->lower, w, count, n)) : r;
}

static const struct stream_ops reach_ops = {
	.name = "reach",
	.open = reach_open,
	.send_buf = reach_send_buf,
	.send_ack = reach_send_ack,
	.flush = reach_flush,
	.recv_buf = reach_recv_buf,
	.recv_ack = reach_recv_ack,
	.shut = reach_shut,
	.park = reach_park,
	.reason = reach_reason,
	.own = reach_own,
	.over = reach_is_over,
	.leave = reach_leave,
	.free = reach_free,
	.read = reach_read,
	.writev = reach_writev,
};

static struct stream *
reach_new(struct vmess *v, uint64_t without, struct task *owner, bool early)
{
	struct reach *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->s.ops = &reach_ops;
	a->v = container_of(outbound_hold(&v->o), struct vmess, o);
	a->owner = owner;
	a->early = early;
	a->tried = without;
	timer_init(&a->patience, v->o.env.loop, lose_patience);
	begin(a);
	return &a->s;
}

struct stream *
vmess_reach_new(struct vmess *v, struct task *owner)
{
	return reach_new(v, 0, owner, false);
}

struct stream *
vmess_reach_new_early(struct vmess *v, uint64_t without, struct task *owner)
{
	return reach_new(v, without, owner, true);
}

int
vmess_reach_listen(struct stream *s)
{
	struct reach *a = reach_of(s);
	struct window w;

	return stream_recv_buf(carrier_spoken(&a->pick.server->carrier, s->lower), &w);
}

bool
vmess_reach_is_fresh(struct stream *s)
{
	bool nothing = vmess_reach_listen(s) == STREAM_AGAIN;

	stream_park(s);
	return nothing && transport_is_fresh(reach_of(s)->transport);
}

void
vmess_reach_hang_up(struct stream *s)
{
	struct reach *a = reach_of(s);

	if (a->state == REACH_UP)
		stream_shut(a->transport);
	stream_free(s);
}

bool
vmess_reach_is_up(const struct stream *s)
{
	const struct reach *a = container_of(s, const struct reach, s);

	return s->ops != &reach_ops || !a->unproven ||
		!transport_is_unproven(a->transport);
}

void
vmess_reach_told(const struct stream *s, struct carrier_told *told)
{
	const struct reach *a;

	memset(told, 0, sizeof(*told));
	if (s->ops != &reach_ops || !s->lower)
		return;
	a = container_of(s, const struct reach, s);
	carrier_told(&a->pick.server->carrier, s->lower, told);
}

struct vmess_pick
vmess_reached(struct vmess *v, const struct stream *s)
{
	if (s->ops == &reach_ops)
		return container_of(s, const struct reach, s)->pick;
	return (struct vmess_pick){ &v->server[0], &v->server[0].user[0] };
}
