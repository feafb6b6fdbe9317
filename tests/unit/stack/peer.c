/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { STAMP = 12 };

/* Its own timestamp, and the last that the stack has sent. */
static size_t
stamp_write(struct peer *p, uint8_t options[static STAMP])
{
	if (p->plain)
		return 0;
	be32_put(options, 0x0101080a);
	be32_put(options + 4, p->stamp++);
	be32_put(options + 8, p->echo);
	return STAMP;
}

void
peer_init(struct peer *p, const char *me, const char *to)
{
	*p = (struct peer){ .me = at(me), .to = at(to), .window = 64 << 10 };
	p->iss = p->snd = 0xfffffff0; /* so that every test wraps */
	p->stamp = 0xfffffffd;
}

void
peer_fini(struct peer *p)
{
	free(p->got);
	p->got = NULL;
}

enum { PEER_SCALE = 7 };

static void
peer_out(struct peer *p, uint8_t flags, const void *b, size_t len)
{
	uint16_t window = (uint16_t)(p->window >> (p->unscaled ? 0 : PEER_SCALE));
	uint8_t stamp[STAMP];
	size_t n = stamp_write(p, stamp);

	if (p->large)
		host_input_large(
			&p->me, &p->to, flags, p->snd, p->rcv, window, stamp, n, b, len);
	else
		host_input_tcp(
			&p->me, &p->to, flags, p->snd, p->rcv, window, stamp, n, b, len);
	p->snd += (uint32_t)len + !!(flags & FIN);
	if ((int32_t)(p->rcv + p->window - p->right) > 0)
		p->right = p->rcv + p->window;
}

void
peer_syn(struct peer *p)
{
	uint8_t options[12 + STAMP] = { 2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, PEER_SCALE };
	size_t n = 12 + stamp_write(p, options + 12);

	if (p->unscaled)
		memset(options + 9, 1, 3); /* no operation */
	host_input_tcp(&p->me, &p->to, SYN, p->iss, 0, 64240, options, n, NULL, 0);
	p->snd = p->acked = p->iss + 1;
}

void
peer_ack(struct peer *p)
{
	peer_out(p, ACK, NULL, 0);
}

static void
peer_keep(struct peer *p, const uint8_t *b, size_t len)
{
	if (p->ngot + len > p->cap) {
		p->cap = (p->ngot + len) * 2;
		p->got = realloc(p->got, p->cap);
	}
	if (len)
		memcpy(p->got + p->ngot, b, len);
	p->ngot += len;
}

static void
peer_synack(struct peer *p, const struct seen *k)
{
	assert_int_equal(k->ack, p->iss + 1);
	if (p->open) {
		assert_int_equal(k->seq, p->irs);
		return;
	}
	assert_int_equal(k->stamped, !p->plain);
	p->irs = k->seq;
	p->rcv = p->irs + 1;
	p->right = p->rcv + 64240;
	p->their_scale = k->scale < 0 ? 0 : k->scale;
	p->their_window = k->window;
	p->open = true;
}

static void
peer_take(struct peer *p, const struct seen *k)
{
	assert_true(endpoint_equal(&k->from, &p->to) && endpoint_equal(&k->to, &p->me));
	if (k->flags & RST) {
		p->reset = true;
		return;
	}
	if (k->stamped)
		p->echo = k->stamp;
	if (k->flags & SYN) {
		peer_synack(p, k);
		return;
	}
	assert_int_equal(k->stamped, !p->plain);
	assert_true(k->flags & ACK);
	assert_true((int32_t)(k->ack - p->acked) >= 0 && (int32_t)(p->snd - k->ack) >= 0);
	p->acked = k->ack;
	p->their_window = k->window << p->their_scale;
	if (!k->len && !(k->flags & FIN))
		return;
	assert_int_equal(k->seq, p->rcv);
	assert_true((int32_t)(p->right - (k->seq + (uint32_t)k->len)) >= 0);
	assert_false(p->fin);
	peer_keep(p, k->p, k->len);
	p->rcv += (uint32_t)k->len + !!(k->flags & FIN);
	p->fin = k->flags & FIN;
	if (!p->silent)
		peer_ack(p);
}

void
peer_pump(struct peer *p)
{
	struct seen k;

	host_settle();
	while (host_take(&k)) {
		assert_int_equal(k.proto, 6);
		peer_take(p, &k);
		if (host.first == host.last)
			host_settle();
	}
}

struct stream *
peer_open(struct peer *p)
{
	size_t n = host.nconn;

	peer_syn(p);
	peer_pump(p);
	assert_true(p->open);
	assert_int_equal(host.nconn, n);
	peer_ack(p);
	host_settle();
	assert_int_equal(host.nconn, n + 1);
	return host.conn[n];
}

struct stream *
peer_start(struct peer *p, const char *me, const char *to)
{
	peer_init(p, me, to);
	return peer_open(p);
}

void
peer_send(struct peer *p, const void *b, size_t len)
{
	size_t k, most = p->large ? p->large : p->plain ? 1460 : 1460 - STAMP;
	const uint8_t *c = b;

	for (; len; c += k, len -= k) {
		k = len < most ? len : most;
		peer_out(p, ACK | (k == len ? PSH : 0), c, k);
	}
}

void
peer_fin(struct peer *p)
{
	peer_out(p, FIN | ACK, NULL, 0);
}

void
peer_reset(struct peer *p)
{
	peer_out(p, RST | ACK, NULL, 0);
}

/* What lies in a few pieces is taken by one call. */
int
conn_read(struct stream *c, uint8_t *mem, size_t cap, size_t *n)
{
	struct window w[3];
	size_t k, taken;
	int i, count, r;

	while ((r = stream_recv_bufs(c, w, 3, &count)) == STREAM_OK && *n < cap) {
		for (i = 0, taken = 0; i < count; i++, taken += k) {
			assert_true(w[i].len > 0);
			k = cap - *n - taken;
			k = w[i].len < k ? w[i].len : k;
			memcpy(mem + *n + taken, w[i].p, k);
		}
		*n += taken;
		stream_recv_ack(c, taken);
	}
	return r;
}

size_t
conn_write(struct stream *c, const uint8_t *p, size_t len)
{
	struct window w;
	size_t n = 0, k;

	while (n < len && stream_send_buf(c, &w) == STREAM_OK) {
		assert_true(w.len > 0);
		k = w.len < len - n ? w.len : len - n;
		memcpy(w.p, p + n, k);
		assert_int_equal(stream_send_ack(c, k), STREAM_OK);
		n += k;
	}
	/* Nothing can have been acknowledged yet: the bytes are held until it is. */
	assert_true(n == 0 || stream_flush(c) != STREAM_OK);
	return n;
}

void
peer_shrink(struct peer *p, uint32_t window)
{
	p->window = window;
	peer_send(p, "x", 1);
	peer_send(p, "y", 1);
}

void
peer_megabyte(struct peer *p)
{
	uint8_t *sent = pattern(MEGABYTE), *got = malloc(MEGABYTE);
	size_t up = 0, written = 0, n = 0, k;
	struct stream *c = peer_open(p);

	while (up < MEGABYTE || n < MEGABYTE || p->ngot < MEGABYTE) {
		k = p->their_window - (p->snd - p->acked);
		if (k > MEGABYTE - up)
			k = MEGABYTE - up;
		peer_send(p, sent + up, k);
		up += k;
		written += conn_write(c, sent + written, MEGABYTE - written);
		conn_read(c, got, MEGABYTE, &n);
		peer_pump(p);
	}
	assert_memory_equal(got, sent, MEGABYTE);
	assert_memory_equal(p->got, sent, MEGABYTE);
	assert_int_equal(stack_counters(host.stack)->retransmitted, 0);
	assert_int_equal(stack_counters(host.stack)->malformed, 0);
	free(sent);
	free(got);
}

void
peer_transfer(const char *me, const char *to, uint32_t window, size_t large)
{
	struct peer p;

	peer_init(&p, me, to);
	p.window = window;
	p.large = large;
	peer_megabyte(&p);
	peer_fini(&p);
}

void
conn_leave(struct stream *c)
{
	stream_shut(c);
	stream_free(c);
	host.nconn = 0;
}
