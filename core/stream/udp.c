/* SPDX-License-Identifier: MIT */
#include "stream/udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V4, V6, FAMILIES };

struct socket {
	struct watch w;
	int fd; /* -1: not opened yet */
};

/* What the system said at once about a destination, told by the next recv. */
struct verdict {
	struct endpoint about;
	int what; /* PACKETS_REFUSED, PACKETS_UNREACHABLE, or 0: none */
};

struct udp {
	struct packets k;
	struct loop *loop;
	struct task *owner;
	struct sock_options options;
	struct socket socket[FAMILIES];
	struct verdict verdict;
	struct deferred gone;
	int error; /* -errno: final */
	int turn;  /* the family that is read first, so that neither starves the other */
};

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
	case EACCES:
	case EPERM:
	case EINVAL:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EPROTO:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
		return PACKETS_UNREACHABLE;
	}
	return 0;
}

static int
say(struct udp *u, const struct endpoint *about, int what)
{
	u->verdict.about = *about;
	u->verdict.what = what;
	loop_ready(u->loop, u->owner);
	return STREAM_OK;
}

static int
socket_open(struct udp *u, struct socket *s, int family)
{
	int fd = sock_udp_open(family, &u->options);

	if (fd < 0)
		return fd;
	s->fd = fd;
	watch_init(&s->w, u->loop, fd, u->owner);
	watch_want(&s->w, WATCH_READ);
	return 0;
}

static int
udp_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	struct endpoint at = { .ip = to->ip, .port = to->port };
	struct udp *u = udp_of(k);
	struct socket *s = &u->socket[to->ip.family == 6 ? V6 : V4];
	ssize_t r;

	if (u->error)
		return u->error;
	if (s->fd < 0) {
		r = socket_open(u, s, to->ip.family == 6 ? 6 : 4);
		if (r < 0 && meaning((int)-r))
			return say(u, &at, meaning((int)-r));
		if (r < 0)
			return u->error = (int)r;
	}
	r = sock_send_to(s->fd, &at, p, len);
	/* An error that an earlier datagram left on the socket: the next recv takes it
	 * from the queue, and this datagram has not been tried yet. */
	if (r == -ECONNREFUSED || r == -EHOSTUNREACH)
		r = sock_send_to(s->fd, &at, p, len);
	if (r >= 0)
		return STREAM_OK;
	if (r == -EMSGSIZE)
		return -EMSGSIZE;
	if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM) {
		watch_want(&s->w, WATCH_WRITE);
		return STREAM_AGAIN;
	}
	if (meaning((int)-r))
		return say(u, &at, meaning((int)-r));
	return u->error = (int)r;
}

/* The next error that the socket has queued and that concerns a destination. */
static int
next_error(struct socket *s, struct endpoint *from)
{
	int error, what;

	while (sock_next_error(s->fd, from, &error) == 0) {
		what = meaning(error);
		if (what)
			return what;
	}
	return STREAM_AGAIN;
}

static int
socket_recv(struct socket *s, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	ssize_t r;
	int what;

	r = sock_recv_from(s->fd, from, p, cap);
	if (r >= 0) {
		*n = (size_t)r;
		return STREAM_OK;
	}
	if (r != -EAGAIN && !meaning((int)-r) && r != -EMSGSIZE)
		return (int)r;
	/* A pending error hides the queue for one call, and is about something in it. */
	what = next_error(s, from);
	if (what != STREAM_AGAIN)
		return what;
	if (r != -EAGAIN) {
		r = sock_recv_from(s->fd, from, p, cap);
		if (r >= 0) {
			*n = (size_t)r;
			return STREAM_OK;
		}
	}
	watch_want(&s->w, WATCH_READ);
	return STREAM_AGAIN;
}

static int
udp_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	struct udp *u = udp_of(k);
	struct socket *s;
	int i, r;

	if (u->error)
		return u->error;
	if (u->verdict.what) {
		r = u->verdict.what;
		*from = u->verdict.about;
		u->verdict.what = 0;
		return r;
	}
	for (i = 0; i < FAMILIES; i++) {
		u->turn = !u->turn;
		s = &u->socket[u->turn];
		r = s->fd < 0 ? STREAM_AGAIN : socket_recv(s, from, p, cap, n);
		if (r < 0)
			return u->error = r;
		if (r != STREAM_AGAIN)
			return r;
	}
	return STREAM_AGAIN;
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
	free(container_of(d, struct udp, gone));
}

static void
udp_free(struct packets *k)
{
	struct udp *u = udp_of(k);
	int i;

	for (i = 0; i < FAMILIES; i++) {
		if (u->socket[i].fd < 0)
			continue;
		watch_fini(&u->socket[i].w);
		sock_close(u->socket[i].fd);
	}
	loop_defer(u->loop, &u->gone, udp_delete);
}

static const struct packets_ops udp_ops = {
	.name = "udp",
	.open = udp_ready,
	.send = udp_send,
	.recv = udp_recv,
	.reason = udp_reason,
	.free = udp_free,
};

struct packets *
udp_open(struct loop *l, const struct sock_options *options, struct task *owner)
{
	struct udp *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->k.ops = &udp_ops;
	u->loop = l;
	u->owner = owner;
	if (options)
		u->options = *options;
	u->socket[V4].fd = u->socket[V6].fd = -1;
	return &u->k;
}
