/* SPDX-License-Identifier: MIT */
/* What a server may do wrong, and the sentence that it gets. */
#include "unit/stream_tls/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tls_spec plain = { .name = "a.example" };

static void
assert_reason(const char *label, const struct stream *s, const char *want)
{
	if (!strstr(stream_reason(s), want))
		fail_msg("%s: \"%s\" and not \"%s\"", label, stream_reason(s), want);
}

/* The server answers the ClientHello with these bytes, and ends. */
static void
answer(struct bench *b, struct tls_spec spec, const void *bytes, size_t len,
	const char *want)
{
	struct pair p;
	int r;

	bench_again(b, spec);
	pair_start(b, &p);
	assert_int_equal(stream_open(p.s), STREAM_AGAIN);
	memory_feed(&p.m, bytes, len);
	p.m.in_ends = true;
	r = stream_open(p.s);
	if (r >= 0)
		fail_msg("%s: %d", want, r);
	assert_reason(want, p.s, want);
	assert_int_equal(stream_open(p.s), r);
	pair_end(b, &p);
}

static void
test_answers(void **state)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	static const char smtp[] = "220 mail.example ESMTP\r\n";
	static const uint8_t half[] = { 0x16, 3, 3, 0, 90, 2, 0, 0 };
	static const uint8_t close_notify[] = { 0x15, 3, 3, 0, 2, 1, 0 };
	static const uint8_t unknown[] = { 0x16, 3, 3, 0, 4, 99, 0, 0, 0 };
	struct bench b;

	bench_serve(&b, state);
	answer(&b, plain, http, strlen(http), "does not speak TLS, but HTTP");
	answer(&b, plain, smtp, strlen(smtp), "does not speak TLS");
	answer(&b, plain, "", 0, "closed in the handshake, without a word");
	answer(&b, plain, half, 2, "closed in the handshake, without a word");
	answer(&b, plain, half, sizeof(half), "closed in the middle of the handshake");
	answer(&b, plain, close_notify, sizeof(close_notify),
		"closed in the middle of the handshake");
	answer(&b, plain, unknown, sizeof(unknown), "what the server sends is no TLS");
	bench_end(&b);
}

/* Errors beneath: those of the handshake are told as such. */
static void
test_resets(void **state)
{
	struct bench b;
	struct pair p;

	bench_serve(&b, state);
	pair_start(&b, &p);
	p.m.error = -ECONNREFUSED;
	assert_int_equal(stream_open(p.s), -ECONNREFUSED);
	assert_reason("refused", p.s, "the script wants it so");
	pair_end(&b, &p);
	pair_start(&b, &p);
	assert_int_equal(stream_open(p.s), STREAM_AGAIN);
	p.m.error = -ECONNRESET;
	assert_int_equal(stream_open(p.s), -ECONNRESET);
	assert_reason("reset", p.s, "the server reset the connection in the handshake");
	pair_end(&b, &p);
	bench_end(&b);
}

static void
test_alerts(void **state)
{
	static const struct {
		uint8_t alert;
		const char *want;
	} cases[] = {
		{ 20, "could not decrypt what was sent" },
		{ 40, "have no cipher in common" },
		{ 42, "wants a certificate of the client" },
		{ 80, "internal_error" },
		{ 112, "does not know the name that was sent (a.example)" },
		{ 120, "check alpn" },
		{ 99, "with alert 99" },
	};
	struct tls_spec old = { .name = "a.example", .max = TLS_1_2 };
	uint8_t record[] = { 0x15, 3, 3, 0, 2, 2, 70 };
	struct bench b;
	size_t i;

	bench_serve(&b, state);
	if (b.library == TLS_BEARSSL) {
		answer(&b, plain, record, sizeof(record), "the server wants TLS 1.3");
	} else {
		answer(&b, plain, record, sizeof(record), "takes no version of TLS that");
		answer(&b, old, record, sizeof(record),
			"wants a newer TLS than the config");
	}
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		record[6] = cases[i].alert;
		answer(&b, plain, record, sizeof(record), cases[i].want);
	}
	bench_end(&b);
}

/* The server's first flight, cut behind `cut` bytes, or whole with a bit turned (-1: cut).
 * Its length varies with the signature's: a place behind its end is its last byte. */
static size_t
spoilt_flight(struct bench *b, size_t cut, long bit)
{
	struct pair p;
	size_t all, place;
	int i, r;

	pair_start(b, &p);
	assert_int_equal(stream_open(p.s), STREAM_AGAIN);
	peer_pump(&p.peer);
	all = p.m.in_len;
	place = bit < 0 ? cut : (size_t)bit / 8;
	place = place < all ? place : all - 1;
	if (bit < 0)
		p.m.in_len = place;
	else
		p.m.in[place] ^= (uint8_t)(1u << bit % 8);
	r = stream_open(p.s);
	for (i = 0; i < 4 && r == STREAM_AGAIN; i++) {
		peer_pump(&p.peer);
		p.m.in_ends = true;
		r = stream_open(p.s);
	}
	if (r >= 0)
		fail_msg("cut %zu, bit %ld: %d", cut, bit, r);
	assert_true(*stream_reason(p.s));
	assert_int_equal(stream_open(p.s), r);
	pair_end(b, &p);
	return all;
}

static void
test_spoilt_handshakes(void **state)
{
	size_t all, cut;
	struct bench b;
	long bit;

	bench_serve(&b, state);
	all = spoilt_flight(&b, 0, -1);
	for (cut = 1; cut < all; cut += cut < 20 ? 1 : 17)
		spoilt_flight(&b, cut, -1);
	for (bit = 0; bit < (long)all * 8; bit += 61)
		spoilt_flight(&b, 0, bit);
	bench_end(&b);
}

static void
test_old_server(void **state)
{
	struct bench b;
	struct pair p;

	bench_serve(&b, state);
	pair_start(&b, &p);
	br_ssl_engine_set_versions(&p.peer.server.eng, BR_TLS10, BR_TLS11);
	assert_int_equal(pair_open(&p), -EPROTO);
	assert_reason(
		"old", p.s, "the server speaks an older TLS than the configuration");
	pair_end(&b, &p);

	bench_again(&b, (struct tls_spec){ .name = "a.example", .min = TLS_1_0 });
	pair_start(&b, &p);
	br_ssl_engine_set_versions(&p.peer.server.eng, BR_TLS10, BR_TLS11);
	assert_int_equal(pair_open(&p), STREAM_OK);
	pair_end(&b, &p);
	bench_end(&b);
}

/* A server that has this key and these certificates. */
static void
refused(void **state, const char *key, const char *chain, int error, const char *want)
{
	struct bench b;
	struct pair p;

	bench_serve_as(&b, state, key, chain);
	pair_start(&b, &p);
	assert_int_equal(pair_open(&p), error);
	assert_reason(key, p.s, want);
	pair_end(&b, &p);
	bench_end(&b);
}

static void
test_wrong_key(void **state)
{
	refused(state, "other", "server middle", -EACCES,
		"not the key that belongs to it");
}

/* Both libraries refuse that themselves. */
static void
test_no_certificate(void **state)
{
	refused(state, "p256", "", -EPROTO, "what the server sends is no TLS");
}

static void
say_nothing(struct pair *p, int times)
{
	while (times--) {
		br_ssl_engine_flush(&p->peer.server.eng, 1);
		peer_pump(&p->peer);
	}
}

static void
test_floods(void **state)
{
	struct bench b;
	struct pair p;
	size_t n = 0;

	bench_serve(&b, state);
	pair_connect(&b, &p);
	say_nothing(&p, 20);
	peer_say(&p.peer, (const uint8_t *)"x", 1);
	say_nothing(&p, 20);
	assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
	assert_int_equal(n, 1);
	say_nothing(&p, 200);
	assert_int_equal(pair_receive(&p, &n), -EPROTO);
	assert_reason("flood", p.s, "the server floods with empty records");
	assert_int_equal(n, 1);
	assert_true(p.m.in_at < p.m.in_len || b.library == TLS_OPENSSL);
	pair_end(&b, &p);
	bench_end(&b);
}

/* BearSSL sends nothing any more to a server that has ended; OpenSSL does. */
static void
test_bytes_after_the_end(void **state)
{
	struct window w;
	struct bench b;
	struct pair p;
	size_t n = 0;

	bench_serve(&b, state);
	pair_connect(&b, &p);
	peer_end(&p.peer);
	assert_int_equal(pair_receive(&p, &n), STREAM_END);
	if (b.library == TLS_BEARSSL) {
		assert_int_equal(stream_send_buf(p.s, &w), -EPIPE);
		assert_reason("ended", p.s, "the server has ended the connection");
	} else {
		assert_int_equal(stream_send_buf(p.s, &w), STREAM_OK);
		w.p[0] = 'x';
		assert_int_equal(stream_send_ack(p.s, 1), STREAM_OK);
		assert_int_equal(stream_flush(p.s), STREAM_OK);
	}
	pair_end(&b, &p);
	bench_end(&b);
}

/* Records that bring a handshake no further, in place of the server's flight. */
static void
test_floods_in_the_handshake(void **state)
{
	static const char flood[] = "the server floods with empty records";
	static const char alien[] = "what the server sends is no TLS";
	static const struct {
		const char *label;
		uint8_t record[10];
		size_t len;
		const char *bearssl, *openssl;
	} cases[] = {
		{ "empty records", { 0x16, 3, 3, 0, 0 }, 5, flood, flood },
		{ "HelloRequests", { 0x16, 3, 3, 0, 4, 0, 0, 0, 0 }, 9, flood, flood },
		{ "warnings", { 0x15, 3, 3, 0, 2, 1, 90 }, 7, flood, flood },
		{ "ChangeCipherSpecs", { 0x14, 3, 3, 0, 1, 1 }, 6, alien, alien },
		{ "payload of no bytes", { 0x17, 3, 3, 0, 0 }, 5, flood, alien },
	};
	struct bench b;
	struct pair p;
	size_t i;
	int n;

	bench_serve(&b, state);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pair_start(&b, &p);
		assert_int_equal(stream_open(p.s), STREAM_AGAIN);
		for (n = 0; n < 20000; n++)
			memory_feed(&p.m, cases[i].record, cases[i].len);
		if (stream_open(p.s) != -EPROTO)
			fail_msg("%s: %s", cases[i].label, stream_reason(p.s));
		assert_reason(cases[i].label, p.s,
			b.library == TLS_BEARSSL ? cases[i].bearssl : cases[i].openssl);
		assert_true(p.m.in_at < p.m.in_len / 2);
		pair_end(&b, &p);
	}
	bench_end(&b);
}

/* The server asks for another handshake: it is refused, which this server takes for an
 * error; we do not. */
static void
test_renegotiation(void **state)
{
	struct window w;
	struct bench b;
	struct pair p;
	size_t n = 0;

	bench_serve(&b, state);
	pair_connect(&b, &p);
	assert_true(br_ssl_engine_renegotiate(&p.peer.server.eng));
	peer_pump(&p.peer);
	assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
	peer_pump(&p.peer);
	assert_int_equal(br_ssl_engine_last_error(&p.peer.server.eng),
		BR_ERR_RECV_FATAL_ALERT + BR_ALERT_NO_RENEGOTIATION);
	assert_int_equal(pair_receive(&p, &n), STREAM_AGAIN);
	assert_int_equal(stream_send_buf(p.s, &w), STREAM_OK);
	pair_end(&b, &p);
	bench_end(&b);
}

static void
test_spoilt_records(void **state)
{
	struct bench b;
	struct pair p;
	size_t n = 0;

	bench_serve(&b, state);
	pair_connect(&b, &p);
	peer_say(&p.peer, (const uint8_t *)"hello", 5);
	p.m.in_len--;
	p.m.in_ends = true;
	assert_int_equal(pair_receive(&p, &n), -EPROTO);
	assert_reason("cut", p.s, "cut in the middle of a record");
	pair_end(&b, &p);

	pair_connect(&b, &p);
	peer_say(&p.peer, (const uint8_t *)"hello", 5);
	p.m.in[p.m.in_len - 1] ^= 1;
	assert_int_equal(pair_receive(&p, &n), -EBADMSG);
	assert_reason("turned", p.s, "was changed on the way");
	assert_int_equal(n, 0);
	pair_end(&b, &p);
	bench_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_LIBRARY(test_answers),
		EACH_LIBRARY(test_resets),
		EACH_LIBRARY(test_alerts),
		EACH_LIBRARY(test_spoilt_handshakes),
		EACH_LIBRARY(test_old_server),
		EACH_LIBRARY(test_wrong_key),
		EACH_LIBRARY(test_no_certificate),
		EACH_LIBRARY(test_bytes_after_the_end),
		EACH_LIBRARY(test_floods),
		EACH_LIBRARY(test_floods_in_the_handshake),
		EACH_LIBRARY(test_renegotiation),
		EACH_LIBRARY(test_spoilt_records),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
