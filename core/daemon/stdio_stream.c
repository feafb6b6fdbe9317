/* SPDX-License-Identifier: MIT */
#include "daemon/stdio_stream.h"

#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 32 * 1024 };

/* Bytes at mem[at..end). */
struct piece {
	uint8_t mem[PIECE];
	size_t at, end;
};

struct stdio {
	struct stream s;
	struct watch in_watch, out_watch;
	struct piece in, out;
	int in_fd, out_fd;
	int in_flags, out_flags; /* as they were */
	int error;
	bool ended;
};

static struct stdio *
stdio_of(struct stream *s)
{
	return container_of(s, struct stdio, s);
}

static int
stdio_open(struct stream *s)
{
	(void)s;
	return STREAM_OK;
}

/* Writes what waits. OK when nothing is left. */
static int
stdio_flush(struct stream *s)
{
	struct stdio *t = stdio_of(s);
	ssize_t n;

	while (!t->error && t->out.at < t->out.end) {
		n = write(t->out_fd, t->out.mem + t->out.at, t->out.end - t->out.at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			watch_want(&t->out_watch, WATCH_WRITE);
			return STREAM_AGAIN;
		}
		if (n == -1)
			t->error = -errno;
		else
			t->out.at += (size_t)n;
	}
	if (t->error)
		return t->error;
	t->out.at = t->out.end = 0;
	return STREAM_OK;
}

static int
stdio_send_buf(struct stream *s, struct window *w)
{
	struct stdio *t = stdio_of(s);
	int err;

	if (t->out.end == PIECE) {
		err = stdio_flush(s);
		if (err != STREAM_OK)
			return err;
	}
	*w = (struct window){ t->out.mem + t->out.end, PIECE - t->out.end };
	return t->error ? t->error : STREAM_OK;
}

static int
stdio_send_ack(struct stream *s, size_t n)
{
	stdio_of(s)->out.end += n;
	return STREAM_OK;
}

static int
stdio_recv_buf(struct stream *s, struct window *w)
{
	struct stdio *t = stdio_of(s);
	ssize_t n;

	if (t->in.at == t->in.end && !t->ended) {
		do
			n = read(t->in_fd, t->in.mem, PIECE);
		while (n == -1 && errno == EINTR);
		if (n == -1 && errno == EAGAIN) {
			watch_want(&t->in_watch, WATCH_READ);
			return STREAM_AGAIN;
		}
		if (n == -1)
			t->error = -errno;
		if (t->error)
			return t->error;
		t->in.at = 0;
		t->in.end = (size_t)n;
		t->ended = n == 0;
	}
	if (t->in.at == t->in.end)
		return STREAM_END;
	*w = (struct window){ t->in.mem + t->in.at, t->in.end - t->in.at };
	return STREAM_OK;
}

static void
stdio_recv_ack(struct stream *s, size_t n)
{
	stdio_of(s)->in.at += n;
}

static void
stdio_park(struct stream *s)
{
	(void)s;
}

static const char *
stdio_reason(const struct stream *s)
{
	const struct stdio *t = (const struct stdio *)(const void *)s;

	return t->error ? strerror(-t->error) : "standard input or output";
}

static void
stdio_free(struct stream *s)
{
	struct stdio *t = stdio_of(s);

	watch_fini(&t->in_watch);
	watch_fini(&t->out_watch);
	fcntl(t->in_fd, F_SETFL, t->in_flags);
	fcntl(t->out_fd, F_SETFL, t->out_flags);
	free(t);
}

static const struct stream_ops stdio_ops = {
	.name = "stdio",
	.open = stdio_open,
	.send_buf = stdio_send_buf,
	.send_ack = stdio_send_ack,
	.flush = stdio_flush,
	.recv_buf = stdio_recv_buf,
	.recv_ack = stdio_recv_ack,
	.shut = stdio_flush,
	.park = stdio_park,
	.reason = stdio_reason,
	.free = stdio_free,
};

struct stream *
stdio_stream_new(struct loop *l, int in, int out, struct task *owner)
{
	struct stdio *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->s.ops = &stdio_ops;
	t->in_fd = in;
	t->out_fd = out;
	t->in_flags = fcntl(in, F_GETFL);
	t->out_flags = fcntl(out, F_GETFL);
	fcntl(in, F_SETFL, t->in_flags | O_NONBLOCK);
	fcntl(out, F_SETFL, t->out_flags | O_NONBLOCK);
	watch_init(&t->in_watch, l, in, owner);
	watch_init(&t->out_watch, l, out, owner);
	return &t->s;
}
