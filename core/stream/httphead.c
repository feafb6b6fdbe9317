/* SPDX-License-Identifier: MIT */
#include "stream/httphead.h"

#include "base/list.h"
#include "stream/httphead_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct httphead {
	struct stream s;
	uint8_t *request;       /* until it is gone; owned */
	struct http_head *head; /* until it was read, or for its error; owned */
	struct http_facts facts;
	size_t at, len;  /* request[at..len) has not gone */
	size_t leftover; /* bytes behind the head, in the lower stream's window */
	bool paid;       /* something came behind the head */
	int error;       /* -errno: final */
};

static struct httphead *
httphead_of(struct stream *s)
{
	return container_of(s, struct httphead, s);
}

static int
passed(struct httphead *t, int r)
{
	if (r < 0)
		t->error = r;
	return r;
}

static int
httphead_open(struct stream *s)
{
	struct httphead *t = httphead_of(s);

	return t->error ? t->error : passed(t, stream_open(s->lower));
}

static void
request_gone(struct httphead *t, size_t n)
{
	t->at += n;
	if (t->at < t->len)
		return;
	free(t->request);
	t->request = NULL;
}

/* Puts the request in front of the first bytes, in the lower stream's windows. */
static int
request_put(struct httphead *t)
{
	struct window w;
	size_t n;
	int r;

	while (t->request) {
		r = passed(t, stream_send_buf(t->s.lower, &w));
		if (r != STREAM_OK)
			return r;
		n = w.len < t->len - t->at ? w.len : t->len - t->at;
		memcpy(w.p, t->request + t->at, n);
		r = passed(t, stream_send_ack(t->s.lower, n));
		if (r < 0)
			return r;
		request_gone(t, n);
	}
	return STREAM_OK;
}

static int
httphead_send_buf(struct stream *s, struct window *w)
{
	struct httphead *t = httphead_of(s);
	int r = t->error ? t->error : request_put(t);

	return r == STREAM_OK ? passed(t, stream_send_buf(s->lower, w)) : r;
}

static int
httphead_send_ack(struct stream *s, size_t n)
{
	struct httphead *t = httphead_of(s);

	return t->error ? t->error : passed(t, stream_send_ack(s->lower, n));
}

static int
httphead_flush(struct stream *s)
{
	struct httphead *t = httphead_of(s);

	return t->error ? t->error : passed(t, stream_flush(s->lower));
}

static void
head_drop(struct httphead *t)
{
	t->facts = t->head->facts;
	free(t->head);
	t->head = NULL;
}

/* V2Ray refuses with a whole answer and no byte behind it. */
static int
ended(struct httphead *t)
{
	if (t->head)
		return passed(t, http_head_cut(t->head));
	if (t->paid || t->facts.status < 400)
		return STREAM_END;
	t->error = -ECONNRESET;
	return t->error;
}

/* Reads past the server's head; OK once that is behind us. */
static int
head_skip(struct httphead *t)
{
	struct window w;
	size_t used;
	int r;

	while (t->head) {
		r = passed(t, stream_recv_buf(t->s.lower, &w));
		if (r != STREAM_OK)
			return r;
		r = passed(t, http_head_read(t->head, w.p, w.len, &used));
		if (r < 0)
			return r;
		stream_recv_ack(t->s.lower, used);
		t->leftover = w.len - used;
		if (r == STREAM_OK)
			head_drop(t);
	}
	return STREAM_OK;
}

static int
httphead_recv_buf(struct stream *s, struct window *w)
{
	struct httphead *t = httphead_of(s);
	int r = t->error ? t->error : head_skip(t);

	if (r == STREAM_OK)
		r = passed(t, stream_recv_buf(s->lower, w));
	return r == STREAM_END ? ended(t) : r;
}

static void
httphead_recv_ack(struct stream *s, size_t n)
{
	struct httphead *t = httphead_of(s);

	stream_recv_ack(s->lower, n);
	t->paid = true;
	t->leftover -= n < t->leftover ? n : t->leftover;
}

static int
httphead_shut(struct stream *s)
{
	struct httphead *t = httphead_of(s);
	int r = t->error ? t->error : request_put(t);

	return r == STREAM_OK ? passed(t, stream_shut(s->lower)) : r;
}

static void
httphead_park(struct stream *s)
{
	stream_park(s->lower);
}

static const char *
httphead_reason(const struct stream *s)
{
	const struct httphead *t = container_of(s, struct httphead, s);

	if (!t->error)
		return "";
	if (t->head && t->head->err.text[0])
		return t->head->err.text;
	if (t->error == -ECONNRESET && t->facts.status >= 400 && !t->paid)
		return "the server closed behind the head of its answer: the path of "
		       "`header: http` may be wrong";
	return stream_reason(s->lower);
}

static void
httphead_free(struct stream *s)
{
	struct httphead *t = httphead_of(s);

	stream_free(s->lower);
	free(t->request);
	free(t->head);
	free(t);
}

static int
httphead_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct httphead *t = httphead_of(s);
	struct window w;
	int r = t->error ? t->error : head_skip(t);

	if (r == STREAM_OK && !t->leftover) {
		r = passed(t, stream_read(s->lower, p, cap, n));
		t->paid = t->paid || r == STREAM_OK;
	} else if (r == STREAM_OK) {
		r = passed(t, stream_recv_buf(s->lower, &w));
		if (r == STREAM_OK) {
			*n = w.len < cap ? w.len : cap;
			memcpy(p, w.p, *n);
			httphead_recv_ack(s, *n);
		}
	}
	return r == STREAM_END ? ended(t) : r;
}

/* The request goes in the same write as what is behind it. */
static int
httphead_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct httphead *t = httphead_of(s);
	struct window both[2];
	size_t rest, k = 0;
	int r;

	while (!t->error && t->request) {
		rest = t->len - t->at;
		both[0] = (struct window){ t->request + t->at, rest };
		both[1] = *w;
		r = passed(t, stream_writev(s->lower, both, 2, &k));
		if (r != STREAM_OK)
			return r;
		request_gone(t, k < rest ? k : rest);
		if (k > rest) {
			*n = k - rest;
			return STREAM_OK;
		}
	}
	return t->error ? t->error : passed(t, stream_writev(s->lower, w, count, n));
}

static const struct stream_ops httphead_ops = {
	.name = "httphead",
	.open = httphead_open,
	.send_buf = httphead_send_buf,
	.send_ack = httphead_send_ack,
	.flush = httphead_flush,
	.recv_buf = httphead_recv_buf,
	.recv_ack = httphead_recv_ack,
	.shut = httphead_shut,
	.park = httphead_park,
	.reason = httphead_reason,
	.free = httphead_free,
	.read = httphead_read,
	.writev = httphead_writev,
};

struct stream *
httphead_new(const struct httphead_spec *spec, struct stream *lower, struct rng *rng,
	int64_t (*unix_time)(void))
{
	struct httphead *t = calloc(1, sizeof(*t));

	if (t) {
		t->request = malloc(HTTPHEAD_REQUEST_MAX);
		t->head = malloc(sizeof(*t->head));
	}
	if (!t || !t->request || !t->head) {
		if (t) {
			free(t->request);
			free(t->head);
		}
		free(t);
		stream_free(lower);
		return NULL;
	}
	t->s.ops = &httphead_ops;
	t->s.lower = lower;
	t->len = httphead_request_write(spec, rng, t->request);
	http_head_init(t->head, HTTPHEAD_ANSWER_MAX, unix_time);
	return &t->s;
}

const struct http_facts *
httphead_facts(const struct stream *s)
{
	const struct httphead *t = container_of(s, struct httphead, s);

	return t->head ? &t->head->facts : &t->facts;
}

int64_t
httphead_date(const struct stream *s)
{
	return httphead_facts(s)->date;
}
