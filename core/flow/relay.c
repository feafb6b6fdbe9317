/* SPDX-License-Identifier: MIT */
#include "flow/relay.h"

#include <string.h>

/* How copying in one direction came to a stop. */
enum copied {
	COPIED_WAITS, /* one of the two will say when it goes on */
	COPIED_MORE,  /* the budget is spent */
	COPIED_ALL,   /* the source has ended, and nothing of it is held back */
	COPIED_FROM_FAILED,
	COPIED_TO_FAILED,
};

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static enum copied
to_failed(struct relay *r, int error)
{
	r->error = (int16_t)error;
	return COPIED_TO_FAILED;
}

/* What came before the error still goes. */
static enum copied
from_failed(struct relay *r, struct stream *to, int error)
{
	stream_flush(to);
	r->error = (int16_t)error;
	return COPIED_FROM_FAILED;
}

enum {
	STRAIGHT_LEAST = 16 * 1024, /* bytes that are worth a system call of their own;
				       fewer are gathered */
	WINDOWS = 8,                /* that one call passes on */
};

/* What the `count` windows hold. */
static size_t
bytes_of(const struct window *w, int count)
{
	size_t n = 0;

	while (count > 0)
		n += w[--count].len;
	return n;
}

/* Leaves of the windows what fits into `budget`; how many are left. */
static int
windows_cut(struct window *w, int count, size_t budget)
{
	int i;

	for (i = 0; i < count && budget > 0; i++) {
		w[i].len = smaller(w[i].len, budget);
		budget -= w[i].len;
	}
	return i;
}

/* Puts what fits of the windows into `to`; *n bytes. */
static int
windows_fill(struct stream *to, const struct window *in, int count, size_t *n)
{
	struct window out;
	int err;

	*n = 0;
	if (to->ops->writev && bytes_of(in, count) >= STRAIGHT_LEAST)
		return stream_writev(to, in, count, n);
	err = stream_send_buf(to, &out);
	/* Those whose servers take nothing may have all the memory for gathering. */
	if (err == STREAM_AGAIN && to->ops->writev)
		return stream_writev(to, in, count, n);
	if (err != STREAM_OK)
		return err;
	*n = smaller(in->len, out.len);
	memcpy(out.p, in->p, *n);
	err = stream_send_ack(to, *n);
	return err < 0 ? err : STREAM_OK;
}

/* The source is dry, for now or for ever: nothing may be held back any longer. Where it
 * has ended, the shut that follows lets what is still on its way go first. */
static enum copied
dry(struct relay *r, struct stream *to, bool ended)
{
	int err = stream_flush(to);

	if (err < 0)
		return to_failed(r, err);
	return ended ? COPIED_ALL : COPIED_WAITS;
}

/* From a socket straight into the window of `to`. */
static enum copied
copy_straight(struct relay *r, struct stream *from, struct stream *to, uint64_t *count)
{
	size_t budget = RELAY_BUDGET, n;
	struct window out;
	int err;

	while (budget > 0) {
		err = stream_send_buf(to, &out);
		if (err < 0)
			return to_failed(r, err);
		if (err != STREAM_OK) {
			r->near_full = to == r->near;
			return COPIED_WAITS;
		}
		err = stream_read(from, out.p, smaller(out.len, budget), &n);
		if (err < 0)
			return from_failed(r, to, err);
		if (err != STREAM_OK)
			return dry(r, to, err == STREAM_END);
		err = stream_send_ack(to, n);
		if (err < 0)
			return to_failed(r, err);
		*count += n;
		budget -= n;
	}
	return COPIED_MORE;
}

static enum copied
copy(struct relay *r, struct stream *from, struct stream *to, uint64_t *count)
{
	size_t budget = RELAY_BUDGET, n;
	struct window in[WINDOWS];
	int err, k;

	if (from->ops->read)
		return copy_straight(r, from, to, count);
	while (budget > 0) {
		err = stream_recv_bufs(from, in, WINDOWS, &k);
		if (err < 0)
			return from_failed(r, to, err);
		if (err != STREAM_OK)
			return dry(r, to, err == STREAM_END);
		err = windows_fill(to, in, windows_cut(in, k, budget), &n);
		if (err < 0)
			return to_failed(r, err);
		if (err != STREAM_OK)
			return COPIED_WAITS;
		stream_recv_ack(from, n);
		*count += n;
		budget -= n;
	}
	return COPIED_MORE;
}

/* What was read before the far side was there. */
static enum copied
copy_early(struct relay *r)
{
	struct window in;
	size_t n;
	int err;

	while (r->early_at < r->early_len) {
		in.p = r->early + r->early_at;
		in.len = (size_t)(r->early_len - r->early_at);
		err = windows_fill(r->far, &in, 1, &n);
		if (err < 0)
			return to_failed(r, err);
		if (err != STREAM_OK)
			return COPIED_WAITS;
		r->early_at = (uint16_t)(r->early_at + n);
		r->up += n;
	}
	return COPIED_ALL;
}

/* Tells a side that the other has ended. */
static enum copied
shut(struct relay *r, struct stream *side)
{
	int err = stream_shut(side);

	if (err < 0)
		return to_failed(r, err);
	if (side == r->near)
		r->near_shut = err == STREAM_OK;
	else
		r->far_shut = err == STREAM_OK;
	return COPIED_WAITS;
}

static enum copied
down_run(struct relay *r)
{
	enum copied c;

	r->near_full = false;
	if (r->near_shut)
		return COPIED_WAITS;
	c = copy(r, r->far, r->near, &r->down);
	if (c != COPIED_ALL)
		return c;
	r->far_ended = true;
	return shut(r, r->near);
}

static enum copied
up_run(struct relay *r)
{
	enum copied c = copy_early(r);

	if (c != COPIED_ALL)
		return c;
	/* The end is asked for again although it is known: a reset may follow it. */
	c = copy(r, r->near, r->far, &r->up);
	if (c != COPIED_ALL)
		return c;
	r->near_ended = true;
	if (r->far_shut || r->keep_fin)
		return COPIED_WAITS;
	return shut(r, r->far);
}

/*
 * Where the far side's end is the end of both ways, it is answered at once.
 * The application has everything and was told so, and a far side that is gone
 * by now takes nothing back: failing here is as good as having been shut.
 */
static void
far_close(struct relay *r)
{
	if (!r->far_shut)
		r->far_shut = stream_shut(r->far) != STREAM_AGAIN;
}

static enum relay_news
rest(const struct relay *r, bool more)
{
	if (r->near_shut && r->far_shut)
		return r->near_ended ? RELAY_DONE : RELAY_LINGERS;
	return more ? RELAY_MORE : RELAY_WAITS;
}

/* What it said before it failed goes first. */
static enum relay_news
far_failed(struct relay *r)
{
	r->far_failed = true;
	return stream_flush(r->near) == STREAM_AGAIN ? RELAY_WAITS : RELAY_FAR_FAILED;
}

/*
 * The way down goes first: what the far side sent before it failed is with the
 * application before an error of sending ends the flow.
 */
enum relay_news
relay_run(struct relay *r)
{
	enum copied down, up = COPIED_WAITS;

	if (r->far_failed)
		return far_failed(r);
	down = down_run(r);
	if (down == COPIED_FROM_FAILED)
		return far_failed(r);
	if (down == COPIED_TO_FAILED)
		return RELAY_NEAR_FAILED;
	if (r->keep_fin && r->near_shut)
		far_close(r);
	else
		up = up_run(r);
	if (up == COPIED_FROM_FAILED)
		return RELAY_NEAR_FAILED;
	if (up == COPIED_TO_FAILED)
		return far_failed(r);
	return rest(r, down == COPIED_MORE || up == COPIED_MORE);
}

bool
relay_linger(struct relay *r)
{
	size_t budget = RELAY_BUDGET;
	struct window in;

	while (budget > 0) {
		int err = stream_recv_buf(r->near, &in);

		if (err == STREAM_AGAIN)
			return false;
		if (err != STREAM_OK)
			return true;
		stream_recv_ack(r->near, in.len);
		budget -= smaller(budget, in.len);
	}
	/* An application that floods a connection that is over is not waited for. */
	return true;
}
