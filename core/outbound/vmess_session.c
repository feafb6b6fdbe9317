/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_session.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Less room than this behind sealed chunks is not worth a chunk of its own. */
enum { ROOM_MIN = 1024 };
/* A connection that was given up after this long without a byte counts as unanswered. */
enum { PATIENCE_MS = 10000 };

_Static_assert(TCP_BLOCK >= VMESS_HEADER_MAX + VMESS_PAYLOAD_MAX + VMESS_OVERHEAD,
	"the header and a full chunk leave in one write");
_Static_assert(TCP_LARGE >= UINT16_MAX, "a chunk of any size fits");
_Static_assert(TCP_BLOCK <= UINT16_MAX, "what is raw is a chunk as large as a block");
_Static_assert(
	VMESS_CONNECTION + VMESS_OPENING <= UINT16_MAX, "it is counted in 16 bits");

struct vmess_try
vmess_session_try(const struct vmess_session *s)
{
	return (struct vmess_try){ s->v, s->pick.server, s->s.lower,
		s->opening ? s->opening->time : CLOCK_OWN };
}

static void
unanswered(const struct vmess_session *s)
{
	const struct vmess_try a = vmess_session_try(s);

	vmess_unanswered(&a);
}

int
vmess_session_fail(struct vmess_session *s, int error, const char *why)
{
	if (s->error)
		return s->error;
	s->error = (int16_t)error;
	s->why = why;
	if (s->greeted && !s->finished && !s->heard &&
		(error == -ECONNRESET || error == -EPIPE))
		unanswered(s);
	return error;
}

int
vmess_session_passed(struct vmess_session *s, int r)
{
	return r < 0 ? vmess_session_fail(s, r, NULL) : r;
}

/* NULL without memory. */
static struct vmess_opening *
opening_new(const struct target *to, struct task *owner)
{
	struct vmess_opening *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->owner = owner;
	o->to = *to;
	o->to.name = NULL;
	if (!to->name || (to->ip.family && !vmess_name_fits(to->name)))
		return o;
	o->to.name = o->name = strdup(to->name);
	if (o->name || to->ip.family)
		return o;
	free(o);
	return NULL;
}

static void
opening_free(struct vmess_opening *o)
{
	if (!o)
		return;
	timer_stop(&o->hold);
	free(o->name);
	bytes_wipe(o, sizeof(*o));
	free(o);
}

/* From now on it is counted as so many bytes. False: there are not as many. */
static bool
count(struct vmess_session *s, uint16_t bytes)
{
	struct budget *g = tcp_memory_budget(s->v->o.env.memory);

	if (bytes > s->counted && !budget_take(g, (size_t)(bytes - s->counted)))
		return false;
	if (bytes < s->counted)
		budget_give(g, (size_t)(s->counted - bytes));
	s->counted = bytes;
	return true;
}

int
vmess_session_init(struct vmess_session *s, struct vmess *v, struct stream *lower,
	enum vmess_command command, const struct target *to, struct task *owner)
{
	memset(s, 0, sizeof(*s));
	s->s.lower = lower;
	s->command = command;
	s->v = (struct vmess *)container_of(outbound_hold(&v->o), struct vmess, o);
	block_wait_init(&s->wait, v->o.env.loop, owner);
	s->opening = opening_new(to, owner);
	if (!s->opening || !count(s, VMESS_CONNECTION + VMESS_OPENING))
		return -ENOMEM;
	if (s->opening->name && !vmess_name_fits(s->opening->name))
		vmess_session_fail(s, -EINVAL,
			"a name for VMess has letters, digits, '-', '.' and '_' only "
			"(others in punycode)");
	return 0;
}

static struct blocks *
in_blocks(struct vmess_session *s)
{
	struct tcp_memory *m = s->v->o.env.memory;

	return s->in_large ? tcp_memory_large(m) : tcp_memory_blocks(m);
}

static struct blocks *
out_blocks(struct vmess_session *s)
{
	return tcp_memory_blocks(s->v->o.env.memory);
}

void
vmess_session_drop_in(struct vmess_session *s)
{
	blocks_put(in_blocks(s), s->in);
	s->in = NULL;
	s->in_large = false;
	s->in_at = s->in_end = 0;
}

static void
drop_out(struct vmess_session *s)
{
	blocks_put(out_blocks(s), s->out);
	s->out = NULL;
	s->at = s->end = 0;
}

/* Who has sent nothing may only be listening, and of what went with a SYN nobody knows
 * whether it was taken. */
static void
ask(struct vmess_session *s)
{
	if (s->asks || s->heard || s->command != VMESS_TCP || s->pick.server->proven ||
		!vmess_reach_is_up(s->s.lower))
		return;
	s->asks = true;
	vmess_wait_begin(s->pick.server);
}

void
vmess_session_ask_no_more(struct vmess_session *s)
{
	if (s->asks)
		vmess_wait_end(s->pick.server);
	s->asks = false;
}

/* Who waits for an answer gives up. Where we end all that there is, that tells nothing of
 * the server. */
static bool
is_given_up(const struct vmess_session *s)
{
	const struct loop *l = s->v->o.env.loop;

	return !s->error && !s->finished && s->greeted && !s->heard && !loop_is_over(l) &&
		s->command == VMESS_TCP &&
		loop_now(l) - s->opening->greeted_at >= PATIENCE_MS &&
		vmess_reach_is_up(s->s.lower);
}

void
vmess_session_settle(struct vmess_session *s)
{
	s->s.lower = stream_settle(s->s.lower);
	opening_free(s->opening);
	s->opening = NULL;
	count(s, VMESS_CONNECTION);
}

void
vmess_session_fini(struct vmess_session *s)
{
	vmess_session_ask_no_more(s);
	if (is_given_up(s))
		unanswered(s);
	vmess_session_drop_in(s);
	drop_out(s);
	blocks_leave(&s->wait);
	/* The server has our end mark, or the datagrams: no reason to reset. */
	if (!s->error && (s->finished || s->command == VMESS_UDP))
		stream_shut(s->s.lower);
	stream_free(s->s.lower);
	count(s, 0);
	outbound_drop(&s->v->o);
	opening_free(s->opening);
	vmess_body_fini(&s->up);
	vmess_body_fini(&s->down);
	bytes_wipe(s, sizeof(*s));
}

int
vmess_session_open(struct vmess_session *s)
{
	int r;

	if (s->error)
		return s->error;
	r = vmess_session_passed(s, stream_open(s->s.lower));
	if (r == STREAM_OK && !s->pick.server)
		s->pick = vmess_reached(s->v, s->s.lower);
	return r;
}

/* What is set for the body of this user (vmess.md 9). */
static unsigned
body_options(const struct vmess_user *u, enum vmess_command command)
{
	switch (u->security) {
	case VMESS_AES128_GCM:
	case VMESS_CHACHA20_POLY1305:
		return VMESS_CHUNKED | VMESS_MASKED | VMESS_PADDED |
			(u->sealed_lengths ? VMESS_SEALED_LENGTHS : 0);
	case VMESS_NONE:
		return VMESS_CHUNKED | VMESS_MASKED;
	case VMESS_ZERO:
		return command == VMESS_UDP ? VMESS_CHUNKED : 0;
	}
	return 0;
}

/* 0, or -ENOMEM. */
static int
bodies_init(struct vmess_session *s, const struct vmess_request *q,
	const struct vmess_draw *d)
{
	struct vmess_opening *o = s->opening;

	if (s->pick.user->nalter)
		vmess_old_response_keys(d, o->response_key, o->response_iv);
	else
		vmess_response_keys(d, o->response_key, o->response_iv);
	o->response_tag = d->tag;
	vmess_body_init(&s->up, q->security, q->options, d->key, d->iv);
	vmess_body_init(
		&s->down, q->security, q->options, o->response_key, o->response_iv);
	if (!(q->options & VMESS_SEALED_LENGTHS))
		return 0;
	if (vmess_body_seal_lengths(&s->up, d->key, d->iv) < 0)
		return -ENOMEM;
	return vmess_body_seal_lengths(&s->down, d->key, d->iv);
}

static int
header_write(struct vmess_session *s, const struct vmess_request *q,
	const struct vmess_draw *d)
{
	const struct vmess_user *u = s->pick.user;
	uint32_t i;

	if (u->nalter == 0)
		return vmess_header_write(s->out, &u->keys, q, d);
	i = rng_below(&s->v->rng, (uint32_t)u->nalter);
	return vmess_old_header_write(s->out, u->keys.command, u->alter[i], q, d);
}

/* The header is in the empty block, of which it takes n bytes. */
static void
greeted(struct vmess_session *s, int n)
{
	struct vmess_opening *o = s->opening;

	s->end = (uint32_t)n;
	s->greeted = true;
	o->greeted_at = loop_now(s->v->o.env.loop);
	free(o->name);
	o->name = NULL;
	o->to.name = NULL;
}

/* Draws the keys of this connection and writes the header. */
static int
greet(struct vmess_session *s)
{
	struct vmess_try a = vmess_session_try(s);
	struct vmess_draw d;
	struct vmess_request q = {
		.security = s->pick.user->security,
		.options = body_options(s->pick.user, s->command),
		.command = s->command,
		.to = &s->opening->to,
		.time = vmess_time(&a),
	};
	int n, r = 0;

	s->opening->time = a.time;
	random_bytes(&d, sizeof(d));
	d.padlen %= VMESS_PADDING_MAX + 1;
	n = header_write(s, &q, &d);
	if (n > 0)
		r = bodies_init(s, &q, &d);
	bytes_wipe(&d, sizeof(d));
	if (n < 0)
		return vmess_session_fail(s, n, "the target has no address");
	if (r < 0)
		return vmess_session_fail(s, r, "no memory left");
	greeted(s, n);
	return STREAM_OK;
}

/* A block to write into, with the header in it when nothing was sent before. */
static int
prepare(struct vmess_session *s)
{
	if (s->error)
		return s->error;
	if (s->finished)
		return -EPIPE;
	if (!s->out) {
		s->out = blocks_get(out_blocks(s), &s->wait);
		if (!s->out)
			return STREAM_AGAIN;
	}
	return s->greeted ? STREAM_OK : greet(s);
}

/* Makes a chunk behind `end` of the len bytes at `from`. */
static void
seal_from(struct vmess_session *s, const uint8_t *from, size_t len)
{
	uint8_t *chunk = s->out + s->end;
	size_t n, pad;

	assert(s->end + VMESS_OVERHEAD + len <= TCP_BLOCK);
	n = vmess_body_seal(&s->up, chunk, from, len, &pad);
	if (pad)
		rng_bytes(&s->v->rng, chunk + n - pad, pad);
	s->end += (uint32_t)n;
}

/* Makes one of the open chunk, where it is. */
static void
seal(struct vmess_session *s)
{
	if (s->up.raw)
		s->end += s->fill;
	else
		seal_from(s, s->out + s->end + s->up.field, s->fill);
	s->fill = 0;
}

/* Writes what is sealed; OK when the block is empty. No chunk may be open. */
static int
write_out(struct vmess_session *s)
{
	size_t at = s->at;
	int r;

	assert(s->fill == 0);
	r = stream_write_rest(s->s.lower, s->out, s->end, &at);
	s->at = (uint32_t)at;
	if (r != STREAM_OK)
		return vmess_session_passed(s, r);
	s->at = s->end = 0;
	return STREAM_OK;
}

/* How much more payload the open chunk takes. */
static size_t
chunk_room(const struct vmess_session *s)
{
	size_t used = s->end + VMESS_OVERHEAD + s->fill;
	size_t room = used < TCP_BLOCK ? TCP_BLOCK - used : 0;

	if (room > VMESS_PAYLOAD_MAX - s->fill)
		room = VMESS_PAYLOAD_MAX - s->fill;
	return s->fill == 0 && room < ROOM_MIN ? 0 : room;
}

int
vmess_session_room(struct vmess_session *s, struct window *w)
{
	int r;

	r = prepare(s);
	if (r != STREAM_OK)
		return r;
	if (chunk_room(s) == 0) {
		if (s->fill)
			seal(s);
		r = write_out(s);
		if (r != STREAM_OK)
			return r;
	}
	w->p = s->out + s->end + s->up.field + s->fill;
	w->len = chunk_room(s);
	return STREAM_OK;
}

int
vmess_session_put(struct vmess_session *s, size_t n)
{
	if (s->error)
		return s->error;
	assert(n <= chunk_room(s));
	ask(s);
	s->fill += (uint32_t)n;
	if (s->fill == VMESS_PAYLOAD_MAX)
		seal(s);
	return STREAM_OK;
}

/* Whole chunks are sealed on their way into the block, the rest is copied into the open
 * one. */
static size_t
take(struct vmess_session *s, const struct window *room, const uint8_t *p, size_t len)
{
	if (room->len == VMESS_PAYLOAD_MAX && len >= VMESS_PAYLOAD_MAX && !s->up.raw) {
		ask(s);
		seal_from(s, p, VMESS_PAYLOAD_MAX);
		return VMESS_PAYLOAD_MAX;
	}
	if (len > room->len)
		len = room->len;
	memcpy(room->p, p, len);
	vmess_session_put(s, len);
	return len;
}

int
vmess_session_write(struct vmess_session *s, const uint8_t *p, size_t len, size_t *n)
{
	struct window room;
	int r = STREAM_OK;

	*n = 0;
	while (*n < len) {
		r = vmess_session_room(s, &room);
		if (r != STREAM_OK)
			break;
		*n += take(s, &room, p + *n, len - *n);
	}
	return *n ? STREAM_OK : r;
}

int
vmess_session_datagram(struct vmess_session *s, const uint8_t *p, size_t len)
{
	int r;

	assert(len > 0 && len <= VMESS_PAYLOAD_MAX);
	r = prepare(s);
	if (r != STREAM_OK)
		return r;
	if (s->end + VMESS_OVERHEAD + len > TCP_BLOCK) {
		r = write_out(s);
		if (r != STREAM_OK)
			return r;
	}
	memcpy(s->out + s->end + s->up.field, p, len);
	s->fill = (uint32_t)len;
	seal(s);
	r = vmess_session_flush(s);
	return r < 0 ? r : STREAM_OK;
}

int
vmess_session_greet(struct vmess_session *s)
{
	int r = s->greeted ? STREAM_OK : prepare(s);

	return r == STREAM_OK ? vmess_session_flush(s) : r;
}

int
vmess_session_flush(struct vmess_session *s)
{
	int r;

	if (s->error)
		return s->error;
	if (s->fill)
		seal(s);
	r = write_out(s);
	return r == STREAM_OK ? vmess_session_passed(s, stream_flush(s->s.lower)) : r;
}

/* Without one, only the end of the connection tells the server. */
static int
end_mark(struct vmess_session *s)
{
	int r;

	if (s->up.raw || s->pick.user->no_end_mark)
		return STREAM_OK;
	if (s->end + VMESS_OVERHEAD > TCP_BLOCK) {
		r = write_out(s);
		if (r != STREAM_OK)
			return r;
	}
	seal(s);
	return STREAM_OK;
}

int
vmess_session_finish(struct vmess_session *s)
{
	int r;

	if (!s->finished) {
		r = prepare(s);
		if (r != STREAM_OK)
			return r;
		if (s->fill)
			seal(s);
		r = end_mark(s);
		if (r != STREAM_OK)
			return r;
		s->finished = true;
	}
	return vmess_session_flush(s);
}

void
vmess_session_park(struct vmess_session *s)
{
	if (s->in_at == s->in_end || s->error)
		vmess_session_drop_in(s);
	if ((s->at == s->end && s->fill == 0) || s->error)
		drop_out(s);
	blocks_pass(&s->wait);
	stream_park(s->s.lower);
}

const char *
vmess_session_reason(const struct vmess_session *s)
{
	if (s->why)
		return s->why;
	return s->error ? stream_reason(s->s.lower) : "";
}
