/* SPDX-License-Identifier: MIT */
/* TLS connections that work: both ways at once, half closed, resumed, and too many. */
#include "unit/stream_tls/bench.h"

#include "base/list.h"
#include "stream/tls_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEGABYTE = 1 << 20, NARROW = 5000 };

/* A lower stream that holds only so much each way, as sockets do, and has memory for a
 * window every other time only. */
struct narrow {
	struct stream s;
	struct memory *m;
	struct peer *peer;
	size_t said, said_at; /* what the server has to say, and has sealed */
	size_t heard;
	bool odd;
};

static struct narrow *
narrow_of(struct stream *s)
{
	return container_of(s, struct narrow, s);
}

static int
narrow_open(struct stream *s)
{
	(void)s;
	return STREAM_OK;
}

static int
narrow_read(struct stream *s, uint8_t *p, size_t cap, size_t *n)
{
	return stream_read(&narrow_of(s)->m->s, p, cap, n);
}

static int
narrow_recv_buf(struct stream *s, struct window *w)
{
	struct narrow *o = narrow_of(s);

	o->odd = !o->odd;
	return o->odd ? stream_recv_buf(&o->m->s, w) : STREAM_AGAIN;
}

static void
narrow_recv_ack(struct stream *s, size_t n)
{
	stream_recv_ack(&narrow_of(s)->m->s, n);
}

static size_t
narrow_room(const struct narrow *o)
{
	size_t held = o->m->out_len - o->peer->heard;

	return held < NARROW ? NARROW - held : 0;
}

static int
narrow_writev(struct stream *s, const struct window *w, int count, size_t *n)
{
	struct narrow *o = narrow_of(s);
	size_t room = narrow_room(o);
	struct window some = { w->p, w->len < room ? w->len : room };

	(void)count;
	return room ? stream_writev(&o->m->s, &some, 1, n) : STREAM_AGAIN;
}

static int
narrow_send_buf(struct stream *s, struct window *w)
{
	struct narrow *o = narrow_of(s);
	size_t room = narrow_room(o);
	int r;

	o->odd = !o->odd;
	if (o->odd || !room)
		return STREAM_AGAIN;
	r = stream_send_buf(&o->m->s, w);
	w->len = w->len < room ? w->len : room;
	return r;
}

static int
narrow_send_ack(struct stream *s, size_t n)
{
	return stream_send_ack(&narrow_of(s)->m->s, n);
}

static void
narrow_park(struct stream *s)
{
	(void)s;
}

static void
narrow_free(struct stream *s)
{
	stream_free(&narrow_of(s)->m->s);
}

static const struct stream_ops narrow_ops = {
	.name = "narrow",
	.open = narrow_open,
	.send_buf = narrow_send_buf,
	.send_ack = narrow_send_ack,
	.recv_buf = narrow_recv_buf,
	.recv_ack = narrow_recv_ack,
	.flush = narrow_open,
	.shut = narrow_open,
	.park = narrow_park,
	.free = narrow_free,
	.read = narrow_read,
	.writev = narrow_writev,
};

static void
narrow_got(void *arg, const uint8_t *p, size_t len)
{
	struct narrow *o = arg;

	for (; len; len--, p++, o->heard++)
		if (*p != (uint8_t)(o->heard * 7 >> 3))
			fail_msg("byte %zu is wrong", o->heard);
}

/* Seals some of what the server has to say. */
static bool
rude_say(struct narrow *o)
{
	size_t n, i;
	uint8_t *to;

	to = o->said < MEGABYTE ? br_ssl_engine_sendapp_buf(&o->peer->server.eng, &n)
				: NULL;
	if (!to)
		return false;
	n = n < MEGABYTE - o->said ? n : MEGABYTE - o->said;
	for (i = 0; i < n; i++)
		to[i] = (uint8_t)((o->said + i) * 5 >> 2);
	o->said += n;
	br_ssl_engine_sendapp_ack(&o->peer->server.eng, n);
	br_ssl_engine_flush(&o->peer->server.eng, 0);
	return true;
}

/* A server that writes all it has before it reads: with one that does the same it would
 * hang. */
static void
rude_turn(struct narrow *o)
{
	br_ssl_engine_context *e = &o->peer->server.eng;
	size_t n, room;
	uint8_t *from;

	for (;;) {
		while ((from = br_ssl_engine_sendrec_buf(e, &n))) {
			room = NARROW - (o->m->in_len - o->m->in_at);
			if (room == 0)
				return;
			n = n < room ? n : room;
			memory_feed(o->m, from, n);
			br_ssl_engine_sendrec_ack(e, n);
		}
		if (rude_say(o))
			continue;
		n = o->peer->heard;
		o->peer->deaf = false;
		peer_pump(o->peer);
		if (n == o->peer->heard)
			return;
	}
}

static void
test_both_ways(void **state)
{
	size_t sent = 0, got = 0, i;
	struct narrow o = { 0 };
	struct peer peer;
	struct memory m = { 0 };
	struct window w;
	struct stream *s;
	struct bench b;
	int idle, r;

	bench_serve(&b, state);
	memory_init(&m);
	peer_init(&peer, &b.id, &m);
	peer.got = narrow_got;
	peer.arg = &o;
	o.s.ops = &narrow_ops;
	o.m = &m;
	o.peer = &peer;
	s = tls_new(b.setup, &o.s, b.loop, &b.owner, bench_time);
	while ((r = stream_open(s)) == STREAM_AGAIN)
		peer_pump(&peer);
	assert_int_equal(r, STREAM_OK);
	for (idle = 0; idle < 20 && (got < MEGABYTE || o.heard < MEGABYTE); idle++) {
		rude_turn(&o);
		while (sent < MEGABYTE && stream_send_buf(s, &w) == STREAM_OK) {
			w.len = w.len < MEGABYTE - sent ? w.len : MEGABYTE - sent;
			for (i = 0; i < w.len; i++)
				w.p[i] = (uint8_t)((sent + i) * 7 >> 3);
			assert_int_equal(stream_send_ack(s, w.len), STREAM_OK);
			sent += w.len;
			idle = 0;
		}
		stream_flush(s);
		while ((r = stream_recv_buf(s, &w)) == STREAM_OK) {
			for (i = 0; i < w.len; i++)
				assert_int_equal(w.p[i], (uint8_t)((got + i) * 5 >> 2));
			got += w.len;
			stream_recv_ack(s, w.len);
			idle = 0;
		}
		assert_int_equal(r, STREAM_AGAIN);
		stream_park(s);
	}
	assert_int_equal(got, MEGABYTE);
	assert_int_equal(o.heard, MEGABYTE);
	stream_free(s);
	loop_turn(b.loop, 0);
	memory_fini(&m);
	bench_end(&b);
}

/* After our close_notify the server's bytes still come, also while it has not read it. */
static void
test_half_closed(void **state)
{
	static uint8_t bytes[50000];
	struct window w;
	struct bench b;
	struct pair p;
	size_t n = 0;

	bench_serve(&b, state);
	pair_connect(&b, &p);
	p.peer.deaf = true;
	assert_int_equal(stream_shut(p.s), STREAM_OK);
	assert_int_equal(stream_send_buf(p.s, &w), -EPIPE);
	peer_say(&p.peer, bytes, sizeof(bytes));
	assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
	assert_int_equal(n, sizeof(bytes));
	assert_int_equal(stream_shut(p.s), STREAM_OK);
	peer_say(&p.peer, bytes, 10);
	assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
	assert_int_equal(n, sizeof(bytes) + 10);
	p.peer.deaf = false;
	peer_pump(&p.peer);
	assert_true(peer_ended(&p.peer));
	assert_int_equal(pair_receive(&p, &n), STREAM_END);
	assert_int_equal(pair_receive(&p, &n), STREAM_END);
	pair_end(&b, &p);
	bench_end(&b);
}

/* A connection that rests amid a record keeps the memory that has its beginning, and it is
 * counted: where only the header has come, too. */
static void
test_rests_amid_record(void **state)
{
	static uint8_t bytes[1000];
	static const size_t come[] = { 1, 5, 6, 500 };
	size_t i, n = 0, whole, rest;
	struct bench b;
	struct pair p;

	bench_serve(&b, state);
	pair_connect(&b, &p);
	assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
	stream_park(p.s);
	rest = b.stock->windows.pool.out;
	for (i = 0; i < sizeof(come) / sizeof(*come); i++) {
		peer_say(&p.peer, bytes, sizeof(bytes));
		whole = p.m.in_len;
		p.m.in_len = p.m.in_at + come[i];
		assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
		stream_park(p.s);
		if (b.library == TLS_OPENSSL)
			assert_int_equal(b.stock->windows.pool.out, rest + 1);
		p.m.in_len = whole;
		assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
		assert_int_equal(n, (i + 1) * sizeof(bytes));
		stream_park(p.s);
		assert_int_equal(b.stock->windows.pool.out, rest);
	}
	pair_end(&b, &p);
	bench_end(&b);
}

/* The server ends first: with close_notify, or without a word. */
static void
test_server_ends(void **state)
{
	struct bench b;
	struct pair p;
	size_t n = 0;

	bench_serve(&b, state);
	pair_connect(&b, &p);
	peer_say(&p.peer, (const uint8_t *)"bye", 3);
	peer_end(&p.peer);
	assert_int_equal(pair_receive(&p, &n), STREAM_END);
	assert_int_equal(n, 3);
	assert_int_equal(stream_shut(p.s), STREAM_OK);
	assert_true(p.m.shut);
	pair_end(&b, &p);

	pair_connect(&b, &p);
	peer_say(&p.peer, (const uint8_t *)"bye", 3);
	p.m.in_ends = true;
	assert_int_equal(pair_receive(&p, &n), STREAM_END);
	assert_int_equal(n, 6);
	assert_int_equal(pair_receive(&p, &n), STREAM_END);
	assert_int_equal(stream_shut(p.s), STREAM_OK);
	pair_end(&b, &p);
	bench_end(&b);
}

static void
test_resumed(void **state)
{
	struct tls_spec never = { .name = "a.example", .no_resumption = true };
	struct tls_facts f;
	struct bench b;
	struct pair p;
	int i;

	bench_serve(&b, state);
	for (i = 0; i < 3; i++) {
		pair_connect(&b, &p);
		tls_facts_get(p.s, &f);
		assert_int_equal(f.resumed, i > 0);
		pair_end(&b, &p);
	}
	bench_again(&b, never);
	for (i = 0; i < 2; i++) {
		pair_connect(&b, &p);
		tls_facts_get(p.s, &f);
		assert_false(f.resumed);
		pair_end(&b, &p);
	}
	bench_end(&b);
}

static void
test_facts(void **state)
{
	static const char *const ours[] = { "h2", "http/1.1" };
	static const char *theirs[] = { "http/1.1" };
	struct tls_facts f;
	struct bench b;
	struct pair p;

	bench_serve(&b, state);
	bench_again(&b, (struct tls_spec){ .name = "a.example", .alpn = { ours, 2 } });
	pair_start(&b, &p);
	br_ssl_engine_set_protocol_names(&p.peer.server.eng, theirs, 1);
	assert_int_equal(pair_open(&p), STREAM_OK);
	assert_string_equal(
		br_ssl_engine_get_server_name(&p.peer.server.eng), "a.example");
	tls_facts_get(p.s, &f);
	assert_string_equal(f.version, "TLS 1.2");
	assert_string_equal(f.alpn, "http/1.1");
	assert_string_equal(f.names, "a.example, *.w.example, 192.0.2.1 and 2001:db8::1");
	assert_non_null(strstr(f.cipher, "ECDHE_ECDSA_WITH_"));
	assert_true(f.not_before < bench_clock && bench_clock < f.not_after);
	assert_string_equal(tls_setup_library(b.setup),
		b.library == TLS_BEARSSL ? "BearSSL" : "OpenSSL");
	pair_end(&b, &p);
	bench_end(&b);
}

/* The fifth of at most four waits until one is freed. */
static void
test_too_many(void **state)
{
	struct pair p[5];
	struct bench b;
	int i;

	bench_serve(&b, state);
	for (i = 0; i < 4; i++)
		pair_connect(&b, &p[i]);
	pair_start(&b, &p[4]);
	assert_int_equal(pair_open(&p[4]), STREAM_AGAIN);
	assert_int_equal(p[4].m.out_len, 0);
	pair_end(&b, &p[0]);
	assert_int_equal(pair_open(&p[4]), STREAM_OK);
	for (i = 1; i < 5; i++)
		pair_end(&b, &p[i]);
	bench_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_LIBRARY(test_both_ways),
		EACH_LIBRARY(test_half_closed),
		EACH_LIBRARY(test_rests_amid_record),
		EACH_LIBRARY(test_server_ends),
		EACH_LIBRARY(test_resumed),
		EACH_LIBRARY(test_facts),
		EACH_LIBRARY(test_too_many),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
