/* SPDX-License-Identifier: MIT */
#include "unit/stream/memory.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

static struct memory *
memory_of(struct stream *s)
{
	return container_of(s, struct memory, s);
}

/* OK when this call may do something. */
static int
may(struct memory *m)
{
	if (m->error)
		return m->error;
	m->odd = !m->odd;
	return m->stutters && m->odd ? STREAM_AGAIN : STREAM_OK;
}

static size_t
at_most(const struct memory *m, size_t n)
{
	return m->grain && n > m->grain ? m->grain : n;
}

static void
keep(uint8_t **mem, size_t *len, size_t *cap, const uint8_t *p, size_t n)
{
	if (*len + n > *cap) {
		*cap = (*len + n) * 2;
		*mem = realloc(*mem, *cap);
		if (!*mem)
			abort();
	}
	memcpy(*mem + *len, p, n);
	*len += n;
}

void
memory_feed(struct memory *m, const uint8_t *p, size_t len)
{
	if (len)
		keep(&m->in, &m->in_len, &m->in_cap, p, len);
}

static int
memory_open(struct stream *s)
{
	return may(memory_of(s));
}

static int
memory_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct memory *m = memory_of(s);
	int r = may(m);

	if (r != STREAM_OK)
		return r;
	if (m->in_at == m->in_len)
		return m->in_ends ? STREAM_END : STREAM_AGAIN;
	*n = at_most(m, m->in_len - m->in_at < cap ? m->in_len - m->in_at : cap);
	memcpy(p, m->in + m->in_at, *n);
	m->in_at += *n;
	return STREAM_OK;
}

static int
memory_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct memory *m = memory_of(s);
	size_t k;
	int i, r;

	r = may(m);
	if (r != STREAM_OK || m->full)
		return r == STREAM_OK ? STREAM_AGAIN : r;
	*n = 0;
	for (i = 0; i < count; i++) {
		k = at_most(m, *n + w[i].len) - *n;
		keep(&m->out, &m->out_len, &m->out_cap, w[i].p, k);
		*n += k;
		if (k < w[i].len)
			break;
	}
	return STREAM_OK;
}

static int
memory_send_buf(struct stream *s, struct window *w)
{
	struct memory *m = memory_of(s);
	int r = may(m);

	w->p = m->room;
	w->len = at_most(m, sizeof(m->room));
	return r;
}

static int
memory_send_ack(struct stream *s, size_t n)
{
	struct memory *m = memory_of(s);

	keep(&m->out, &m->out_len, &m->out_cap, m->room, n);
	return m->error;
}

static int
memory_flush(struct stream *s)
{
	return memory_of(s)->error;
}

static int
memory_recv_buf(struct stream *s, struct window *w)
{
	struct memory *m = memory_of(s);
	int r = may(m);

	if (r != STREAM_OK)
		return r;
	if (m->in_at == m->in_len)
		return m->in_ends ? STREAM_END : STREAM_AGAIN;
	w->p = m->in + m->in_at;
	w->len = at_most(m, m->in_len - m->in_at);
	return STREAM_OK;
}

static void
memory_recv_ack(struct stream *s, size_t n)
{
	memory_of(s)->in_at += n;
}

static int
memory_shut(struct stream *s)
{
	memory_of(s)->shut = true;
	return memory_of(s)->error;
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
	return "the script wants it so";
}

static void
memory_free(struct stream *s)
{
	memory_of(s)->freed = true;
}

static const struct stream_ops bottom_ops = {
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
	.read = memory_read,
	.writev = memory_writev,
};

void
memory_init(struct memory *m)
{
	bool windows = m->windows;

	*m = (struct memory){ .windows = windows, .ops = bottom_ops };
	if (windows) {
		m->ops.read = NULL;
		m->ops.writev = NULL;
	}
	m->s.ops = &m->ops;
}

void
memory_fini(struct memory *m)
{
	free(m->in);
	free(m->out);
	m->in = m->out = NULL;
}
