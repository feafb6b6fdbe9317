/* SPDX-License-Identifier: MIT */
#include "unit/flow/memory_stream.h"

#include "base/list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 4 << 20 };

static struct memory_stream *
of(struct stream *s)
{
	return container_of(s, struct memory_stream, s);
}

/* Every other call on the average, in no rhythm that a caller could fall into. */
static bool
stutters(struct memory_stream *m)
{
	return m->stutter && (m->calls++ * 2654435761u >> 30 & 1) == 0;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int
memory_open(struct stream *s)
{
	(void)s;
	return STREAM_OK;
}

static int
room_lend(struct memory_stream *m, struct window *w)
{
	if (m->out_error)
		return m->out_error;
	if (stutters(m) || m->out_len >= m->room)
		return STREAM_AGAIN;
	w->p = m->out + m->out_len;
	w->len = smaller(m->window, m->room - m->out_len);
	w->len = smaller(w->len, m->out_cap - m->out_len);
	return STREAM_OK;
}

static int
memory_send_buf(struct stream *s, struct window *w)
{
	return of(s)->starved ? STREAM_AGAIN : room_lend(of(s), w);
}

static int
memory_send_ack(struct stream *s, size_t n)
{
	of(s)->out_len += n;
	return STREAM_OK;
}

static int
memory_flush(struct stream *s)
{
	struct memory_stream *m = of(s);

	if (m->out_error)
		return m->out_error;
	if (stutters(m) || m->keeps)
		return STREAM_AGAIN;
	m->out_flushed = m->out_len;
	return STREAM_OK;
}

static int
memory_recv_buf(struct stream *s, struct window *w)
{
	struct memory_stream *m = of(s);

	if (stutters(m))
		return STREAM_AGAIN;
	if (m->in_at == m->in_len) {
		if (m->in_error)
			return m->in_error;
		return m->in_ends ? STREAM_END : STREAM_AGAIN;
	}
	w->p = (uint8_t *)(uintptr_t)(m->in + m->in_at);
	w->len = smaller(m->window, m->in_len - m->in_at);
	return STREAM_OK;
}

static void
memory_recv_ack(struct stream *s, size_t n)
{
	of(s)->in_at += n;
}

static int
memory_shut(struct stream *s)
{
	struct memory_stream *m = of(s);

	if (m->shut_error)
		return m->shut_error;
	if (stutters(m))
		return STREAM_AGAIN;
	m->shut = true;
	m->flushed_at_shut = m->out_flushed;
	return STREAM_OK;
}

static void
memory_park(struct stream *s)
{
	(void)s;
}

static const char *
memory_reason(const struct stream *s)
{
	(void)s;
	return "";
}

static void
memory_free(struct stream *s)
{
	of(s)->freed = true;
}

static int
memory_recv_bufs(struct stream *s, struct window *w, int max, int *count)
{
	struct memory_stream *m = of(s);
	size_t at = m->in_at;
	int r = memory_recv_buf(s, w);

	*count = r == STREAM_OK;
	while (r == STREAM_OK && *count < max && (at += w[*count - 1].len) < m->in_len) {
		w[*count].p = (uint8_t *)(uintptr_t)(m->in + at);
		w[*count].len = smaller(m->window, m->in_len - at);
		++*count;
	}
	return r;
}

/* Each piece goes into one window, and the last one that fits may go in part. */
static int
memory_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct window out;
	size_t k;
	int r = STREAM_OK;

	for (*n = 0; r == STREAM_OK && count > 0; w++, count--) {
		r = room_lend(of(s), &out);
		if (r != STREAM_OK)
			break;
		k = smaller(w->len, out.len);
		memcpy(out.p, w->p, k);
		memory_send_ack(s, k);
		*n += k;
		if (k < w->len)
			break;
	}
	return *n > 0 ? STREAM_OK : r;
}

static const struct stream_ops memory_ops = {
	.name = "memory",
	.open = memory_open,
	.send_buf = memory_send_buf,
	.send_ack = memory_send_ack,
	.flush = memory_flush,
	.recv_buf = memory_recv_buf,
	.recv_ack = memory_recv_ack,
	.shut = memory_shut,
	.park = memory_park,
	.reason = memory_reason,
	.free = memory_free,
};

void
memory_stream_scatter(struct memory_stream *m)
{
	m->scattered = *m->s.ops;
	m->scattered.writev = memory_writev;
	m->scattered.recv_bufs = memory_recv_bufs;
	m->s.ops = &m->scattered;
}

void
memory_stream_init(struct memory_stream *m, size_t window)
{
	*m = (struct memory_stream){ .s.ops = &memory_ops, .window = window };
	m->room = SIZE_MAX;
	m->out_cap = OUT_MAX;
	m->out = malloc(OUT_MAX);
}

void
memory_stream_says(struct memory_stream *m, const void *p, size_t len, bool ends)
{
	m->in = p;
	m->in_len = len;
	m->in_at = 0;
	m->in_ends = ends;
}

void
memory_stream_fini(struct memory_stream *m)
{
	free(m->out);
}
