/* SPDX-License-Identifier: MIT */
#include "stream/http_head_exchange.h"

#include "base/base64.h"
#include "base/digest.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

_Static_assert(EXCHANGE_KEY_TEXT == BASE64_TEXT(EXCHANGE_KEY), "a key of 16 bytes");
_Static_assert(EXCHANGE_ACCEPT_TEXT == BASE64_TEXT(SHA1_LEN), "an answer is a SHA-1");

static int
fail(struct exchange *x, int error)
{
	x->state = EXCHANGE_DEAD;
	x->error = error;
	return error;
}

/* OK and AGAIN as they are; an error of the lower stream is the exchange's. */
static int
passed(struct exchange *x, int r)
{
	return r < 0 ? fail(x, r) : r;
}

/* What the server must answer to the key (RFC 6455, 4.2.2). */
static void
accept_text(char out[static EXCHANGE_ACCEPT_TEXT], const char *key)
{
	static const char id[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char both[EXCHANGE_KEY_TEXT - 1 + sizeof(id)];
	uint8_t hash[SHA1_LEN];

	memcpy(both, key, EXCHANGE_KEY_TEXT - 1);
	memcpy(both + EXCHANGE_KEY_TEXT - 1, id, sizeof(id));
	sha1(both, sizeof(both) - 1, hash);
	base64_encode(out, EXCHANGE_ACCEPT_TEXT, hash, sizeof(hash), 0);
}

struct exchange *
exchange_new(const struct exchange_way *way, struct stream *lower)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->q = way->request;
	x->lower = lower;
	x->websocket = way->websocket;
	x->base64 = way->base64;
	x->send_rest = way->send_rest;
	x->to = way->to;
	base64_encode(x->key, sizeof(x->key), way->key, sizeof(way->key), 0);
	accept_text(x->accept, x->key);
	http_head_init(&x->head, HTTP_HEAD_MAX, way->unix_time);
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (!x)
		return;
	free(x->request);
	free(x->early);
	free(x);
}

/* The early data as text, or NULL without memory. The caller's to free. */
static char *
early_text(const struct exchange *x)
{
	size_t cap = BASE64_TEXT(x->early_len);
	char *s = malloc(cap);

	if (s)
		base64_encode(s, cap, x->early, x->early_len, x->base64);
	return s;
}

static void
early_drop(struct exchange *x)
{
	free(x->early);
	x->early = NULL;
	x->early_len = 0;
}

/* Writes the request, with what was gathered in it as far as the rule lets it. */
static int
ask(struct exchange *x)
{
	struct http_request_more more = { .key = x->websocket ? x->key : NULL };
	bool held = x->overflows && x->q->early_rule == HTTP_EARLY_WHOLE;
	char *early = NULL;
	size_t cap;

	if (x->early_len && !held) {
		more.early = early = early_text(x);
		if (!early)
			return fail(x, -ENOMEM);
		early_drop(x);
		x->early_told = true;
	}
	cap = http_request_size(x->q, &more);
	x->request = malloc(cap);
	if (x->request)
		x->len = http_request_write(x->q, &more, x->request, cap);
	free(early);
	if (!x->request)
		return fail(x, -ENOMEM);
	x->state = EXCHANGE_ASK;
	return STREAM_OK;
}

static int
write_request(struct exchange *x)
{
	int r = passed(x, stream_write_rest(x->lower, x->request, x->len, &x->at));

	if (r == STREAM_OK)
		r = passed(x, stream_flush(x->lower));
	if (r != STREAM_OK)
		return r;
	free(x->request);
	x->request = NULL;
	x->state = EXCHANGE_ANSWER;
	return STREAM_OK;
}

static int
websocket_agreed(struct exchange *x)
{
	static const char protocol[] = "Sec-WebSocket-Protocol";
	struct http_head *h = &x->head;
	bool asked = x->early_told && strcasecmp(x->q->early_name, protocol) == 0;

	if (strcmp(h->accept, x->accept) != 0)
		return err_set(&h->err,
			"the server's 101 has %s Sec-WebSocket-Accept: something else than a "
			"WebSocket server answers",
			h->accept[0] ? "a wrong" : "no");
	if (h->protocol && !asked)
		return err_set(
			&h->err, "the server chose a %s that nobody asked for", protocol);
	if (h->extensions)
		return err_set(&h->err,
			"the server chose a WebSocket extension that nobody asked for");
	return 0;
}

static int
judge(struct exchange *x)
{
	if (http_head_upgraded(&x->head) < 0)
		return fail(x, -EPROTO);
	if (x->websocket && websocket_agreed(x) < 0)
		return fail(x, -EPROTO);
	x->at = 0;
	x->len = x->early_len;
	x->state = EXCHANGE_REST;
	return STREAM_OK;
}

static int
read_answer(struct exchange *x)
{
	struct window w;
	size_t used;
	int r;

	r = passed(x, stream_recv_buf(x->lower, &w));
	if (r == STREAM_END)
		return fail(x, http_head_cut(&x->head));
	if (r != STREAM_OK)
		return r;
	r = http_head_read(&x->head, w.p, w.len, &used);
	if (r < 0)
		return fail(x, r);
	stream_recv_ack(x->lower, used);
	if (r == STREAM_AGAIN)
		return STREAM_OK;
	x->leftover = w.len - used;
	return judge(x);
}

static int
write_early(struct exchange *x)
{
	int r = passed(x, x->send_rest(x->to, x->early, x->len, &x->at));

	if (r == STREAM_OK)
		x->state = EXCHANGE_DONE;
	return r;
}

static int
open_lower(struct exchange *x)
{
	int r = passed(x, stream_open(x->lower));

	if (r != STREAM_OK)
		return r;
	if (x->q->early_max == 0)
		return ask(x);
	x->state = EXCHANGE_GATHER;
	return STREAM_OK;
}

/* One step forward; OK when something has changed. */
static int
step(struct exchange *x)
{
	switch (x->state) {
	case EXCHANGE_LOWER:
		return open_lower(x);
	case EXCHANGE_GATHER:
		return ask(x);
	case EXCHANGE_ASK:
		return write_request(x);
	case EXCHANGE_ANSWER:
		return read_answer(x);
	case EXCHANGE_REST:
		return write_early(x);
	case EXCHANGE_DONE:
		return STREAM_OK;
	case EXCHANGE_DEAD:
		return x->error;
	}
	return -EINVAL;
}

int
exchange_finish(struct exchange *x)
{
	int r;

	while (x->state != EXCHANGE_DONE) {
		r = step(x);
		if (r != STREAM_OK)
			return r;
	}
	return STREAM_OK;
}

int
exchange_open(struct exchange *x)
{
	int r;

	if (x->state == EXCHANGE_LOWER) {
		r = step(x);
		if (r != STREAM_OK)
			return r;
	}
	if (x->state == EXCHANGE_GATHER)
		return STREAM_OK;
	r = exchange_finish(x);
	/* Once it has said OK it does not go back on it. */
	return r == STREAM_AGAIN && x->q->early_max ? STREAM_OK : r;
}

int
exchange_send_buf(struct exchange *x, struct window *w)
{
	int r = exchange_open(x);

	w->p = NULL;
	w->len = 0;
	if (r != STREAM_OK || x->state != EXCHANGE_GATHER)
		return r == STREAM_OK ? exchange_finish(x) : r;
	if (!x->early)
		x->early = malloc(x->q->early_max);
	if (!x->early)
		return fail(x, -ENOMEM);
	w->p = x->early + x->early_len;
	w->len = x->q->early_max - x->early_len;
	if (w->len)
		return STREAM_OK;
	x->overflows = true;
	return exchange_finish(x);
}

void
exchange_send_ack(struct exchange *x, size_t n)
{
	assert(x->state == EXCHANGE_GATHER && n <= x->q->early_max - x->early_len);
	x->early_len += n;
}

int
exchange_flush(struct exchange *x)
{
	int r;

	if (x->state == EXCHANGE_GATHER && x->early_len == 0)
		return STREAM_OK;
	r = exchange_finish(x);
	if (r == STREAM_AGAIN && x->state == EXCHANGE_ANSWER && x->early_len == 0)
		return STREAM_OK;
	return r;
}

void
exchange_settle(struct exchange **x, struct http_facts *facts)
{
	if ((*x)->state != EXCHANGE_DONE)
		return;
	*facts = (*x)->head.facts;
	exchange_free(*x);
	*x = NULL;
}

const char *
exchange_reason(const struct exchange *x)
{
	if (x->head.err.text[0])
		return x->head.err.text;
	return x->error == -ENOMEM ? "no memory left" : stream_reason(x->lower);
}
