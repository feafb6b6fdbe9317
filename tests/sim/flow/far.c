/* SPDX-License-Identifier: MIT */
#include "base/list.h"
#include "sim/flow/sides.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct far *fars[SIM_FARS];
static size_t nfars;

struct far *
far_at(size_t n)
{
	return n < nfars ? fars[n] : NULL;
}

size_t
far_count(void)
{
	return nfars;
}

static struct far *
far_new(struct outbound *o, const struct target *to, struct task *owner)
{
	struct far *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_true(nfars < SIM_FARS);
	fars[nfars++] = f;
	f->o = outbound_hold(o);
	f->owner = owner;
	f->to = (struct endpoint){ to->ip, to->port };
	if (to->name != NULL)
		memcpy(f->name, to->name, strlen(to->name) + 1);
	f->in = malloc(SIM_BYTES);
	f->out = malloc(SIM_BYTES);
	f->open = STREAM_AGAIN;
	f->room = SIM_BYTES;
	return f;
}

static void
far_freed(struct far *f)
{
	assert_false(f->freed);
	f->freed = true;
	outbound_drop(f->o);
}

/* A layer wakes only those whom it has told to wait. */
static int
again(struct far *f)
{
	f->waits = true;
	return STREAM_AGAIN;
}

static void
wake(struct far *f)
{
	assert_false(f->freed);
	if (f->waits)
		loop_ready(loop, f->owner);
	f->waits = false;
}

void
far_opens(struct far *f, int result)
{
	f->open = result;
	wake(f);
}

void
far_says(struct far *f, const void *p, size_t len)
{
	assert_true(f->in_len + len <= SIM_BYTES);
	memcpy(f->in + f->in_len, p, len);
	f->in_len += len;
	wake(f);
}

void
far_ends(struct far *f)
{
	f->in_ends = true;
	wake(f);
}

void
far_fails(struct far *f, int error)
{
	f->error = error;
	wake(f);
}

void
far_datagram(struct far *f, const char *from, const void *p, size_t len)
{
	assert_int_equal(f->in_at, f->in_len);
	f->in_at = f->in_len = 0;
	assert_true(endpoint_parse(&f->from, from));
	far_says(f, p, len);
}

void
far_news(struct far *f, const char *from, int news)
{
	assert_true(endpoint_parse(&f->from, from));
	f->news = news;
	wake(f);
}

static struct far *
of(struct stream *s)
{
	struct far *f = container_of(s, struct far, s);

	assert_false(f->freed);
	return f;
}

static int
open_far(struct stream *s)
{
	struct far *f = of(s);

	return f->open == STREAM_AGAIN ? again(f) : f->open;
}

static int
send_buf(struct stream *s, struct window *w)
{
	struct far *f = of(s);

	if (f->error && f->in_at == f->in_len)
		return f->error;
	assert_false(f->shut);
	if (f->out_len >= f->room)
		return again(f);
	w->p = f->out + f->out_len;
	w->len = f->room - f->out_len;
	return STREAM_OK;
}

static int
send_ack(struct stream *s, size_t n)
{
	of(s)->out_len += n;
	return STREAM_OK;
}

static int
flush(struct stream *s)
{
	(void)of(s);
	return STREAM_OK;
}

static int
recv_buf(struct stream *s, struct window *w)
{
	struct far *f = of(s);

	if (f->in_at == f->in_len && f->error)
		return f->error;
	if (f->in_at == f->in_len)
		return f->in_ends ? STREAM_END : again(f);
	w->p = f->in + f->in_at;
	w->len = f->in_len - f->in_at;
	return STREAM_OK;
}

static void
recv_ack(struct stream *s, size_t n)
{
	of(s)->in_at += n;
}

static int
read_far(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	struct window w;
	int r = recv_buf(s, &w);

	if (r != STREAM_OK)
		return r;
	*n = w.len < cap ? w.len : cap;
	memcpy(p, w.p, *n);
	recv_ack(s, *n);
	return STREAM_OK;
}

static int
shut(struct stream *s)
{
	of(s)->shut = true;
	return STREAM_OK;
}

static void
park(struct stream *s)
{
	(void)of(s);
}

static const char *
reason(const struct stream *s)
{
	(void)s;
	return "";
}

static void
free_stream(struct stream *s)
{
	far_freed(of(s));
}

static const struct stream_ops stream_ops = {
	.name = "far",
	.open = open_far,
	.send_buf = send_buf,
	.send_ack = send_ack,
	.flush = flush,
	.recv_buf = recv_buf,
	.recv_ack = recv_ack,
	.shut = shut,
	.park = park,
	.reason = reason,
	.free = free_stream,
	.read = read_far,
};

static struct far *
packets_of(struct packets *k)
{
	struct far *f = container_of(k, struct far, k);

	assert_false(f->freed);
	return f;
}

static int
packets_open_far(struct packets *k)
{
	struct far *f = packets_of(k);

	return f->open == STREAM_AGAIN ? again(f) : f->open;
}

static int
packets_send_far(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	struct far *f = packets_of(k);

	if (f->error)
		return f->error;
	if (f->room == 0)
		return again(f);
	f->sent++;
	f->last_sent = (struct endpoint){ to->ip, to->port };
	memcpy(f->out, p, len);
	f->out_len = len;
	return STREAM_OK;
}

static int
packets_recv_far(
	struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	struct far *f = packets_of(k);
	int news = f->news;

	*from = f->from;
	f->news = 0;
	if (news)
		return news;
	if (f->error)
		return f->error;
	if (f->in_at == f->in_len)
		return f->in_ends ? STREAM_END : again(f);
	*n = f->in_len - f->in_at;
	assert_true(*n <= cap);
	memcpy(p, f->in + f->in_at, *n);
	f->in_at = f->in_len;
	return STREAM_OK;
}

static const char *
packets_reason_far(const struct packets *k)
{
	(void)k;
	return "the test says so";
}

static void
packets_free_far(struct packets *k)
{
	far_freed(packets_of(k));
}

static const struct packets_ops packets_ops = {
	.name = "far",
	.open = packets_open_far,
	.send = packets_send_far,
	.recv = packets_recv_far,
	.reason = packets_reason_far,
	.free = packets_free_far,
};

struct stream *
far_dial(struct outbound *o, const struct target *to, struct task *owner)
{
	struct far *f = far_new(o, to, owner);

	f->s.ops = &stream_ops;
	return &f->s;
}

/* Sockets are open at once; the way to a server takes time. */
struct packets *
far_bind(struct outbound *o, const struct target *to, struct task *owner)
{
	struct far *f = far_new(o, to, owner);

	f->k.ops = &packets_ops;
	f->open = o->ops->direct ? STREAM_OK : STREAM_AGAIN;
	return &f->k;
}

void
far_outbound_free(struct outbound *o)
{
	free(o);
}

void
fars_begin(void)
{
	nfars = 0;
}

void
fars_end(void)
{
	for (size_t i = 0; i < nfars; i++) {
		assert_true(fars[i]->freed);
		free(fars[i]->in);
		free(fars[i]->out);
		free(fars[i]);
	}
	nfars = 0;
}
