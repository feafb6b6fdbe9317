/* SPDX-License-Identifier: MIT */
#include "stream/ws.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/text.h"
#include "stream/http_head_exchange.h"
#include "stream/ws_frame.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A window of the lower stream with less room than a short frame needs is not worth a
 * frame of its own: the frame is then made in memory of ours, and goes piece by piece. */
enum { SMALL_FRAME = WS_ROOM + WS_CONTROL_MAX };
/* Frames this long are no overhead. */
enum { NOT_SMALL = 126 };
enum { CLOSE_NORMAL = 1000, CLOSE_GOING = 1001, CLOSE_NO_CODE = 1005 };

/* How far reading has come. */
enum ws_reading {
	WS_READ_HEADER,  /* the header of a frame comes next */
	WS_READ_DATA,    /* the rest of a data frame */
	WS_READ_CONTROL, /* the rest of a control frame */
	WS_READ_END,     /* nothing ever: the server has ended */
};

struct ws {
	struct stream s;
	struct exchange *x; /* until the server has agreed, or for its error; owned */
	struct rng *rng;
	const char *why; /* static text, or `said`; NULL: x or lower knows */
	int error;       /* -errno: final */
	struct http_facts facts; /* of x, once that is gone */

	uint8_t *frame;    /* the open one: memory of lower, or `small`; NULL: none */
	size_t room, fill; /* of its payload */
	size_t at, end;    /* small[at..end) is sealed and on its way */
	size_t poured;     /* of what x holds for us */
	bool shuts;        /* nothing more may be sent */
	bool close_due, closed; /* our Close must go; is in `small` or gone */
	bool pong_due;          /* with `control` as its payload */
	bool flush_due;         /* a control frame may be held back beneath */

	enum ws_reading reading;
	struct ws_frame in;
	uint64_t left;   /* of its payload */
	bool in_message; /* frames that continue it come */
	uint8_t header[WS_HEADER_MAX];
	size_t header_len, control_len;
	unsigned overhead; /* frames, see WS_FLOOD */
	uint8_t control[WS_CONTROL_MAX];
	union {
		uint8_t small[SMALL_FRAME];
		char said[SMALL_FRAME]; /* after an error: why the server closed */
	};
};

static struct ws *
ws_of(struct stream *s)
{
	return container_of(s, struct ws, s);
}

static int
fail(struct ws *t, int error, const char *why)
{
	if (t->error)
		return t->error;
	t->error = error;
	t->why = why;
	t->frame = NULL;
	return error;
}

/* OK and AGAIN as they are; an error of the stream beneath becomes this one's. */
static int
passed(struct ws *t, int r)
{
	return r < 0 ? fail(t, r, NULL) : r;
}

/* Sending. */

/* The open frame is over. No call on the lower stream may come before this one, since
 * its window would end. */
static int
seal(struct ws *t)
{
	uint8_t key[WS_MASK];
	size_t n;

	if (!t->frame || t->fill == 0) {
		t->frame = NULL;
		return STREAM_OK;
	}
	rng_bytes(t->rng, key, sizeof(key));
	n = ws_frame_seal(t->frame, t->fill, WS_BINARY, key);
	t->fill = 0;
	if (t->frame != t->small) {
		t->frame = NULL;
		return passed(t, stream_send_ack(t->s.lower, n));
	}
	t->frame = NULL;
	t->at = 0;
	t->end = n;
	return STREAM_OK;
}

/* Moves the small frame on; OK when it is gone. */
static int
push(struct ws *t)
{
	struct window w;
	size_t n;
	int r;

	while (t->at < t->end) {
		w.p = t->small + t->at;
		w.len = t->end - t->at;
		n = 0;
		r = passed(t, stream_writev(t->s.lower, &w, 1, &n));
		if (r != STREAM_OK)
			return r;
		t->at += n;
	}
	t->at = t->end = 0;
	return STREAM_OK;
}

static void
control_make(struct ws *t, enum ws_opcode opcode, const uint8_t *p, size_t len)
{
	uint8_t key[WS_MASK];

	rng_bytes(t->rng, key, sizeof(key));
	if (len)
		memcpy(t->small + WS_ROOM, p, len);
	t->at = 0;
	t->end = ws_frame_seal(t->small, len, opcode, key);
	t->flush_due = true;
}

/* The control frame that is due, if any; `small` is free. */
static void
control_next(struct ws *t)
{
	static const uint8_t normal[2] = { CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff };

	if (t->pong_due && !t->closed)
		control_make(t, WS_PONG, t->control, t->control_len);
	else if (t->close_due && !t->closed) {
		control_make(t, WS_CLOSE, normal, sizeof(normal));
		t->closed = true;
	}
	t->pong_due = false;
}

/* All that is ready to go and is not in the lower stream's memory yet. OK: it is. */
static int
carry(struct ws *t)
{
	int r = seal(t);

	while (r == STREAM_OK) {
		r = push(t);
		if (r != STREAM_OK)
			return r;
		control_next(t);
		if (t->end == 0)
			break;
	}
	if (r != STREAM_OK || !t->flush_due)
		return r;
	r = passed(t, stream_flush(t->s.lower));
	t->flush_due = r != STREAM_OK;
	return r;
}

/* Room in the open frame, or in a new one. */
static int
frame_room(struct ws *t, struct window *w)
{
	struct window lower;
	int r;

	if (!t->frame || t->fill == t->room) {
		r = carry(t);
		if (r == STREAM_OK)
			r = passed(t, stream_send_buf(t->s.lower, &lower));
		if (r != STREAM_OK)
			return r;
		t->frame = lower.len > SMALL_FRAME ? lower.p : t->small;
		t->room = lower.len > SMALL_FRAME ? lower.len - WS_ROOM : WS_CONTROL_MAX;
		if (t->room > WS_PAYLOAD_MAX)
			t->room = WS_PAYLOAD_MAX;
	}
	w->p = t->frame + WS_ROOM + t->fill;
	w->len = t->room - t->fill;
	return STREAM_OK;
}

/* The upgrade. */

/* It is done: what the request did not carry goes into frames. */
static int
agree(struct ws *t)
{
	struct exchange *x = t->x;
	struct window w;
	size_t n;
	int r;

	for (; t->poured < x->early_len; t->poured += n) {
		r = frame_room(t, &w);
		if (r != STREAM_OK)
			return r;
		n = x->early_len - t->poured < w.len ? x->early_len - t->poured : w.len;
		memcpy(w.p, x->early + t->poured, n);
		t->fill += n;
	}
	t->facts = x->head.facts;
	exchange_free(x);
	t->x = NULL;
	return STREAM_OK;
}

/* Carries the upgrade to its end. */
static int
upgrade(struct ws *t)
{
	int r;

	if (!t->x)
		return STREAM_OK;
	r = passed(t, exchange_finish(t->x));
	return r == STREAM_OK ? agree(t) : r;
}

static int
ws_open(struct stream *s)
{
	struct ws *t = ws_of(s);
	int r;

	if (t->error || !t->x)
		return t->error;
	r = passed(t, exchange_open(t->x));
	return r == STREAM_OK && t->x->state == EXCHANGE_DONE ? agree(t) : r;
}

static int
ws_send_buf(struct stream *s, struct window *w)
{
	struct ws *t = ws_of(s);
	int r;

	if (t->error)
		return t->error;
	if (t->shuts)
		return -EPIPE;
	if (t->x) {
		r = passed(t, exchange_send_buf(t->x, w));
		if (r != STREAM_OK || w->len)
			return r;
		r = agree(t);
		if (r != STREAM_OK)
			return r;
	}
	return frame_room(t, w);
}

static int
ws_send_ack(struct stream *s, size_t n)
{
	struct ws *t = ws_of(s);

	if (t->error)
		return t->error;
	if (t->x) {
		exchange_send_ack(t->x, n);
		return STREAM_OK;
	}
	assert(t->frame ? n <= t->room - t->fill : n == 0);
	t->fill += n;
	return STREAM_OK;
}

static int
ws_flush(struct stream *s)
{
	struct ws *t = ws_of(s);
	int r;

	if (t->error)
		return t->error;
	if (t->x) {
		r = passed(t, exchange_flush(t->x));
		if (r == STREAM_OK && t->x->state == EXCHANGE_DONE)
			r = agree(t);
		if (r != STREAM_OK || t->x)
			return r;
	}
	r = carry(t);
	return r == STREAM_OK ? passed(t, stream_flush(t->s.lower)) : r;
}

/* Receiving. */

/* The server's Close, whole. One that says why it gave up is an error. */
static int
close_taken(struct ws *t)
{
	unsigned code = t->control_len < 2 ? CLOSE_NO_CODE : be16_get(t->control);
	int len = t->control_len < 2 ? 0 : (int)t->control_len - 2;

	if (t->control_len == 1)
		return fail(t, -EPROTO, "the server sends a WebSocket Close of one byte");
	if (code != CLOSE_NORMAL && code != CLOSE_GOING && code != CLOSE_NO_CODE) {
		snprintf(t->said, sizeof(t->said), "the server closed with code %u%s%.*s",
			code, len ? ": " : "", len, (const char *)t->control + 2);
		text_clean(t->said);
		return fail(t, -ECONNRESET, t->said);
	}
	t->reading = WS_READ_END;
	t->shuts = true;
	t->close_due = true;
	return STREAM_OK;
}

static int
control_taken(struct ws *t)
{
	t->reading = WS_READ_HEADER;
	if (t->in.opcode == WS_CLOSE)
		return close_taken(t);
	t->pong_due = t->in.opcode == WS_PING || t->pong_due;
	return STREAM_OK;
}

/* A pong is passed over; it must not spoil the payload of ours that is due. */
static int
control_begin(struct ws *t)
{
	t->reading = WS_READ_CONTROL;
	if (t->in.opcode != WS_PONG) {
		t->pong_due = false;
		t->control_len = 0;
	}
	return t->left ? STREAM_OK : control_taken(t);
}

static int
data_begin(struct ws *t)
{
	if (t->in_message != (t->in.opcode == WS_MORE))
		return fail(t, -EPROTO,
			t->in_message ? "the server begins a WebSocket message inside another"
				      : "the server continues no WebSocket message");
	t->in_message = !t->in.final;
	if (t->left)
		t->reading = WS_READ_DATA;
	return STREAM_OK;
}

static int
frame_begin(struct ws *t)
{
	const char *why = ws_header_read(&t->in, t->header, t->header_len);

	t->header_len = 0;
	t->left = t->in.len;
	if (why)
		return fail(t, -EPROTO, why);
	if (t->in.opcode >= WS_CLOSE || t->left == 0)
		t->overhead++;
	else if (t->left >= NOT_SMALL)
		t->overhead = 0;
	if (t->overhead > WS_FLOOD)
		return fail(t, -EPROTO, "the server floods us with WebSocket control frames");
	return t->in.opcode >= WS_CLOSE ? control_begin(t) : data_begin(t);
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Takes what it can of a header from the lower stream's window. */
static int
header_take(struct ws *t, const struct window *w)
{
	size_t n = 0, need;

	for (;;) {
		need = ws_header_size(t->header, t->header_len);
		if (t->header_len == need)
			break;
		if (n == w->len) {
			stream_recv_ack(t->s.lower, n);
			return STREAM_OK;
		}
		t->header[t->header_len++] = w->p[n++];
	}
	stream_recv_ack(t->s.lower, n);
	return frame_begin(t);
}

static int
control_take(struct ws *t, const struct window *w)
{
	size_t n = smaller(w->len, (size_t)t->left);

	if (t->in.opcode != WS_PONG) {
		memcpy(t->control + t->control_len, w->p, n);
		t->control_len += n;
	}
	t->left -= n;
	stream_recv_ack(t->s.lower, n);
	return t->left ? STREAM_OK : control_taken(t);
}

/* The lower stream has ended. */
static int
ended(struct ws *t)
{
	if (t->reading != WS_READ_HEADER || t->header_len || t->in_message)
		return fail(t, -EPROTO, "the server closed inside a WebSocket message");
	t->reading = WS_READ_END;
	return STREAM_OK;
}

/* One step; OK with data in *w, or with nothing: something has changed. */
static int
take(struct ws *t, struct window *w)
{
	struct window lower;
	int r;

	w->len = 0;
	r = passed(t, stream_recv_buf(t->s.lower, &lower));
	if (r == STREAM_AGAIN)
		t->overhead = 0;
	if (r != STREAM_OK)
		return r == STREAM_END ? ended(t) : r;
	switch (t->reading) {
	case WS_READ_HEADER:
		return header_take(t, &lower);
	case WS_READ_CONTROL:
		return control_take(t, &lower);
	case WS_READ_DATA:
		w->p = lower.p;
		w->len = t->left < lower.len ? (size_t)t->left : lower.len;
		return STREAM_OK;
	case WS_READ_END:
		return STREAM_OK;
	}
	return -EINVAL;
}

/* The answers that are due go before the call ends without data: a window of the lower
 * stream would not outlive them. */
static int
ws_recv_buf(struct stream *s, struct window *w)
{
	struct ws *t = ws_of(s);
	int r;

	if (t->error)
		return t->error;
	r = upgrade(t);
	if (r == STREAM_OK)
		r = carry(t);
	if (t->x || r < 0)
		return r;
	while (t->reading != WS_READ_END) {
		r = take(t, w);
		if (r == STREAM_OK && w->len)
			return STREAM_OK;
		if (r != STREAM_OK)
			break;
	}
	if (t->error)
		return t->error;
	r = carry(t);
	if (r < 0)
		return r;
	return t->reading == WS_READ_END ? STREAM_END : STREAM_AGAIN;
}

static void
ws_recv_ack(struct stream *s, size_t n)
{
	struct ws *t = ws_of(s);

	if (n == 0)
		return;
	assert(t->reading == WS_READ_DATA && n <= t->left);
	stream_recv_ack(t->s.lower, n);
	t->left -= n;
	if (t->left == 0)
		t->reading = WS_READ_HEADER;
}

/* The end. */

static int
ws_shut(struct stream *s)
{
	struct ws *t = ws_of(s);
	int r;

	if (t->error)
		return t->error;
	r = upgrade(t);
	if (t->x)
		return r;
	t->shuts = true;
	t->close_due = true;
	r = carry(t);
	return r == STREAM_OK ? passed(t, stream_flush(t->s.lower)) : r;
}

static void
ws_park(struct stream *s)
{
	struct ws *t = ws_of(s);

	if (!t->error)
		seal(t);
	stream_park(t->s.lower);
}

static const char *
ws_reason(const struct stream *s)
{
	const struct ws *t = container_of(s, struct ws, s);

	if (!t->error || t->why)
		return t->why ? t->why : "";
	return t->x ? exchange_reason(t->x) : stream_reason(t->s.lower);
}

static void
ws_free(struct stream *s)
{
	struct ws *t = ws_of(s);

	/* Both ends have said that they end: no reason to reset. */
	if (t->closed && t->at == t->end && !t->error)
		stream_shut(t->s.lower);
	exchange_free(t->x);
	stream_free(t->s.lower);
	free(t);
}

static const struct stream_ops ws_ops = {
	.name = "ws",
	.open = ws_open,
	.send_buf = ws_send_buf,
	.send_ack = ws_send_ack,
	.flush = ws_flush,
	.recv_buf = ws_recv_buf,
	.recv_ack = ws_recv_ack,
	.shut = ws_shut,
	.park = ws_park,
	.reason = ws_reason,
	.free = ws_free,
};

struct stream *
ws_new(const struct http_request *q, struct stream *lower, struct rng *rng,
	int64_t (*unix_time)(void))
{
	struct exchange_way way = { .request = q,
		.websocket = true,
		.base64 = BASE64_URL | BASE64_BARE,
		.unix_time = unix_time };
	struct ws *t = calloc(1, sizeof(*t));

	rng_bytes(rng, way.key, sizeof(way.key));
	if (t)
		t->x = exchange_new(&way, lower);
	if (!t || !t->x) {
		free(t);
		stream_free(lower);
		return NULL;
	}
	t->s.ops = &ws_ops;
	t->s.lower = lower;
	t->rng = rng;
	return &t->s;
}

const struct http_facts *
ws_facts(const struct stream *s)
{
	const struct ws *t = container_of(s, struct ws, s);

	return t->x ? &t->x->head.facts : &t->facts;
}

int64_t
ws_date(const struct stream *s)
{
	return ws_facts(s)->date;
}
