/* SPDX-License-Identifier: MIT */
/* What a VMess session receives. */
#include "outbound/vmess_session.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static size_t
wanted(const struct vmess_session *s)
{
	switch (s->reading) {
	case VMESS_READ_SIZE:
		return s->pick.user->nalter ? (size_t)VMESS_OLD_RESPONSE
					    : (size_t)VMESS_RESPONSE_SIZE;
	case VMESS_READ_RESPONSE:
		return s->opening->response_len;
	case VMESS_READ_LENGTH:
		return s->down.raw ? 1 : s->down.field;
	case VMESS_READ_CHUNK:
		return s->chunk.size;
	case VMESS_READ_PAYLOAD:
	case VMESS_READ_END:
		return 0;
	}
	return 0;
}

static int
garbled(struct vmess_session *s)
{
	vmess_garbled(s->v, s->pick.server);
	return vmess_session_fail(
		s, -EBADMSG, "what the server answers is not VMess with this id");
}

static int
response_size(struct vmess_session *s, uint8_t *p)
{
	struct vmess_opening *o = s->opening;
	size_t len = wanted(s);
	int n;

	if (s->pick.user->nalter)
		n = vmess_old_response(
			o->response_key, o->response_iv, o->response_tag, p);
	else
		n = vmess_response_size(o->response_key, o->response_iv, p);
	if (n < 0)
		return garbled(s);
	o->response_len = (uint16_t)n;
	s->reading = VMESS_READ_RESPONSE;
	s->in_at += (uint32_t)len;
	return STREAM_OK;
}

static int
response_open(struct vmess_session *s, uint8_t *p)
{
	const struct vmess_opening *o = s->opening;
	struct vmess_try a;

	if (!s->pick.user->nalter &&
		vmess_response_open(o->response_key, o->response_iv, o->response_tag, p,
			o->response_len) < 0)
		return garbled(s);
	a = vmess_session_try(s);
	vmess_answered(&a);
	s->reading = VMESS_READ_LENGTH;
	s->in_at += o->response_len;
	vmess_session_settle(s);
	return STREAM_OK;
}

static const char damaged[] = "a chunk from the VMess server is damaged";

static int
lend(struct vmess_session *s)
{
	s->lent = 0;
	s->paid = true;
	s->reading = VMESS_READ_PAYLOAD;
	return STREAM_OK;
}

/* The rest of an end mark is waited for: with its tag nobody else can have made it. */
static int
chunk_length(struct vmess_session *s, uint8_t *p)
{
	if (s->down.raw) {
		s->chunk.size = s->chunk.len = (uint16_t)(s->in_end - s->in_at);
		return lend(s);
	}
	if (vmess_body_length(&s->down, p, &s->chunk) < 0)
		return vmess_session_fail(s, -EBADMSG, damaged);
	s->in_at += s->down.field;
	s->reading = VMESS_READ_CHUNK;
	return STREAM_OK;
}

static int
chunk_open(struct vmess_session *s, uint8_t *p)
{
	if (vmess_body_open(&s->down, &s->chunk, p, p) < 0)
		return vmess_session_fail(s, -EBADMSG, damaged);
	if (s->chunk.len == 0) {
		s->pick.server->marks = true;
		s->in_at = s->in_end;
		s->reading = VMESS_READ_END;
		return STREAM_OK;
	}
	return lend(s);
}

/* All the bytes that this step needs are at p. */
static int
advance(struct vmess_session *s, uint8_t *p)
{
	switch (s->reading) {
	case VMESS_READ_SIZE:
		return response_size(s, p);
	case VMESS_READ_RESPONSE:
		return response_open(s, p);
	case VMESS_READ_LENGTH:
		return chunk_length(s, p);
	case VMESS_READ_CHUNK:
		return chunk_open(s, p);
	case VMESS_READ_PAYLOAD:
	case VMESS_READ_END:
		return STREAM_OK;
	}
	return -EINVAL;
}

/*
 * The lower stream has ended, in order. Between chunks that is an end like the
 * mark, since some servers never send one (vmess.md 8.8).  It is none where no
 * payload has come, which is how V2Ray says that its target refused (vmess.md 10),
 * nor from a server that is known to send the mark: both mean a reset.
 */
static int
ended(struct vmess_session *s)
{
	if (!s->heard)
		return vmess_session_fail(
			s, -ECONNRESET, "the VMess server closed without an answer");
	if (s->reading != VMESS_READ_LENGTH || s->in_at < s->in_end)
		return vmess_session_fail(
			s, -EPROTO, "the VMess server closed in the middle of a chunk");
	if (!s->finished && !s->paid)
		return vmess_session_fail(s, -ECONNRESET,
			"the VMess server did not reach the target, or that closed without a byte");
	if (!s->finished && !s->down.raw && s->pick.server->marks)
		return vmess_session_fail(
			s, -ECONNRESET, "the VMess server closed without its end mark");
	s->reading = VMESS_READ_END;
	return STREAM_OK;
}

/* Memory in which `need` bytes can lie in one piece; what is there moves to its front
 * where the rest is short. */
static int
gather(struct vmess_session *s, size_t need)
{
	size_t have = s->in_end - s->in_at;
	size_t cap = s->in_large ? TCP_LARGE : TCP_BLOCK;
	bool large = need > TCP_BLOCK;
	uint8_t *block;

	if (!s->in || (large && !s->in_large)) {
		block = blocks_get(large ? tcp_memory_large(s->v->o.env.memory)
					 : tcp_memory_blocks(s->v->o.env.memory),
			&s->wait);
		if (!block)
			return STREAM_AGAIN;
		if (have)
			memcpy(block, s->in + s->in_at, have);
		vmess_session_drop_in(s);
		s->in = block;
		s->in_large = large;
		s->in_end = (uint32_t)have;
	} else if (s->in_at + need > cap || cap - s->in_end < cap / 4) {
		memmove(s->in, s->in + s->in_at, have);
		s->in_at = 0;
		s->in_end = (uint32_t)have;
	}
	return STREAM_OK;
}

/* Reads more; OK when something has changed. */
static int
fetch(struct vmess_session *s)
{
	size_t cap, n = 0;
	int r;

	if (s->in_at == s->in_end)
		s->in_at = s->in_end = 0;
	r = gather(s, wanted(s));
	if (r != STREAM_OK)
		return r;
	cap = s->in_large ? TCP_LARGE : TCP_BLOCK;
	r = stream_read(s->s.lower, s->in + s->in_end, cap - s->in_end, &n);
	if (r == STREAM_END)
		return ended(s);
	if (r == STREAM_OK) {
		s->in_end += (uint32_t)n;
		s->heard = true;
		vmess_session_ask_no_more(s);
	}
	return vmess_session_passed(s, r);
}

int
vmess_session_recv(struct vmess_session *s, struct window *w)
{
	int r;

	while (!s->error && s->reading != VMESS_READ_PAYLOAD) {
		if (s->reading == VMESS_READ_END)
			return STREAM_END;
		if (s->in_end - s->in_at < wanted(s))
			r = fetch(s);
		else
			r = advance(s, s->in + s->in_at);
		if (r != STREAM_OK)
			return r;
	}
	if (s->error)
		return s->error;
	w->p = s->in + s->in_at + s->lent;
	w->len = s->chunk.len - s->lent;
	return STREAM_OK;
}

void
vmess_session_recv_ack(struct vmess_session *s, size_t n)
{
	if (n == 0)
		return;
	assert(s->reading == VMESS_READ_PAYLOAD && n <= s->chunk.len - s->lent);
	s->lent += (uint32_t)n;
	if (s->lent < s->chunk.len)
		return;
	s->in_at += s->chunk.size;
	s->reading = VMESS_READ_LENGTH;
}

/* What is left of a chunk that was opened in place. */
static size_t
lent_read(struct vmess_session *s, uint8_t *p, size_t cap)
{
	size_t n = s->chunk.len - s->lent;

	if (n > cap)
		n = cap;
	memcpy(p, s->in + s->in_at + s->lent, n);
	vmess_session_recv_ack(s, n);
	return n;
}

/* A whole chunk with payload, opened on its way to p. */
static int
chunk_read(struct vmess_session *s, uint8_t *p, size_t *n)
{
	if (vmess_body_open(&s->down, &s->chunk, s->in + s->in_at, p) < 0)
		return vmess_session_fail(s, -EBADMSG, damaged);
	*n += s->chunk.len;
	s->paid = true;
	s->in_at += s->chunk.size;
	s->reading = VMESS_READ_LENGTH;
	return STREAM_OK;
}

/* One step towards more payload. AGAIN with *n > 0: what there is goes first. */
static int
step(struct vmess_session *s, uint8_t *p, size_t cap, size_t *n)
{
	bool whole = s->in_end - s->in_at >= wanted(s);

	switch (s->reading) {
	case VMESS_READ_END:
		return STREAM_END;
	case VMESS_READ_PAYLOAD:
		*n += lent_read(s, p, cap);
		return STREAM_OK;
	case VMESS_READ_CHUNK:
		if (whole && s->chunk.len > 0 && s->chunk.len <= cap)
			return chunk_read(s, p, n);
		if (*n > 0)
			return STREAM_AGAIN;
		break;
	case VMESS_READ_SIZE:
	case VMESS_READ_RESPONSE:
	case VMESS_READ_LENGTH:
		break;
	}
	if (whole)
		return advance(s, s->in + s->in_at);
	return *n > 0 ? STREAM_AGAIN : fetch(s);
}

int
vmess_session_read(struct vmess_session *s, uint8_t *p, size_t cap, size_t *n)
{
	int r = s->error;

	*n = 0;
	while (r == STREAM_OK && *n < cap)
		r = step(s, p + *n, cap - *n, n);
	return *n > 0 ? STREAM_OK : r;
}
