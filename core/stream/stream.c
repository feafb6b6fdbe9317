/* SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include <errno.h>
#include <string.h>

int
stream_open(struct stream *s)
{
	return s->ops->open(s);
}

int
stream_send_buf(struct stream *s, struct window *w)
{
	return s->ops->send_buf(s, w);
}

int
stream_send_ack(struct stream *s, size_t n)
{
	return s->ops->send_ack(s, n);
}

int
stream_flush(struct stream *s)
{
	return s->ops->flush(s);
}

int
stream_recv_buf(struct stream *s, struct window *w)
{
	return s->ops->recv_buf(s, w);
}

int
stream_recv_bufs(struct stream *s, struct window *w, int max, int *count)
{
	if (s->ops->recv_bufs)
		return s->ops->recv_bufs(s, w, max, count);
	*count = 1;
	return s->ops->recv_buf(s, w);
}

void
stream_recv_ack(struct stream *s, size_t n)
{
	s->ops->recv_ack(s, n);
}

int
stream_shut(struct stream *s)
{
	return s->ops->shut(s);
}

void
stream_park(struct stream *s)
{
	s->ops->park(s);
}

const char *
stream_reason(const struct stream *s)
{
	return s->ops->reason(s);
}

void
stream_own(struct stream *s, struct task *owner)
{
	for (; s; s = s->lower)
		if (s->ops->own)
			s->ops->own(s, owner);
}

void
stream_free(struct stream *s)
{
	if (s)
		s->ops->free(s);
}

struct stream *
stream_settle(struct stream *s)
{
	struct stream *top = s, **place = &top;

	while ((s = *place)) {
		if (!s->ops->over) {
			place = &s->lower;
			continue;
		}
		if (!s->ops->over(s))
			break;
		*place = s->lower;
		s->ops->leave(s);
	}
	return top;
}

int
stream_read_window(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct window w;
	int r;

	*n = 0;
	r = s->ops->recv_buf(s, &w);
	if (r != STREAM_OK)
		return r;
	*n = w.len < cap ? w.len : cap;
	memcpy(p, w.p, *n);
	s->ops->recv_ack(s, *n);
	return STREAM_OK;
}

int
stream_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	int r = STREAM_OK;
	size_t k;

	if (s->ops->read)
		return s->ops->read(s, p, cap, n);
	for (*n = 0; r == STREAM_OK && *n < cap; *n += k)
		r = stream_read_window(s, p + *n, cap - *n, &k);
	return *n ? STREAM_OK : r;
}

int
stream_write_window(struct stream *s, const struct window *piece, size_t *n)
{
	struct window w;
	size_t at, k;
	int r;

	for (at = 0; at < piece->len; at += k) {
		r = s->ops->send_buf(s, &w);
		if (r != STREAM_OK)
			return r;
		k = w.len < piece->len - at ? w.len : piece->len - at;
		memcpy(w.p, piece->p + at, k);
		r = s->ops->send_ack(s, k);
		if (r < 0)
			return r;
		*n += k;
	}
	return STREAM_OK;
}

int
stream_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	int i, r;

	if (s->ops->writev)
		return s->ops->writev(s, w, count, n);
	*n = 0;
	for (i = 0; i < count; i++) {
		r = stream_write_window(s, &w[i], n);
		if (r < 0)
			return r;
		if (r == STREAM_AGAIN)
			return *n ? STREAM_OK : STREAM_AGAIN;
	}
	return STREAM_OK;
}

int
stream_write_rest(struct stream *s, const uint8_t *p, size_t len, size_t *at)
{
	struct window w;
	size_t n;
	int r;

	while (*at < len) {
		/* A window may be written to; this one is not. */
		w = (struct window){ (uint8_t *)(uintptr_t)p + *at, len - *at };
		n = 0;
		r = stream_writev(s, &w, 1, &n);
		if (r != STREAM_OK)
			return r;
		*at += n;
	}
	return STREAM_OK;
}

const char *
stream_error_text(int error)
{
	switch (error < 0 ? -error : error) {
	case ECONNREFUSED:
		return "connection refused";
	case ECONNRESET:
		return "connection reset by the other side";
	case EPIPE:
		return "the other side no longer reads";
	case ETIMEDOUT:
		return "no answer in time";
	case EHOSTUNREACH:
		return "no route to this host";
	case ENETUNREACH:
		return "network unreachable";
	case EMFILE:
	case ENFILE:
		return "no file descriptor left";
	case ENODEV:
		return "the interface that it is bound to is not there";
	case EADDRNOTAVAIL:
		return "no local address or port left";
	case EAFNOSUPPORT:
		return "this system does not speak the address family";
	case EACCES:
	case EPERM:
		return "not permitted (firewall?)";
	case ENOMEM:
	case ENOBUFS:
		return "no memory left";
	}
	return strerror(error < 0 ? -error : error);
}
