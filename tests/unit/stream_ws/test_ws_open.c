/* SPDX-License-Identifier: MIT */
/* How a WebSocket begins: the request, early data, and every answer that is not one. */
#include "unit/stream/check.h"

#include "stream/ws.h"
#include "unit/stream_ws/peer.h"

#include <errno.h>
#include <string.h>

static struct peer p;
static struct memory m;

/* A layer over fresh memory, that was not opened yet. */
static struct stream *
start(size_t early_max, const char *early_name, enum http_early_rule rule)
{
	peer_init(&p, PEER_WS);
	p.q.early_max = early_max;
	p.q.early_name = early_name;
	p.q.early_rule = rule;
	memory_init(&m);
	return peer_layer(&p, &m);
}

/* Gives n bytes of 'e' as the caller's first write. Answers how many were taken. */
static size_t
give(struct stream *s, size_t n)
{
	struct window w;
	size_t taken = 0, k;

	while (taken < n) {
		if (stream_send_buf(s, &w) != STREAM_OK)
			break;
		k = n - taken < w.len ? n - taken : w.len;
		memset(w.p, 'e', k);
		assert_int_equal(stream_send_ack(s, k), STREAM_OK);
		taken += k;
	}
	return taken;
}

static void
hear_all(size_t len)
{
	size_t at = 0;

	p.a.heard_len = 0;
	assert_int_equal(p.a.hear(&p.a, m.out, m.out_len, &at), 0);
	assert_int_equal(p.a.heard_len, len);
}

static void
test_request(void **state)
{
	struct stream *s = start(0, "", HTTP_EARLY_PART);
	struct window w;

	(void)state;
	assert_int_equal(stream_open(s), STREAM_AGAIN);
	assert_int_equal(stream_send_buf(s, &w), STREAM_AGAIN);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_AGAIN);
	assert_int_equal(stream_shut(s), STREAM_AGAIN);
	assert_int_equal(ws_facts(s)->status, 0);
	peer_greet(&p);
	assert_non_null(strstr(p.request, "GET /way HTTP/1.1\r\nHost: a.example\r\n"));
	assert_null(strstr(p.request, "Sec-WebSocket-Protocol"));
	assert_null(strstr(p.request, "Sec-WebSocket-Extensions"));
	assert_int_equal(stream_open(s), STREAM_OK);
	assert_int_equal(ws_facts(s)->status, 101);
	assert_int_equal(ws_date(s), 1700000007);
	assert_int_equal(ws_facts(s)->date_at, PEER_CLOCK);
	assert_string_equal(stream_reason(s), "");
	peer_end(&p, s);
}

/* Keys are drawn anew. */
static void
test_keys(void **state)
{
	char first[1024];
	struct stream *s = start(0, "", HTTP_EARLY_PART);

	(void)state;
	assert_int_equal(peer_open(&p, s), STREAM_OK);
	memcpy(first, p.request, sizeof(first));
	peer_end(&p, s);
	s = start(0, "", HTTP_EARLY_PART);
	assert_int_equal(peer_open(&p, s), STREAM_OK);
	assert_string_not_equal(first, p.request);
	peer_end(&p, s);
}

#define OK_HEAD                                                           \
	"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static const struct {
	const char *label, *answer, *says;
	int64_t date;
} bad[] = {
	{ "200", "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n<html>",
		"200: that is a web page", 784111777 },
	{ "404", "HTTP/1.1 404 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
		"404: the path may be wrong", 784111777 },
	{ "301", "HTTP/1.1 301 x\r\nlocation: https://b.example/\r\n\r\n",
		"301 and points to https://b.example/", 0 },
	{ "no accept", OK_HEAD "\r\n", "no Sec-WebSocket-Accept", 784111777 },
	{ "wrong accept",
		OK_HEAD "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		"a wrong Sec-WebSocket-Accept", 784111777 },
	{ "TLS alert", "\x15\x03\x01\x00\x02", "speaks TLS here", 0 },
	{ "not HTTP", "220 mail.example ESMTP\r\n", "something else listens", 0 },
};

static void
test_bad_answers(void **state)
{
	struct window w;
	struct stream *s;
	size_t i, early;
	int r;

	(void)state;
	for (early = 0; early < 2; early++)
		for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			s = start(early ? 100 : 0, "X-Early", HTTP_EARLY_PART);
			p.answer = bad[i].answer;
			r = peer_open(&p, s);
			if (early) {
				assert_int_equal(r, STREAM_OK);
				assert_int_equal(give(s, 10), 10);
				assert_int_equal(stream_flush(s), STREAM_OK);
				peer_greet(&p);
				r = stream_recv_buf(s, &w);
			}
			assert_int_equal(r, -EPROTO);
			if (!strstr(stream_reason(s), bad[i].says))
				fail_msg("%s: says \"%s\"", bad[i].label,
					stream_reason(s));
			assert_int_equal(ws_date(s), bad[i].date);
			assert_int_equal(stream_open(s), -EPROTO);
			assert_int_equal(stream_send_buf(s, &w), -EPROTO);
			assert_int_equal(stream_recv_buf(s, &w), -EPROTO);
			assert_int_equal(stream_flush(s), -EPROTO);
			assert_int_equal(stream_shut(s), -EPROTO);
			stream_park(s);
			peer_end(&p, s);
		}
}

/* What the server adds to an answer that is right in all else. */
static int
open_with(const char *more, const char *early_name)
{
	struct stream *s = start(
		early_name ? 10 : 0, early_name ? early_name : "", HTTP_EARLY_PART);
	struct window w;
	int r;

	p.mute = true;
	assert_int_equal(peer_open(&p, s), early_name ? STREAM_OK : STREAM_AGAIN);
	if (early_name) {
		assert_int_equal(give(s, 5), 5);
		assert_int_equal(stream_flush(s), STREAM_OK);
		peer_greet(&p);
	}
	p.mute = false;
	peer_greet(&p);
	m.in_len -= 2;
	memory_feed(&m, (const uint8_t *)more, strlen(more));
	memory_feed(&m, (const uint8_t *)"\r\n", 2);
	r = stream_recv_buf(s, &w);
	if (r < 0)
		assert_non_null(strstr(stream_reason(s), "nobody asked for"));
	peer_end(&p, s);
	return r;
}

static void
test_unrequested(void **state)
{
	(void)state;
	assert_int_equal(open_with("X: y\r\n", NULL), STREAM_AGAIN);
	assert_int_equal(open_with("Sec-WebSocket-Protocol: v\r\n", NULL), -EPROTO);
	assert_int_equal(open_with("Sec-WebSocket-Protocol: v\r\n", "X-Early"), -EPROTO);
	assert_int_equal(
		open_with("Sec-WebSocket-Extensions: permessage-deflate\r\n", NULL),
		-EPROTO);
	/* Browsers want it back, so servers send it (vmess.md 13.3). */
	assert_int_equal(open_with("", "sec-websocket-protocol"), STREAM_AGAIN);
	assert_int_equal(
		open_with("Sec-WebSocket-Protocol: v\r\n", "Sec-WebSocket-Protocol"),
		STREAM_AGAIN);
}

/* The right answer, cut at every byte. */
static void
test_cut(void **state)
{
	struct stream *s;
	size_t cut, all = 1;

	(void)state;
	for (cut = 0; cut < all; cut++) {
		s = start(0, "", HTTP_EARLY_PART);
		assert_int_equal(stream_open(s), STREAM_AGAIN);
		peer_greet(&p);
		all = m.in_len;
		m.in_len = cut;
		m.in_ends = true;
		assert_int_equal(stream_open(s), -EPROTO);
		assert_non_null(strstr(stream_reason(s), "the server closed"));
		peer_end(&p, s);
	}
	assert_true(all > 100);
}

static void
test_endless(void **state)
{
	struct stream *s = start(0, "", HTTP_EARLY_PART);
	size_t n = 0;
	int r;

	(void)state;
	p.answer = "HTTP/1.1 101 x\r\nX: ";
	r = peer_open(&p, s);
	while (r == STREAM_AGAIN && n < 100000) {
		memory_feed(&m, (const uint8_t *)"0123456789", 10);
		n += 10;
		r = stream_open(s);
	}
	assert_int_equal(r, -EPROTO);
	assert_true(n > 16000 && n < 17000);
	peer_end(&p, s);
}

/* Data behind the head, in the same segment. */
static void
test_behind(void **state)
{
	struct stream *s = start(0, "", HTTP_EARLY_PART);
	struct window w;

	(void)state;
	assert_int_equal(stream_open(s), STREAM_AGAIN);
	peer_greet(&p);
	peer_frame(&p, 0x82, "hello", 5, 0);
	assert_int_equal(stream_open(s), STREAM_OK);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_OK);
	assert_int_equal(w.len, 5);
	assert_memory_equal(w.p, "hello", 5);
	stream_recv_ack(s, 5);
	peer_end(&p, s);
}

/* What becomes of a first write of `len` bytes where 10 may go early. */
static const struct {
	const char *label;
	enum http_early_rule rule;
	size_t len, early;
} firsts[] = {
	{ "part, less", HTTP_EARLY_PART, 9, 9 },
	{ "part, all", HTTP_EARLY_PART, 10, 10 },
	{ "part, more", HTTP_EARLY_PART, 11, 10 },
	{ "part, much more", HTTP_EARLY_PART, 500, 10 },
	{ "whole, less", HTTP_EARLY_WHOLE, 1, 1 },
	{ "whole, all", HTTP_EARLY_WHOLE, 10, 10 },
	{ "whole, more", HTTP_EARLY_WHOLE, 11, 0 },
	{ "whole, much more", HTTP_EARLY_WHOLE, 500, 0 },
};

static void
test_early(void **state)
{
	static const char *const names[] = { "", "X-Early", "Sec-WebSocket-Protocol" };
	struct stream *s;
	size_t i, taken;
	int r;

	(void)state;
	for (i = 0; i < 3 * sizeof(firsts) / sizeof(*firsts); i++) {
		s = start(10, names[i % 3], firsts[i / 3].rule);
		assert_int_equal(stream_open(s), STREAM_OK);
		assert_int_equal(m.out_len, 0);
		taken = give(s, firsts[i / 3].len);
		r = stream_flush(s);
		/* Nothing behind the request, and OK only where all is in it. */
		assert_memory_equal(m.out + m.out_len - 4, "\r\n\r\n", 4);
		assert_int_equal(stream_open(s), STREAM_OK);
		assert_int_equal(
			r, taken == firsts[i / 3].early ? STREAM_OK : STREAM_AGAIN);
		peer_greet(&p);
		if (p.early_len != firsts[i / 3].early)
			fail_msg("%s: %zu early", firsts[i / 3].label, p.early_len);
		taken += give(s, firsts[i / 3].len - taken);
		assert_int_equal(taken, firsts[i / 3].len);
		assert_int_equal(stream_flush(s), STREAM_OK);
		hear_all(firsts[i / 3].len);
		assert_int_equal(ws_facts(s)->status, 101);
		peer_end(&p, s);
	}
}

/* A caller that wants to hear first gets its request sent without early data. */
static void
test_early_silent(void **state)
{
	struct stream *s = start(10, "X-Early", HTTP_EARLY_PART);
	struct window w;

	(void)state;
	assert_int_equal(stream_open(s), STREAM_OK);
	assert_int_equal(stream_flush(s), STREAM_OK);
	assert_int_equal(m.out_len, 0);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_AGAIN);
	peer_greet(&p);
	assert_true(p.asked);
	assert_null(strstr(p.request, "X-Early"));
	peer_frame(&p, 0x82, "hello", 5, 0);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_OK);
	assert_int_equal(give(s, 20), 20);
	assert_int_equal(stream_flush(s), STREAM_OK);
	hear_all(20);
	peer_end(&p, s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_unrequested),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_early_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
