/* SPDX-License-Identifier: MIT */
#include "stream/udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those that ended in this turn still have their block. */
enum { UDP_MAX = 65536, UDP_KEEP = 64 };

/* So many at once, and the kernel is asked to join what comes. */
enum { JOIN_FROM = 4 };

/* The descriptor is in its watch, and owned; below 0: not opened yet. */
struct socket {
	struct watch w;
	uint8_t family;
	bool dry;  /* nothing more is there until the watch says so */
	bool cuts; /* see dgram_send */
	bool joins;
};

/* There are many: each idle association has one. */
struct udp {
	struct packets k;
	struct pool *from;
	const struct sock_options *options; /* borrowed; may be NULL */
	struct socket first;
	struct socket *second; /* owned, a block of `from`; NULL: one family is enough */
	union {
		struct {
			/* What the system said at once about a destination, told by the
			 * next recv: PACKETS_ and why, or 0: nothing. */
			struct endpoint about;
			uint8_t said;
			bool turned;   /* the second is read first: neither starves */
			int16_t error; /* -errno: final */
		};
		struct deferred gone; /* from its free on */
	};
};

_Static_assert(sizeof(struct udp) <= 104, "there are thousands");

static struct udp *
udp_of(struct packets *k)
{
	return container_of(k, struct udp, k);
}

static int
udp_ready(struct packets *k)
{
	return udp_of(k)->error;
}

/* 0: not an error about a destination. */
static int
meaning(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return PACKETS_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENONET:
	case EINVAL:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
		return PACKETS_UNREACHABLE;
	case EACCES:
	case EPERM:
		return PACKETS_PROHIBITED;
	}
	return 0;
}

static void
say(struct udp *u, const struct endpoint *about, int what)
{
	u->about = *about;
	u->said = (uint8_t)what;
	loop_ready(u->first.w.loop, u->first.w.owner);
}

/* That of a family, or one that it may have; NULL without memory. */
static struct socket *
socket_for(struct udp *u, int family)
{
	if (u->first.w.fd < 0 || u->first.family == family)
		return &u->first;
	if (!u->second) {
		u->second = pool_get(u->from);
		if (u->second)
			u->second->w.fd = -1;
	}
	return u->second;
}

static int
socket_open(struct udp *u, struct socket *s, int family)
{
	int fd = sock_udp_open(family, u->options);

	if (fd < 0)
		return fd;
	s->family = (uint8_t)family;
	s->dry = true;
	s->cuts = true;
	watch_init(&s->w, u->first.w.loop, fd, u->first.w.owner);
	s->w.edge = s->w.one_way = true;
	watch_want(&s->w, WATCH_READ);
	return 0;
}

/* How many datagrams from the first on go to addresses of one family. */
static int
of_one_family(const struct dgram_out *d, int n)
{
	int i;

	for (i = 1; i < n; i++)
		if ((d[i].to.ip.family == 6) != (d->to.ip.family == 6))
			return i;
	return n;
}

/* Why d did not go: 1: it is dealt with; 0: not taken; or below. */
static int
not_sent(struct udp *u, struct socket *s, const struct dgram_out *d, int error)
{
	if (error == -EMSGSIZE)
		return -EMSGSIZE;
	if (s->w.fd >= 0 && error == -EAGAIN) {
		watch_want(&s->w, WATCH_WRITE);
		return 0;
	}
	/* An interface's queue was full, of which no event tells: lost, as it is for whoever
	 * does not ask for errors of that kind. */
	if (s->w.fd >= 0 && (error == -ENOBUFS || error == -ENOMEM))
		return 1;
	if (!meaning(-error))
		return u->error = (int16_t)error;
	say(u, &d->to, meaning(-error));
	return 1;
}

/* As packets_send_many, for one family, and maybe for fewer than n. */
static int
send_some(struct udp *u, struct dgram_out *d, int n)
{
	int family = d->to.ip.family == 6 ? 6 : 4, r = 0;
	struct socket *s = socket_for(u, family);

	if (!s)
		return u->error = (int16_t)-ENOMEM;
	if (s->w.fd < 0)
		r = socket_open(u, s, family);
	if (r == 0)
		r = dgram_send(s->w.fd, &s->cuts, d, of_one_family(d, n));
	/* An error that an earlier datagram left on the socket: the next recv takes it
	 * from the queue, and this datagram has not been tried yet. */
	if (s->w.fd >= 0 && (r == -ECONNREFUSED || r == -EHOSTUNREACH))
		r = dgram_send(s->w.fd, &s->cuts, d, 1);
	return r > 0 ? r : not_sent(u, s, d, r);
}

static int
udp_send_many(struct packets *k, struct dgram_out *d, int n)
{
	struct udp *u = udp_of(k);
	int i, r;

	if (u->error)
		return u->error;
	for (i = 0; i < n; i += r) {
		r = send_some(u, d + i, n - i);
		if (r <= 0)
			return i > 0 ? i : r;
	}
	return n;
}

static int
udp_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	struct dgram_out d = { { to->ip, to->port }, p, len, 0 };
	int r;

	/* Only a name: lost, as datagrams may be. */
	if (!to->ip.family)
		return STREAM_OK;
	r = udp_send_many(k, &d, 1);
	if (r < 0)
		return r;
	return r == 1 ? STREAM_OK : STREAM_AGAIN;
}

/* The next error that the socket has queued and that concerns a destination. */
static int
next_error(struct socket *s, struct endpoint *from)
{
	int error, what;

	while (sock_next_error(s->w.fd, from, &error) == 0) {
		what = meaning(error);
		if (what)
			return what;
	}
	return STREAM_AGAIN;
}

/* Nothing more: whoever is woken next begins with what has come. An error that was queued
 * has been read, and is not the end of the socket. */
static int
run_dry(struct socket *s)
{
	s->dry = true;
	s->w.lasting = 0;
	watch_want(&s->w, WATCH_READ);
	return STREAM_AGAIN;
}

/*
 * Errors are looked for where the socket was woken and nothing has come: they
 * keep it awake for as long as they are queued.
 */
static int
socket_recv(struct socket *s, struct dgram_in *d, int cap, int *n)
{
	int r, what;

	if (s->w.happened)
		s->dry = false;
	s->w.happened = 0;
	if (s->dry)
		return STREAM_AGAIN;
	r = dgram_recv(s->w.fd, d, cap);
	if (r <= 0 && r != -EAGAIN && !meaning(-r) && r != -EMSGSIZE)
		return r;
	if (r <= 0) {
		what = next_error(s, &d->from);
		return what != STREAM_AGAIN ? what : run_dry(s);
	}
	/* With an error queued the next call comes past the datagrams, and finds it. */
	if (r < cap && !s->w.lasting)
		run_dry(s);
	if (r >= JOIN_FROM && !s->joins)
		dgram_join(s->w.fd);
	s->joins |= r >= JOIN_FROM;
	*n = r;
	return STREAM_OK;
}

static int
udp_recv_many(struct packets *k, struct dgram_in *d, int cap, int *n)
{
	struct udp *u = udp_of(k);
	struct socket *s;
	int i, r;

	if (u->error)
		return u->error;
	if (u->said) {
		r = u->said;
		d->from = u->about;
		u->said = 0;
		return r;
	}
	for (i = 0; i < 2; i++) {
		u->turned = !u->turned;
		s = u->turned ? u->second : &u->first;
		r = !s || s->w.fd < 0 ? STREAM_AGAIN : socket_recv(s, d, cap, n);
		if (r < 0)
			return u->error = (int16_t)r;
		if (r != STREAM_AGAIN)
			return r;
	}
	return STREAM_AGAIN;
}

static int
udp_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	struct dgram_in d = { .p = p, .cap = cap };
	int one, r = udp_recv_many(k, &d, 1, &one);

	*from = d.from;
	*n = d.len;
	return r;
}

static const char *
udp_reason(const struct packets *k)
{
	const struct udp *u = container_of(k, struct udp, k);

	return u->error ? stream_error_text(u->error) : "";
}

static void
udp_delete(struct deferred *d)
{
	struct udp *u = container_of(d, struct udp, gone);

	pool_put(u->from, u->second);
	pool_put(u->from, u);
}

static void
socket_close(struct socket *s)
{
	if (s->w.fd < 0)
		return;
	watch_fini(&s->w);
	sock_close(s->w.fd);
}

static void
udp_free(struct packets *k)
{
	struct udp *u = udp_of(k);

	socket_close(&u->first);
	if (u->second)
		socket_close(u->second);
	loop_defer(u->first.w.loop, &u->gone, udp_delete);
}

static const struct packets_ops udp_ops = {
	.name = "udp",
	.open = udp_ready,
	.send = udp_send,
	.recv = udp_recv,
	.send_many = udp_send_many,
	.recv_many = udp_recv_many,
	.reason = udp_reason,
	.free = udp_free,
};

void
udp_pool_init(struct pool *p)
{
	pool_init(p, "datagram sockets", sizeof(struct udp), UDP_MAX, UDP_KEEP);
}

struct packets *
udp_open(struct loop *l, struct pool *from, const struct sock_options *options,
	struct task *owner)
{
	struct udp *u = pool_get(from);

	if (!u)
		return NULL;
	u->k.ops = &udp_ops;
	u->from = from;
	u->options = options;
	watch_init(&u->first.w, l, -1, owner);
	return &u->k;
}
