/* SPDX-License-Identifier: MIT */
#include "stream/httpupgrade.h"

#include "base/base64.h"
#include "base/list.h"
#include "stream/http_head_exchange.h"

#include <stdlib.h>
#include <string.h>

struct httpupgrade {
	struct stream s;
	struct exchange *x; /* until the server has agreed, or for its error; owned */
	struct http_facts facts; /* of x, once that is gone */
	/* Bytes behind the head that lie in the lower stream's window: only after them
	 * may its memory be passed by. */
	size_t leftover;
	int error; /* -errno: final */
};

static struct httpupgrade *
httpupgrade_of(struct stream *s)
{
	return container_of(s, struct httpupgrade, s);
}

static int
passed(struct httpupgrade *t, int r)
{
	if (r < 0)
		t->error = r;
	return r;
}

/* What a call on the exchange answered, which may be over by that. */
static int
exchanged(struct httpupgrade *t, int r)
{
	size_t leftover = t->x->leftover;

	exchange_settle(&t->x, &t->facts);
	if (!t->x)
		t->leftover = leftover;
	return passed(t, r);
}

/* OK: bytes pass. */
static int
upgrade(struct httpupgrade *t)
{
	if (t->error || !t->x)
		return t->error;
	return exchanged(t, exchange_finish(t->x));
}

static int
httpupgrade_open(struct stream *s)
{
	struct httpupgrade *t = httpupgrade_of(s);

	if (t->error || !t->x)
		return t->error;
	return exchanged(t, exchange_open(t->x));
}

static int
httpupgrade_send_buf(struct stream *s, struct window *w)
{
	struct httpupgrade *t = httpupgrade_of(s);
	int r;

	if (t->error)
		return t->error;
	if (t->x) {
		r = exchanged(t, exchange_send_buf(t->x, w));
		if (r != STREAM_OK || t->x)
			return r;
	}
	return passed(t, stream_send_buf(s->lower, w));
}

static int
httpupgrade_send_ack(struct stream *s, size_t n)
{
	struct httpupgrade *t = httpupgrade_of(s);

	if (t->error)
		return t->error;
	if (!t->x)
		return passed(t, stream_send_ack(s->lower, n));
	exchange_send_ack(t->x, n);
	return STREAM_OK;
}

static int
httpupgrade_flush(struct stream *s)
{
	struct httpupgrade *t = httpupgrade_of(s);
	int r;

	if (t->error)
		return t->error;
	if (t->x) {
		r = exchanged(t, exchange_flush(t->x));
		if (r != STREAM_OK || t->x)
			return r;
	}
	return passed(t, stream_flush(s->lower));
}

static int
httpupgrade_recv_buf(struct stream *s, struct window *w)
{
	struct httpupgrade *t = httpupgrade_of(s);
	int r = upgrade(t);

	return r == STREAM_OK ? passed(t, stream_recv_buf(s->lower, w)) : r;
}

static void
httpupgrade_recv_ack(struct stream *s, size_t n)
{
	struct httpupgrade *t = httpupgrade_of(s);

	stream_recv_ack(s->lower, n);
	t->leftover -= n < t->leftover ? n : t->leftover;
}

static int
httpupgrade_shut(struct stream *s)
{
	struct httpupgrade *t = httpupgrade_of(s);
	int r = upgrade(t);

	return r == STREAM_OK ? passed(t, stream_shut(s->lower)) : r;
}

static void
httpupgrade_park(struct stream *s)
{
	stream_park(s->lower);
}

static const char *
httpupgrade_reason(const struct stream *s)
{
	const struct httpupgrade *t = container_of(s, struct httpupgrade, s);

	if (!t->error)
		return "";
	return t->x ? exchange_reason(t->x) : stream_reason(s->lower);
}

static void
httpupgrade_free(struct stream *s)
{
	struct httpupgrade *t = httpupgrade_of(s);

	exchange_free(t->x);
	stream_free(s->lower);
	free(t);
}

static int
httpupgrade_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct httpupgrade *t = httpupgrade_of(s);
	struct window w;
	int r = upgrade(t);

	if (r == STREAM_OK && !t->leftover)
		return passed(t, stream_read(s->lower, p, cap, n));
	if (r == STREAM_OK)
		r = httpupgrade_recv_buf(s, &w);
	if (r != STREAM_OK)
		return r;
	*n = w.len < cap ? w.len : cap;
	memcpy(p, w.p, *n);
	httpupgrade_recv_ack(s, *n);
	return STREAM_OK;
}

/* What is sent before the answer goes through windows, where there are any. */
static int
httpupgrade_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct httpupgrade *t = httpupgrade_of(s);
	struct window room;
	int r;

	if (!t->error && !t->x)
		return passed(t, stream_writev(s->lower, w, count, n));
	r = httpupgrade_send_buf(s, &room);
	if (r != STREAM_OK)
		return r;
	*n = w->len < room.len ? w->len : room.len;
	memcpy(room.p, w->p, *n);
	return httpupgrade_send_ack(s, *n);
}

static const struct stream_ops httpupgrade_ops = {
	.name = "httpupgrade",
	.open = httpupgrade_open,
	.send_buf = httpupgrade_send_buf,
	.send_ack = httpupgrade_send_ack,
	.flush = httpupgrade_flush,
	.recv_buf = httpupgrade_recv_buf,
	.recv_ack = httpupgrade_recv_ack,
	.shut = httpupgrade_shut,
	.park = httpupgrade_park,
	.reason = httpupgrade_reason,
	.free = httpupgrade_free,
	.read = httpupgrade_read,
	.writev = httpupgrade_writev,
};

struct stream *
httpupgrade_new(
	const struct http_request *q, struct stream *lower, int64_t (*unix_time)(void))
{
	struct exchange_way way = { .request = q,
		.base64 = BASE64_URL,
		.send_rest = stream_write_rest,
		.to = lower,
		.unix_time = unix_time };
	struct httpupgrade *t = calloc(1, sizeof(*t));

	if (t)
		t->x = exchange_new(&way, lower);
	if (!t || !t->x) {
		free(t);
		stream_free(lower);
		return NULL;
	}
	t->s.ops = &httpupgrade_ops;
	t->s.lower = lower;
	return &t->s;
}

const struct http_facts *
httpupgrade_facts(const struct stream *s)
{
	const struct httpupgrade *t = container_of(s, struct httpupgrade, s);

	return t->x ? &t->x->head.facts : &t->facts;
}

int64_t
httpupgrade_date(const struct stream *s)
{
	return httpupgrade_facts(s)->date;
}
