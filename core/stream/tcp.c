/* SPDX-License-Identifier: MIT */
#include "stream/tcp_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { WRITEV_MAX = 8 };

static struct tcp *
tcp_of(struct stream *s)
{
	return container_of(s, struct tcp, s);
}

static int
fail(struct tcp *t, int error)
{
	t->error = (int16_t)error;
	/* A SYN is refused, and not reset. */
	if (error == -ECONNRESET)
		t->unproven = false;
	if (t->w.fd >= 0)
		watch_unwant(&t->w);
	return error;
}

static int
again(struct tcp *t, unsigned events)
{
	watch_want(&t->w, events);
	return STREAM_AGAIN;
}

/* Makes sure that the piece has memory; AGAIN while there is none to be had. */
static int
piece_take(struct tcp *t, struct piece *p)
{
	if (p->mem)
		return STREAM_OK;
	p->mem = blocks_get(&t->m->blocks, &t->wait);
	p->at = p->end = 0;
	return p->mem ? STREAM_OK : STREAM_AGAIN;
}

static void
piece_drop(struct tcp *t, struct piece *p)
{
	blocks_put(&t->m->blocks, p->mem);
	*p = (struct piece){ 0 };
}

static int
tcp_open(struct stream *s)
{
	struct tcp *t = tcp_of(s);
	int r;

	if (t->error)
		return t->error;
	if (t->connected)
		return STREAM_OK;
	if (!t->asked) {
		t->asked = true;
		r = sock_tcp_error(t->w.fd);
		return r < 0 ? fail(t, r) : again(t, WATCH_WRITE);
	}
	if (!(t->w.happened & WATCH_WRITE))
		return again(t, WATCH_WRITE);
	t->w.happened = 0;
	r = sock_tcp_connected(t->w.fd);
	if (r == -EAGAIN)
		return again(t, WATCH_WRITE);
	if (r < 0)
		return fail(t, r);
	t->connected = true;
	t->dry = true;
	return STREAM_OK;
}

/* What a window showed and nobody took comes before what the kernel has. */
static size_t
piece_read(struct piece *in, uint8_t *p, size_t cap)
{
	size_t n = (size_t)(in->end - in->at);

	if (n > cap)
		n = cap;
	if (n > 0)
		memcpy(p, in->mem + in->at, n);
	in->at = (uint16_t)(in->at + n);
	return n;
}

/* The kernel is not asked twice: the watch says when there is more. */
static bool
is_dry(struct tcp *t)
{
	if (t->dry && !(t->w.happened & WATCH_READ))
		watch_want(&t->w, WATCH_READ);
	if (t->w.happened & WATCH_READ)
		t->dry = false;
	t->w.happened &= ~(unsigned)WATCH_READ;
	return t->dry;
}

/* A steady stream is woken for much at a time; one that is no more, for each byte. */
static void
be_steady(struct tcp *t, bool steady)
{
	if (steady)
		steady = pacer_hold(&t->m->pacer, &t->pace, &t->w);
	else
		pacer_leave(&t->m->pacer, &t->pace);
	if (steady == t->pace.steady)
		return;
	t->pace.steady = steady;
	if (sock_low_water(t->w.fd, steady ? PACE_LOW_WATER : 1) < 0)
		t->pace.steady = false;
}

static ssize_t
read_some(struct tcp *t, uint8_t *p, size_t cap)
{
	ssize_t r = sock_read(t->w.fd, p, cap);

	if (r > 0)
		pace_read(&t->pace, (size_t)r);
	t->dry = r == -EAGAIN || (r > 0 && (size_t)r < cap);
	if (t->dry)
		be_steady(t, pace_is_steady(&t->pace, loop_now(t->w.loop)));
	return r;
}

static int
tcp_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct tcp *t = tcp_of(s);
	ssize_t r;

	if (t->error)
		return t->error;
	*n = piece_read(&t->in, p, cap);
	if (*n > 0)
		return STREAM_OK;
	if (t->ended)
		return STREAM_END;
	if (is_dry(t))
		return STREAM_AGAIN;
	r = read_some(t, p, cap);
	if (r == -EAGAIN)
		return again(t, WATCH_READ);
	if (r < 0)
		return fail(t, (int)r);
	t->unproven = false;
	if (r == 0) {
		t->ended = true;
		return STREAM_END;
	}
	*n = (size_t)r;
	return STREAM_OK;
}

/* What the network says while a SYN that was held leaves is told by nothing else. */
static ssize_t
write_some(struct tcp *t, const struct iovec *v, int count)
{
	ssize_t n = sock_writev(t->w.fd, v, count);
	int r;

	pace_restart(&t->pace);
	if (t->pace.steady)
		be_steady(t, false);
	if (n < 0 || t->asked || !t->unproven)
		return n;
	t->asked = true;
	r = sock_tcp_error(t->w.fd);
	return r < 0 ? r : n;
}

/* Writes what was acknowledged and waits; OK when nothing is left. */
static int
write_out(struct tcp *t)
{
	struct piece *o = &t->out;
	struct iovec v;
	ssize_t r;

	while (o->at < o->end) {
		v.iov_base = o->mem + o->at;
		v.iov_len = (size_t)(o->end - o->at);
		r = write_some(t, &v, 1);
		if (r == -EAGAIN)
			return again(t, WATCH_WRITE);
		if (r < 0)
			return fail(t, (int)r);
		o->at = (uint16_t)(o->at + r);
	}
	o->at = o->end = 0;
	return STREAM_OK;
}

static int
tcp_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct iovec v[WRITEV_MAX];
	struct tcp *t = tcp_of(s);
	ssize_t written;
	int i, r;

	if (t->error)
		return t->error;
	if (t->shut)
		return -EPIPE;
	r = write_out(t);
	if (r != STREAM_OK)
		return r;
	if (count > WRITEV_MAX)
		count = WRITEV_MAX;
	for (i = 0; i < count; i++) {
		v[i].iov_base = w[i].p;
		v[i].iov_len = w[i].len;
	}
	written = write_some(t, v, count);
	if (written == -EAGAIN)
		return again(t, WATCH_WRITE);
	if (written < 0)
		return fail(t, (int)written);
	*n = (size_t)written;
	return STREAM_OK;
}

static int
tcp_send_buf(struct stream *s, struct window *w)
{
	struct tcp *t = tcp_of(s);
	int r;

	if (t->error)
		return t->error;
	if (t->shut)
		return -EPIPE;
	r = piece_take(t, &t->out);
	if (r != STREAM_OK)
		return r;
	if (t->out.end == TCP_BLOCK) {
		r = write_out(t);
		if (r != STREAM_OK)
			return r;
	}
	w->p = t->out.mem + t->out.end;
	w->len = (size_t)(TCP_BLOCK - t->out.end);
	return STREAM_OK;
}

/* Small pieces are gathered: a system call for each segment would cost more than the
 * copy. */
static int
tcp_send_ack(struct stream *s, size_t n)
{
	struct tcp *t = tcp_of(s);

	assert(n <= (size_t)(TCP_BLOCK - t->out.end));
	t->out.end = (uint16_t)(t->out.end + n);
	return t->error;
}

static int
tcp_flush(struct stream *s)
{
	struct tcp *t = tcp_of(s);

	return t->error ? t->error : write_out(t);
}

static int
tcp_recv_buf(struct stream *s, struct window *w)
{
	struct tcp *t = tcp_of(s);
	size_t n = 0;
	int r;

	if (t->error)
		return t->error;
	if (t->in.at == t->in.end) {
		r = piece_take(t, &t->in);
		if (r != STREAM_OK)
			return r;
		r = tcp_read(s, t->in.mem, TCP_BLOCK, &n);
		if (r != STREAM_OK)
			return r;
		t->in.at = 0;
		t->in.end = (uint16_t)n;
	}
	w->p = t->in.mem + t->in.at;
	w->len = (size_t)(t->in.end - t->in.at);
	return STREAM_OK;
}

static void
tcp_recv_ack(struct stream *s, size_t n)
{
	struct tcp *t = tcp_of(s);

	assert(n <= (size_t)(t->in.end - t->in.at));
	t->in.at = (uint16_t)(t->in.at + n);
}

static int
tcp_shut(struct stream *s)
{
	struct tcp *t = tcp_of(s);
	int r;

	if (t->error)
		return t->error;
	if (t->shut)
		return STREAM_OK;
	r = write_out(t);
	if (r != STREAM_OK)
		return r;
	/* A pipe has no half to shut: its end is told by the close. */
	r = sock_shut_write(t->w.fd);
	if (r < 0 && r != -ENOTSOCK)
		return fail(t, r);
	t->shut = true;
	return STREAM_OK;
}

static void
tcp_park(struct stream *s)
{
	struct tcp *t = tcp_of(s);

	if (t->in.at == t->in.end)
		piece_drop(t, &t->in);
	if (t->out.at == t->out.end)
		piece_drop(t, &t->out);
	blocks_pass(&t->wait);
}

static const char *
tcp_reason(const struct stream *s)
{
	const struct tcp *t = container_of(s, struct tcp, s);
	char at[ENDPOINT_TEXT] = "the descriptor";

	if (!t->error)
		return "";
	if (t->to.ip.family)
		endpoint_format(&t->to, at);
	snprintf(t->m->text, sizeof(t->m->text), "%s%s: %s",
		t->connected && !t->unproven ? "" : "connect to ", at,
		stream_error_text(t->error));
	return t->m->text;
}

static void
tcp_own(struct stream *s, struct task *owner)
{
	struct tcp *t = tcp_of(s);

	t->w.owner = t->wait.owner = owner;
}

static void
tcp_delete(struct deferred *d)
{
	struct tcp *t = container_of(d, struct tcp, gone);

	pool_put(&t->m->streams, t);
}

/* Closing with a linger time of zero sends RST (RFC 9293, 3.10.5: abort). */
static void
abort_connection(int fd)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static void
tcp_free(struct stream *s)
{
	struct tcp *t = tcp_of(s);

	piece_drop(t, &t->in);
	piece_drop(t, &t->out);
	blocks_leave(&t->wait);
	if (t->w.fd >= 0) {
		pacer_leave(&t->m->pacer, &t->pace);
		watch_fini(&t->w);
		if (!t->shut)
			abort_connection(t->w.fd);
		sock_close(t->w.fd);
	}
	loop_defer(t->w.loop, &t->gone, tcp_delete);
}

static const struct stream_ops tcp_ops = {
	.name = "tcp",
	.open = tcp_open,
	.send_buf = tcp_send_buf,
	.send_ack = tcp_send_ack,
	.flush = tcp_flush,
	.recv_buf = tcp_recv_buf,
	.recv_ack = tcp_recv_ack,
	.shut = tcp_shut,
	.park = tcp_park,
	.reason = tcp_reason,
	.own = tcp_own,
	.free = tcp_free,
	.read = tcp_read,
	.writev = tcp_writev,
};

static struct tcp *
tcp_new(struct loop *l, struct tcp_memory *m, int fd, struct task *owner)
{
	struct tcp *t = pool_get(&m->streams);

	if (!t)
		return NULL;
	t->s.ops = &tcp_ops;
	t->m = m;
	watch_init(&t->w, l, fd, owner);
	t->w.edge = true;
	block_wait_init(&t->wait, l, owner);
	return t;
}

struct stream *
tcp_dial(struct loop *l, struct tcp_memory *m, const struct endpoint *to,
	const struct sock_options *options, struct task *owner)
{
	bool held = false;
	struct tcp *t;
	int fd;

	fd = options ? sock_tcp_connect_fast(to, options, &held)
		     : sock_tcp_connect(to, NULL);
	t = tcp_new(l, m, fd, owner);
	if (!t) {
		if (fd >= 0)
			sock_close(fd);
		return NULL;
	}
	t->to = *to;
	t->connected = t->unproven = t->dry = held;
	if (fd < 0)
		t->error = (int16_t)fd;
	return &t->s;
}

bool
tcp_is_unproven(struct stream *s)
{
	struct tcp *t = tcp_of(s);

	if (t->unproven && !t->error && sock_tcp_connected(t->w.fd) == 0)
		t->unproven = false;
	return t->unproven;
}

bool
tcp_fast_lost(const struct stream *s)
{
	return sock_fast_lost(container_of(s, const struct tcp, s)->w.fd);
}

bool
tcp_is_silent(const struct stream *s)
{
	return sock_is_silent(container_of(s, const struct tcp, s)->w.fd);
}

const struct endpoint *
tcp_peer(const struct stream *s)
{
	return &container_of(s, struct tcp, s)->to;
}

int
tcp_local(const struct stream *s, struct endpoint *e)
{
	return sock_local(container_of(s, struct tcp, s)->w.fd, e);
}

struct stream *
tcp_adopt(struct loop *l, struct tcp_memory *m, int fd, struct task *owner)
{
	struct tcp *t = tcp_new(l, m, fd, owner);

	if (!t)
		return NULL;
	t->connected = true;
	return &t->s;
}
