/* SPDX-License-Identifier: MIT */
#include "unit/stream/check.h"

#include "stream/httphead.h"
#include "unit/stream_ws/peer.h"

#include <errno.h>
#include <string.h>

static struct peer p;
static struct memory m;
static struct stream *s;

static void
start(bool windows)
{
	peer_init(&p, PEER_HTTPHEAD);
	m.windows = windows;
	memory_init(&m);
	s = peer_layer(&p, &m);
	assert_int_equal(stream_open(s), STREAM_OK);
}

static void
finish(void)
{
	peer_end(&p, s);
}

static void
feed(const char *text)
{
	memory_feed(&m, (const uint8_t *)text, strlen(text));
}

/* The request and the first bytes leave in one write, and no request ever again. */
static void
test_one_write(void **state)
{
	struct window w = { (uint8_t *)"first", 5 };
	const char *end;
	size_t n;

	(void)state;
	start(false);
	assert_int_equal(stream_flush(s), STREAM_OK);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_AGAIN);
	assert_int_equal(m.out_len, 0);
	w = (struct window){ (uint8_t *)"first", 5 };
	assert_int_equal(stream_writev(s, &w, 1, &n), STREAM_OK);
	assert_int_equal(n, 5);
	assert_memory_equal(m.out, "GET / HTTP/1.1\r\nHost: www.b", 27);
	assert_memory_equal(m.out + m.out_len - 9, "\r\n\r\nfirst", 9);
	assert_int_equal(stream_writev(s, &w, 1, &n), STREAM_OK);
	memory_feed(&m, (const uint8_t *)"", 0);
	m.out[m.out_len - 1] = '\0';
	end = strstr((char *)m.out, "\r\n\r\n");
	assert_string_equal(end, "\r\n\r\nfirstfirs");
	finish();
}

/* One byte at a time, by windows and by writev; then a shut with nothing sent at all. */
static void
test_grains(void **state)
{
	struct window w;
	size_t n = 0, at = 0;
	int how, i;

	(void)state;
	for (how = 0; how < 4; how++) {
		start(how & 1);
		m.grain = 1;
		for (i = 0; i < 5; i++) {
			w = (struct window){ (uint8_t *)"abcde" + i, 1 };
			if (how & 2) {
				assert_int_equal(stream_writev(s, &w, 1, &n), STREAM_OK);
				assert_int_equal(n, 1);
				continue;
			}
			assert_int_equal(stream_send_buf(s, &w), STREAM_OK);
			*w.p = (uint8_t) "abcde"[i];
			assert_int_equal(stream_send_ack(s, 1), STREAM_OK);
		}
		at = 0;
		assert_int_equal(p.a.hear(&p.a, m.out, m.out_len, &at), 0);
		assert_int_equal(p.a.heard_len, 5);
		assert_memory_equal(p.a.heard, "abcde", 5);
		finish();
	}
	start(false);
	assert_int_equal(stream_shut(s), STREAM_OK);
	assert_true(m.shut && m.out_len > 0);
	finish();
}

/* Whatever stands in the head, what is behind it comes; by windows and by read. */
static void
test_answers(void **state)
{
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
		"HTTP/2.0 299\r\n\r\n",
	};
	uint8_t got[100];
	struct window w;
	size_t i, n, at;

	(void)state;
	for (i = 0; i < 6; i++) {
		start(i & 1);
		feed(heads[i / 2]);
		feed("payload");
		m.in_ends = true;
		if (i & 1) {
			assert_int_equal(stream_recv_buf(s, &w), STREAM_OK);
			assert_int_equal(w.len, 7);
			assert_memory_equal(w.p, "payload", 7);
			stream_recv_ack(s, 7);
		} else {
			for (at = 0; at < 7; at += n)
				assert_int_equal(
					stream_read(s, got + at, 4, &n), STREAM_OK);
			assert_memory_equal(got, "payload", 7);
		}
		assert_int_equal(stream_read(s, got, 1, &n), STREAM_END);
		assert_int_equal(stream_recv_buf(s, &w), STREAM_END);
		assert_int_equal(httphead_date(s), i / 2 == 1 ? 784111777 : 0);
		finish();
	}
}

/* As in test_httpupgrade: what was read ahead comes first. */
static void
test_leftover(void **state)
{
	uint8_t got[100];
	size_t n;

	(void)state;
	start(false);
	peer_read_ahead(&m);
	feed("HTTP/1.1 200 OK\r\n\r\nleft");
	assert_int_equal(stream_read(s, got, 3, &n), STREAM_OK);
	assert_memory_equal(got, "lef", n);
	feed("later");
	assert_int_equal(stream_read(s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 1);
	assert_int_equal(got[0], 't');
	assert_int_equal(stream_read(s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 5);
	assert_memory_equal(got, "later", 5);
	finish();
}

static void
test_bad_answers(void **state)
{
	static char endless[HTTPHEAD_ANSWER_MAX + 20];
	static const struct {
		const char *label, *head;
		int want;
		const char *says;
	} cases[] = {
		{ "refused", "HTTP/1.1 404 Not Found\r\n\r\n", -ECONNRESET,
			"may be wrong" },
		{ "cut", "HTTP/1.1 200 OK\r\n", -EPROTO, "middle of its answer" },
		{ "nothing", "", -EPROTO, "instead of answering" },
		{ "not HTTP", "SSH-2.0-x\r\n", -EPROTO, "something else listens" },
		{ "endless", endless, -EPROTO, "more than 8192 bytes" },
	};
	struct window w;
	size_t i, n;

	(void)state;
	memset(endless, 'x', sizeof(endless) - 1);
	memcpy(endless, "HTTP/1.1 200 OK\r\nX: ", 20);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(false);
		feed(cases[i].head);
		m.in_ends = true;
		assert_int_equal(stream_recv_buf(s, &w), cases[i].want);
		if (!strstr(stream_reason(s), cases[i].says))
			fail_msg("%s: says \"%s\"", cases[i].label, stream_reason(s));
		assert_int_equal(stream_recv_buf(s, &w), cases[i].want);
		assert_int_equal(stream_read(s, w.p, 1, &n), cases[i].want);
		assert_int_equal(stream_send_buf(s, &w), cases[i].want);
		assert_int_equal(stream_writev(s, &w, 1, &n), cases[i].want);
		assert_int_equal(stream_open(s), cases[i].want);
		finish();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_write),
		cmocka_unit_test(test_grains),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_bad_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
