/* SPDX-License-Identifier: MIT */
#include "outbound/outbound_kinds.h"

#include "stream/packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The way out that leads nowhere.  `none`: a connection is refused (the
 * application sees a reset, and does not wait).  `http`: it is taken, answered
 * with 403 whatever it says, and closed.  Datagrams vanish.
 */
struct blackhole {
	struct outbound o;
	bool http;
};

static const char forbidden[] =
	"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

struct hole {
	struct stream s;
	struct outbound *o; /* held */
	bool http;
	size_t told;        /* bytes of the answer that were taken */
	uint8_t sink[1024]; /* what is sent goes here and no further */
	uint8_t answer[sizeof(forbidden) - 1];
};

static struct hole *
hole_of(struct stream *s)
{
	return container_of(s, struct hole, s);
}

static int
hole_open(struct stream *s)
{
	return hole_of(s)->http ? STREAM_OK : -ECONNREFUSED;
}

static int
hole_send_buf(struct stream *s, struct window *w)
{
	struct hole *h = hole_of(s);

	if (!h->http)
		return -ECONNREFUSED;
	w->p = h->sink;
	w->len = sizeof(h->sink);
	return STREAM_OK;
}

static int
hole_send_ack(struct stream *s, size_t n)
{
	(void)s;
	(void)n;
	return STREAM_OK;
}

static int
hole_ok(struct stream *s)
{
	return hole_open(s);
}

static int
hole_recv_buf(struct stream *s, struct window *w)
{
	struct hole *h = hole_of(s);

	if (!h->http)
		return -ECONNREFUSED;
	if (h->told == sizeof(h->answer))
		return STREAM_END;
	w->p = h->answer + h->told;
	w->len = sizeof(h->answer) - h->told;
	return STREAM_OK;
}

static void
hole_recv_ack(struct stream *s, size_t n)
{
	hole_of(s)->told += n;
}

static void
hole_park(struct stream *s)
{
	(void)s;
}

static const char *
hole_reason(const struct stream *s)
{
	return container_of(s, struct hole, s)->http ? "" : "the blackhole refuses it";
}

static void
hole_free(struct stream *s)
{
	struct hole *h = hole_of(s);

	outbound_drop(h->o);
	free(h);
}

static const struct stream_ops hole_ops = {
	.name = "blackhole",
	.open = hole_open,
	.send_buf = hole_send_buf,
	.send_ack = hole_send_ack,
	.flush = hole_ok,
	.recv_buf = hole_recv_buf,
	.recv_ack = hole_recv_ack,
	.shut = hole_ok,
	.park = hole_park,
	.reason = hole_reason,
	.free = hole_free,
};

static struct stream *
blackhole_dial(struct outbound *o, const struct target *to, struct task *owner)
{
	struct hole *h = calloc(1, sizeof(*h));

	(void)to;
	(void)owner;
	if (!h)
		return NULL;
	h->s.ops = &hole_ops;
	h->o = outbound_hold(o);
	h->http = container_of(o, struct blackhole, o)->http;
	memcpy(h->answer, forbidden, sizeof(h->answer));
	return &h->s;
}

struct swallow {
	struct packets k;
	struct outbound *o; /* held */
};

static int
swallow_open(struct packets *k)
{
	(void)k;
	return STREAM_OK;
}

static int
swallow_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	(void)k;
	(void)to;
	(void)p;
	(void)len;
	return STREAM_OK;
}

static int
swallow_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	(void)k;
	(void)from;
	(void)p;
	(void)cap;
	(void)n;
	return STREAM_AGAIN;
}

static const char *
swallow_reason(const struct packets *k)
{
	(void)k;
	return "";
}

static void
swallow_free(struct packets *k)
{
	struct swallow *s = container_of(k, struct swallow, k);

	outbound_drop(s->o);
	free(s);
}

static const struct packets_ops swallow_ops = {
	.name = "blackhole",
	.open = swallow_open,
	.send = swallow_send,
	.recv = swallow_recv,
	.reason = swallow_reason,
	.free = swallow_free,
};

static struct packets *
blackhole_bind(struct outbound *o, const struct target *to, struct task *owner)
{
	struct swallow *s = calloc(1, sizeof(*s));

	(void)to;
	(void)owner;
	if (!s)
		return NULL;
	s->k.ops = &swallow_ops;
	s->o = outbound_hold(o);
	return &s->k;
}

static void
blackhole_free(struct outbound *o)
{
	free(container_of(o, struct blackhole, o));
}

static const struct outbound_ops blackhole_ops = {
	.kind = "blackhole",
	.truthful = true,
	.dial = blackhole_dial,
	.bind = blackhole_bind,
	.free = blackhole_free,
};

struct outbound *
blackhole_new(const struct outbound_spec *spec, struct err *e)
{
	struct blackhole *b = calloc(1, sizeof(*b));

	if (!b) {
		err_set(e, "no memory left");
		return NULL;
	}
	b->o.ops = &blackhole_ops;
	b->http = spec->u.blackhole.http;
	return &b->o;
}
