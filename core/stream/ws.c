/* SPDX-License-Identifier: MIT */
#include "stream/ws_inside.h"

#include "base/base64.h"
#include "base/list.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct ws *
ws_of(struct stream *s)
{
	return container_of(s, struct ws, s);
}

int
ws_fail(struct ws *t, int error, const char *why)
{
	if (t->error)
		return t->error;
	t->error = error;
	t->why = why;
	t->frame = NULL;
	return error;
}

int
ws_passed(struct ws *t, int r)
{
	return r < 0 ? ws_fail(t, r, NULL) : r;
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
		return ws_passed(t, stream_send_ack(t->s.lower, n));
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
	int r = ws_passed(t, stream_write_rest(t->s.lower, t->small, t->end, &t->at));

	if (r == STREAM_OK)
		t->at = t->end = 0;
	return r;
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

int
ws_carry(struct ws *t)
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
	r = ws_passed(t, stream_flush(t->s.lower));
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
		r = ws_carry(t);
		if (r == STREAM_OK)
			r = ws_passed(t, stream_send_buf(t->s.lower, &lower));
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

/* As stream_write_rest, into frames. */
static int
frames_fill(struct stream *s, const uint8_t *p, size_t len, size_t *at)
{
	struct ws *t = ws_of(s);
	struct window w;
	size_t n;
	int r;

	for (; *at < len; *at += n) {
		r = frame_room(t, &w);
		if (r != STREAM_OK)
			return r;
		n = len - *at < w.len ? len - *at : w.len;
		memcpy(w.p, p + *at, n);
		t->fill += n;
	}
	return STREAM_OK;
}

/* The upgrade. */

/* What a call on the exchange answered, which may be over by that. */
static int
exchanged(struct ws *t, int r)
{
	exchange_settle(&t->x, &t->facts);
	return ws_passed(t, r);
}

int
ws_upgrade(struct ws *t)
{
	return t->x ? exchanged(t, exchange_finish(t->x)) : STREAM_OK;
}

static int
ws_open(struct stream *s)
{
	struct ws *t = ws_of(s);

	if (t->error || !t->x)
		return t->error;
	return exchanged(t, exchange_open(t->x));
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
		r = exchanged(t, exchange_send_buf(t->x, w));
		if (r != STREAM_OK || t->x)
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
		r = exchanged(t, exchange_flush(t->x));
		if (r != STREAM_OK || t->x)
			return r;
	}
	r = ws_carry(t);
	return r == STREAM_OK ? ws_passed(t, stream_flush(t->s.lower)) : r;
}

/* The end. */

static int
ws_shut(struct stream *s)
{
	struct ws *t = ws_of(s);
	int r;

	if (t->error)
		return t->error;
	r = ws_upgrade(t);
	if (t->x)
		return r;
	t->shuts = true;
	t->close_due = true;
	r = ws_carry(t);
	return r == STREAM_OK ? ws_passed(t, stream_flush(t->s.lower)) : r;
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
		.send_rest = frames_fill,
		.unix_time = unix_time };
	struct ws *t = calloc(1, sizeof(*t));

	rng_bytes(rng, way.key, sizeof(way.key));
	way.to = t ? &t->s : NULL;
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
