/* SPDX-License-Identifier: MIT */
/* What a WebSocket receives. */
#include "stream/ws_inside.h"

#include "base/bytes.h"
#include "base/list.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Frames this long are no overhead. */
enum { NOT_SMALL = 126 };

static struct ws *
ws_of(struct stream *s)
{
	return container_of(s, struct ws, s);
}

/* The server's Close, whole. One that says why it gave up is an error. */
static int
close_taken(struct ws *t)
{
	unsigned code = t->control_len < 2 ? CLOSE_NO_CODE : be16_get(t->control);
	int len = t->control_len < 2 ? 0 : (int)t->control_len - 2;

	if (t->control_len == 1)
		return ws_fail(
			t, -EPROTO, "the server sends a WebSocket Close of one byte");
	if (code != CLOSE_NORMAL && code != CLOSE_GOING && code != CLOSE_NO_CODE) {
		snprintf(t->said, sizeof(t->said), "the server closed with code %u%s%.*s",
			code, len ? ": " : "", len, (const char *)t->control + 2);
		text_clean(t->said);
		return ws_fail(t, -ECONNRESET, t->said);
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
		return ws_fail(t, -EPROTO,
			t->in_message
				? "the server begins a WebSocket message inside another"
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
		return ws_fail(t, -EPROTO, why);
	if (t->in.opcode >= WS_CLOSE || t->left == 0)
		t->overhead++;
	else if (t->left >= NOT_SMALL)
		t->overhead = 0;
	if (t->overhead > WS_FLOOD)
		return ws_fail(
			t, -EPROTO, "the server floods us with WebSocket control frames");
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
		return ws_fail(
			t, -EPROTO, "the server closed inside a WebSocket message");
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
	r = ws_passed(t, stream_recv_buf(t->s.lower, &lower));
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
int
ws_recv_buf(struct stream *s, struct window *w)
{
	struct ws *t = ws_of(s);
	int r;

	if (t->error)
		return t->error;
	r = ws_upgrade(t);
	if (r == STREAM_OK)
		r = ws_carry(t);
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
	r = ws_carry(t);
	if (r < 0)
		return r;
	return t->reading == WS_READ_END ? STREAM_END : STREAM_AGAIN;
}

void
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
