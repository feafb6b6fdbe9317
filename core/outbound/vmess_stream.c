/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_session.h"

#include <errno.h>
#include <stdlib.h>

/*
 * How long the header waits for a first payload to leave with.  Where the server
 * speaks first none comes, and the header goes alone: an empty chunk behind it
 * would be the end mark (vmess.md 8.8, 14.6).
 */
enum { HEADER_WAIT_MS = 10 };

struct vmess_stream {
	union {
		struct vmess_session session;
		struct deferred gone; /* from its free on */
	};
};

static struct vmess_stream *
vmess_of(struct stream *s)
{
	return container_of(s, struct vmess_stream, session.s);
}

static const struct vmess_session *
session_of(const struct stream *s)
{
	return &container_of(s, const struct vmess_stream, session.s)->session;
}

static void
hold_over(struct timer *t)
{
	struct vmess_opening *o = container_of(t, struct vmess_opening, hold);

	o->held = true;
	loop_ready(t->loop, o->owner);
}

static int
vmess_open(struct stream *s)
{
	struct vmess_stream *m = vmess_of(s);
	int r;

	r = vmess_session_open(&m->session);
	if (r != STREAM_OK || m->session.opened)
		return r;
	m->session.opened = true;
	timer_arm(&m->session.opening->hold, HEADER_WAIT_MS);
	return STREAM_OK;
}

static int
vmess_send_buf(struct stream *s, struct window *w)
{
	struct vmess_stream *m = vmess_of(s);

	return m->session.opened ? vmess_session_room(&m->session, w) : vmess_open(s);
}

/* Who waits for an answer can ask for it from now on. */
static void
vmess_spoken(struct vmess_stream *m)
{
	if (!m->session.greeted || !m->session.listens)
		return;
	m->session.listens = false;
	loop_ready(m->session.wait.loop, m->session.wait.owner);
}

static int
vmess_send_ack(struct stream *s, size_t n)
{
	struct vmess_stream *m = vmess_of(s);
	int r = vmess_session_put(&m->session, n);

	vmess_spoken(m);
	return r;
}

static int
vmess_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct vmess_stream *m = vmess_of(s);
	int i, r = m->session.opened ? STREAM_OK : vmess_open(s);
	size_t taken = 0;

	*n = 0;
	for (i = 0; r == STREAM_OK && i < count; i++) {
		r = vmess_session_write(&m->session, w[i].p, w[i].len, &taken);
		if (r == STREAM_OK)
			*n += taken;
		if (taken < w[i].len)
			break;
	}
	vmess_spoken(m);
	return *n > 0 ? STREAM_OK : r;
}

/* Nothing that the caller gave is held back while only the header waits. */
static int
vmess_flush(struct stream *s)
{
	struct vmess_stream *m = vmess_of(s);

	if (m->session.error)
		return m->session.error;
	if (m->session.greeted)
		return vmess_session_flush(&m->session);
	return m->session.opening->held ? vmess_session_greet(&m->session) : STREAM_OK;
}

/* OK once there can be an answer. */
static int
vmess_listen(struct vmess_stream *m)
{
	int r;

	if (m->session.error || m->session.greeted)
		return m->session.error;
	/* No server speaks before it was spoken to: send_ack or the timer brings the
	 * caller back here. */
	if (!m->session.opening->held) {
		m->session.listens = true;
		return STREAM_AGAIN;
	}
	r = vmess_session_greet(&m->session);
	return r < 0 || !m->session.greeted ? r : STREAM_OK;
}

static int
vmess_recv_buf(struct stream *s, struct window *w)
{
	struct vmess_stream *m = vmess_of(s);
	int r = vmess_listen(m);

	return r == STREAM_OK ? vmess_session_recv(&m->session, w) : r;
}

static int
vmess_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct vmess_stream *m = vmess_of(s);
	int r = vmess_listen(m);

	return r == STREAM_OK ? vmess_session_read(&m->session, p, cap, n) : r;
}

static void
vmess_recv_ack(struct stream *s, size_t n)
{
	vmess_session_recv_ack(&vmess_of(s)->session, n);
}

/* The end mark goes; the lower stream stays open both ways, since servers drop what is
 * half closed (vmess.md 8.8). */
static int
vmess_shut(struct stream *s)
{
	struct vmess_stream *m = vmess_of(s);

	if (m->session.error)
		return m->session.error;
	return m->session.opened ? vmess_session_finish(&m->session) : STREAM_AGAIN;
}

static void
vmess_park(struct stream *s)
{
	vmess_session_park(&vmess_of(s)->session);
}

static const char *
vmess_reason(const struct stream *s)
{
	return vmess_session_reason(session_of(s));
}

static void
vmess_delete(struct deferred *d)
{
	free(container_of(d, struct vmess_stream, gone));
}

static void
vmess_free(struct stream *s)
{
	struct vmess_stream *m = vmess_of(s);
	struct loop *l = m->session.wait.loop;

	vmess_session_fini(&m->session);
	loop_defer(l, &m->gone, vmess_delete);
}

static const struct stream_ops vmess_stream_ops = {
	.name = "vmess",
	.open = vmess_open,
	.send_buf = vmess_send_buf,
	.send_ack = vmess_send_ack,
	.flush = vmess_flush,
	.recv_buf = vmess_recv_buf,
	.recv_ack = vmess_recv_ack,
	.shut = vmess_shut,
	.park = vmess_park,
	.reason = vmess_reason,
	.free = vmess_free,
	.read = vmess_read,
	.writev = vmess_writev,
};

struct stream *
vmess_stream_new(struct vmess *v, struct stream *lower, const struct target *to,
	struct task *owner)
{
	struct vmess_stream *m = calloc(1, sizeof(*m));

	if (!m) {
		stream_free(lower);
		return NULL;
	}
	if (vmess_session_init(&m->session, v, lower, VMESS_TCP, to, owner) < 0) {
		vmess_session_fini(&m->session);
		free(m);
		return NULL;
	}
	m->session.s.ops = &vmess_stream_ops;
	timer_init(&m->session.opening->hold, v->o.env.loop, hold_over);
	return &m->session.s;
}

const struct clock_reading *
vmess_stream_clock(const struct stream *s)
{
	const struct vmess_session *m = session_of(s);

	return m->pick.server ? vmess_clock_reading(m->v, m->pick.server) : NULL;
}

bool
vmess_stream_answered(const struct stream *s)
{
	return session_of(s)->reading >= VMESS_READ_LENGTH;
}
