/* SPDX-License-Identifier: MIT */
#include "unit/stream/check.h"

#include "stream/httpupgrade.h"
#include "unit/stream_ws/peer.h"

#include <errno.h>
#include <string.h>

static struct peer p;
static struct memory m;
static struct stream *s;

static void
start(size_t early_max, bool windows)
{
	peer_init(&p, PEER_HTTPUPGRADE);
	p.q.early_max = early_max;
	p.q.early_name = early_max ? "X-Early" : "";
	m.windows = windows;
	memory_init(&m);
	s = peer_layer(&p, &m);
}

static void
finish(void)
{
	peer_end(&p, s);
}

static void
test_request(void **state)
{
	struct window w;

	(void)state;
	start(0, false);
	assert_int_equal(stream_open(s), STREAM_AGAIN);
	/* Not a byte before the answer: servers lose it (vmess.md 13.4). */
	assert_int_equal(stream_send_buf(s, &w), STREAM_AGAIN);
	assert_int_equal(
		stream_writev(s, &(struct window){ (uint8_t *)"x", 1 }, 1, &w.len),
		STREAM_AGAIN);
	assert_int_equal(stream_shut(s), STREAM_AGAIN);
	peer_greet(&p);
	assert_null(strstr(p.request, "Sec-WebSocket"));
	assert_non_null(strstr(p.request, "\r\nConnection: Upgrade\r\n"));
	assert_non_null(strstr(p.request, "\r\nUpgrade: websocket\r\n"));
	assert_int_equal(stream_open(s), STREAM_OK);
	assert_int_equal(httpupgrade_facts(s)->status, 101);
	assert_int_equal(httpupgrade_date(s), 1700000007);
	finish();
}

/* Bytes behind the head, in the same segment, come first: by windows or by read. */
static void
test_behind(void **state)
{
	char got[64] = "";
	uint8_t one[5];
	struct window w;
	size_t at, n;
	int how;

	(void)state;
	for (how = 0; how < 8; how++) {
		start(0, how & 4);
		assert_int_equal(stream_open(s), STREAM_AGAIN);
		peer_greet(&p);
		memory_feed(&m, (const uint8_t *)"bytes behind the head", 21);
		assert_int_equal(stream_open(s), STREAM_OK);
		if (how & 1)
			memory_feed(&m, (const uint8_t *)", and more", 10);
		m.in_ends = true;
		for (at = 0; at < 40; at += n) {
			if (how & 2 || at > 10) {
				if (stream_read(s, one, sizeof(one), &n) != STREAM_OK)
					break;
				memcpy(got + at, one, n);
				continue;
			}
			assert_int_equal(stream_recv_buf(s, &w), STREAM_OK);
			n = 3;
			memcpy(got + at, w.p, n);
			stream_recv_ack(s, n);
		}
		got[at] = '\0';
		assert_string_equal(got,
			how & 1 ? "bytes behind the head, and more"
				: "bytes behind the head");
		assert_int_equal(stream_recv_buf(s, &w), STREAM_END);
		finish();
	}
}

/* A socket has read more than the head into its own memory; read passes that by only
 * when it is empty. */
static void
test_leftover(void **state)
{
	uint8_t got[100];
	size_t n;

	(void)state;
	start(0, false);
	peer_read_ahead(&m);
	assert_int_equal(stream_open(s), STREAM_AGAIN);
	peer_greet(&p);
	memory_feed(&m, (const uint8_t *)"left", 4);
	assert_int_equal(stream_open(s), STREAM_OK);
	memory_feed(&m, (const uint8_t *)"later", 5);
	assert_int_equal(stream_read(s, got, 3, &n), STREAM_OK);
	assert_memory_equal(got, "lef", n);
	assert_int_equal(stream_read(s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 1);
	assert_int_equal(got[0], 't');
	assert_int_equal(stream_read(s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 5);
	assert_memory_equal(got, "later", 5);
	finish();
}

static void
test_early(void **state)
{
	static const size_t lengths[] = { 1, 9, 10, 11, 500 };
	uint8_t text[500];
	struct window w = { text, 0 };
	size_t i, at, n, taken;
	int r;

	(void)state;
	memset(text, 'e', sizeof(text));
	for (i = 0; i < 5; i++) {
		start(10, i % 2);
		assert_int_equal(stream_open(s), STREAM_OK);
		for (taken = 0; taken < lengths[i]; taken += n) {
			w = (struct window){ text + taken, lengths[i] - taken };
			r = stream_writev(s, &w, 1, &n);
			if (r == STREAM_AGAIN) {
				n = 0;
				peer_greet(&p);
				continue;
			}
			assert_int_equal(r, STREAM_OK);
		}
		r = stream_flush(s);
		peer_greet(&p);
		assert_int_equal(r, STREAM_OK);
		assert_int_equal(p.early_len, lengths[i] < 10 ? lengths[i] : 10);
		at = 0;
		assert_int_equal(p.a.hear(&p.a, m.out, m.out_len, &at), 0);
		assert_int_equal(p.a.heard_len, lengths[i]);
		finish();
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *label, *answer, *says;
	} cases[] = {
		{ "nothing", "", "instead of answering" },
		{ "cut", "HTTP/1.1 101", "middle of its answer" },
		{ "404", "HTTP/1.1 404 Not Found\r\n\r\n", "404: the path" },
		{ "no upgrade", "HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n",
			"\"Upgrade: websocket\"" },
	};
	struct window w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(0, false);
		p.answer = cases[i].answer;
		assert_int_equal(stream_open(s), STREAM_AGAIN);
		peer_greet(&p);
		m.in_ends = true;
		assert_int_equal(stream_open(s), -EPROTO);
		if (!strstr(stream_reason(s), cases[i].says))
			fail_msg("%s: says \"%s\"", cases[i].label, stream_reason(s));
		assert_int_equal(stream_recv_buf(s, &w), -EPROTO);
		assert_int_equal(stream_send_buf(s, &w), -EPROTO);
		assert_int_equal(stream_shut(s), -EPROTO);
		finish();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
