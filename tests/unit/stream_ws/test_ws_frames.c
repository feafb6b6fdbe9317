/* SPDX-License-Identifier: MIT */
/* What a WebSocket does once it is open: frames each way, pings, ends, hostile servers. */
#include "unit/stream/check.h"

#include "stream/ws.h"
#include "stream/ws_frame.h"
#include "unit/stream_ws/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct peer p;
static struct memory m;
static struct stream *s;
static size_t heard_at; /* how far the peer has read what the layer wrote */

static void
start(void)
{
	peer_init(&p, PEER_WS);
	memory_init(&m);
	s = peer_layer(&p, &m);
	assert_int_equal(peer_open(&p, s), STREAM_OK);
	heard_at = 0;
}

static void
finish(void)
{
	peer_end(&p, s);
}

static void
give(const char *text)
{
	struct window w;

	assert_int_equal(stream_send_buf(s, &w), STREAM_OK);
	assert_true(w.len >= strlen(text));
	memcpy(w.p, text, strlen(text));
	assert_int_equal(stream_send_ack(s, strlen(text)), STREAM_OK);
}

static void
hear(void)
{
	assert_int_equal(p.a.hear(&p.a, m.out, m.out_len, &heard_at), 0);
}

static void
want(const char *text)
{
	struct window w;

	assert_int_equal(stream_recv_buf(s, &w), STREAM_OK);
	assert_int_equal(w.len, strlen(text));
	assert_memory_equal(w.p, text, w.len);
	stream_recv_ack(s, w.len);
}

static int
receive(void)
{
	struct window w;

	return stream_recv_buf(s, &w);
}

/* Final: an error stays, and has its sentence. */
static void
want_error(int error, const char *says)
{
	struct window w;
	int r;

	while ((r = stream_recv_buf(s, &w)) == STREAM_OK)
		stream_recv_ack(s, w.len);
	assert_int_equal(r, error);
	if (!strstr(stream_reason(s), says))
		fail_msg("says \"%s\"", stream_reason(s));
	assert_int_equal(stream_recv_buf(s, &w), error);
	assert_int_equal(stream_send_buf(s, &w), error);
	assert_int_equal(stream_flush(s), error);
	assert_int_equal(stream_shut(s), error);
	stream_park(s);
	assert_true(*stream_reason(s));
}

static void
test_mask(void **state)
{
	static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t bytes[40], text[40];
	size_t len, off, i;

	(void)state;
	for (off = 0; off < 8; off++)
		for (len = 0; len + off <= sizeof(bytes); len++) {
			for (i = 0; i < sizeof(bytes); i++)
				bytes[i] = text[i] = (uint8_t)(i * 7);
			ws_mask(bytes + off, len, key);
			for (i = 0; i < sizeof(bytes); i++)
				assert_int_equal(bytes[i],
					i >= off && i < off + len
						? text[i] ^ key[(i - off) % 4]
						: text[i]);
		}
}

static void
test_seal(void **state)
{
	static const struct {
		size_t len, whole;
		uint8_t second;
	} cases[] = {
		{ 0, 6, 0x80 },
		{ 1, 7, 0x81 },
		{ 125, 131, 0xfd },
		{ 126, 134, 0xfe },
		{ 65535, 65543, 0xfe },
	};
	static const uint8_t key[4] = { 1, 2, 3, 4 };
	static uint8_t mem[WS_ROOM + WS_PAYLOAD_MAX];
	size_t i, k, header;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(mem, 0x55, sizeof(mem));
		assert_int_equal(
			ws_frame_seal(mem, cases[i].len, WS_BINARY, key), cases[i].whole);
		header = cases[i].whole - cases[i].len;
		assert_int_equal(mem[0], 0x82);
		assert_int_equal(mem[1], cases[i].second);
		if (header == 8)
			assert_int_equal(mem[2] << 8 | mem[3], cases[i].len);
		assert_memory_equal(mem + header - 4, key, 4);
		for (k = 0; k < cases[i].len; k++)
			assert_int_equal(mem[header + k], 0x55 ^ key[k % 4]);
	}
}

/* What is given before a flush is one frame; a flush with nothing is none. */
static void
test_appends(void **state)
{
	(void)state;
	start();
	give("one ");
	give("two ");
	give("three");
	heard_at = p.request_len;
	assert_int_equal(m.out_len, heard_at);
	assert_int_equal(stream_flush(s), STREAM_OK);
	hear();
	assert_int_equal(p.frames, 1);
	assert_int_equal(p.a.heard_len, 13);
	assert_memory_equal(p.a.heard, "one two three", 13);
	assert_int_equal(stream_flush(s), STREAM_OK);
	give("");
	assert_int_equal(stream_flush(s), STREAM_OK);
	hear();
	assert_int_equal(p.frames, 1);
	/* Reading and parking end a frame, since the lower stream's window ends with them. */
	give("four");
	assert_int_equal(receive(), STREAM_AGAIN);
	give("five");
	stream_park(s);
	give("six");
	assert_int_equal(stream_flush(s), STREAM_OK);
	hear();
	assert_int_equal(p.frames, 4);
	assert_memory_equal(p.a.heard + 13, "fourfivesix", 11);
	finish();
}

/* Windows that hold no frame: it is made elsewhere and goes in pieces. */
static void
test_small_windows(void **state)
{
	struct window w;
	size_t n;

	(void)state;
	start();
	for (m.grain = 1; m.grain < 140; m.grain++) {
		n = p.a.heard_len;
		assert_int_equal(stream_send_buf(s, &w), STREAM_OK);
		assert_int_equal(
			w.len, m.grain > WS_ROOM + 125 ? m.grain - WS_ROOM : 125);
		if (m.grain <= WS_ROOM + 125) /* More than the lower window holds. */
			assert_true(
				w.p + w.len <= m.room || w.p >= m.room + sizeof(m.room));
		memset(w.p, 'x', w.len);
		assert_int_equal(stream_send_ack(s, w.len), STREAM_OK);
		assert_int_equal(stream_flush(s), STREAM_OK);
		hear();
		assert_int_equal(p.a.heard_len - n, w.len);
	}
	finish();
}

static void
test_long_way(void **state)
{
	(void)state;
	start();
	m.full = true;
	give("held");
	m.grain = 3; /* Now windows are too small, and nothing is taken either. */
	assert_int_equal(stream_flush(s), STREAM_OK);
	give("small");
	assert_int_equal(stream_flush(s), STREAM_AGAIN);
	assert_int_equal(stream_send_buf(s, &(struct window){ 0 }), STREAM_AGAIN);
	assert_int_equal(receive(), STREAM_AGAIN);
	m.full = false;
	assert_int_equal(stream_flush(s), STREAM_OK);
	hear();
	assert_memory_equal(p.a.heard, "heldsmall", 9);
	finish();
}

static void
test_kinds(void **state)
{
	(void)state;
	start();
	peer_frame(&p, 0x82, "a", 1, 0);
	peer_frame(&p, 0x81, "bb", 2, 2);
	peer_frame(&p, 0x02, "ccc", 3, 8);
	peer_frame(&p, 0x00, "", 0, 0);
	peer_frame(&p, 0x8a, "unasked", 7, 0);
	peer_frame(&p, 0x80, "dddd", 4, 0);
	peer_frame(&p, 0x82, "", 0, 0);
	want("a");
	want("bb");
	want("ccc");
	want("dddd");
	assert_int_equal(receive(), STREAM_AGAIN);
	hear();
	assert_int_equal(p.frames, 0);
	finish();
}

static void
test_ping(void **state)
{
	uint8_t long_one[125];

	(void)state;
	start();
	memset(long_one, 'l', sizeof(long_one));
	peer_frame(&p, 0x89, "", 0, 0);
	assert_int_equal(receive(), STREAM_AGAIN);
	hear();
	assert_int_equal(p.pongs, 1);
	assert_int_equal(p.pong_len, 0);
	peer_frame(&p, 0x89, long_one, sizeof(long_one), 0);
	assert_int_equal(receive(), STREAM_AGAIN);
	hear();
	assert_int_equal(p.pongs, 2);
	assert_int_equal(p.pong_len, 125);
	assert_memory_equal(p.pong, long_one, 125);
	/* Between data; a frame of ours that is open goes first. */
	give("mine");
	peer_frame(&p, 0x82, "yours", 5, 0);
	peer_frame(&p, 0x89, "now", 3, 0);
	want("yours");
	assert_int_equal(receive(), STREAM_AGAIN);
	hear();
	assert_int_equal(p.frames, 4);
	assert_int_equal(p.pongs, 3);
	assert_memory_equal(p.a.heard, "mine", 4);
	finish();
}

/* One answer waits, and it is the newest one's; a pong of theirs does not spoil it. */
static void
test_ping_newest(void **state)
{
	(void)state;
	start();
	m.full = true;
	peer_frame(&p, 0x89, "first", 5, 0);
	assert_int_equal(receive(), STREAM_AGAIN); /* This one is on its way. */
	peer_frame(&p, 0x89, "second", 6, 0);
	peer_frame(&p, 0x89, "third", 5, 0);
	assert_int_equal(receive(), STREAM_AGAIN);
	peer_frame(&p, 0x89, "fourth", 6, 0);
	peer_frame(&p, 0x8a, "theirs, longer", 14, 0);
	assert_int_equal(receive(), STREAM_AGAIN);
	assert_int_equal(m.out_len, p.request_len);
	m.full = false;
	assert_int_equal(receive(), STREAM_AGAIN);
	hear();
	assert_int_equal(p.pongs, 2);
	assert_int_equal(p.pong_len, 6);
	assert_memory_equal(p.pong, "fourth", 6);
	finish();
}

static void
test_floods(void **state)
{
	static const struct {
		const char *label;
		unsigned first;
		size_t times;
	} cases[] = {
		{ "pings", 0x89, WS_FLOOD },
		{ "pongs", 0x8a, WS_FLOOD },
		{ "empty messages", 0x82, WS_FLOOD },
	};
	size_t i, k, more, before;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (more = 0; more < 2; more++) {
			start();
			before = m.out_len;
			for (k = 0; k < cases[i].times + more; k++)
				peer_frame(&p, cases[i].first, "", 0, 0);
			if (more)
				want_error(-EPROTO, "floods");
			else
				assert_int_equal(receive(), STREAM_AGAIN);
			/* However many there are, one answer. */
			assert_true(m.out_len <= before + 6);
			finish();
		}
	/* The same number with pauses, or with data between, is no flood. */
	start();
	for (k = 0; k < 3 * WS_FLOOD; k++) {
		peer_frame(&p, 0x89, "", 0, 0);
		if (k % 1000 == 0)
			assert_int_equal(receive(), STREAM_AGAIN);
	}
	assert_int_equal(receive(), STREAM_AGAIN);
	finish();
}

static void
test_pings_and_data(void **state)
{
	static const char data[200];
	struct window w;
	size_t k;

	(void)state;
	start();
	for (k = 0; k < 3 * WS_FLOOD; k++) {
		peer_frame(&p, 0x89, "", 0, 0);
		if (k % 1000 == 0)
			peer_frame(&p, 0x82, data, sizeof(data), 0);
	}
	for (k = 0; stream_recv_buf(s, &w) == STREAM_OK; k += w.len)
		stream_recv_ack(s, w.len);
	assert_int_equal(k, 4 * sizeof(data));
	assert_int_equal(receive(), STREAM_AGAIN);
	finish();
}

static const struct {
	const char *label;
	unsigned first;
	size_t len;
	int form;
	const char *says;
} hostile[] = {
	{ "reserved bit 1", 0xc2, 1, 0, "reserved bits" },
	{ "reserved bit 2", 0xa2, 1, 0, "reserved bits" },
	{ "reserved bit 3", 0x92, 1, 0, "reserved bits" },
	{ "data opcode", 0x83, 1, 0, "unknown kind" },
	{ "control opcode", 0x8b, 0, 0, "unknown kind" },
	{ "long ping", 0x89, 126, 2, "more than 125" },
	{ "long pong", 0x8a, 65536, 8, "more than 125" },
	{ "long close", 0x88, 126, 2, "more than 125" },
	{ "ping in parts", 0x09, 1, 0, "fragments a WebSocket control frame" },
	{ "close in parts", 0x08, 0, 0, "fragments a WebSocket control frame" },
	{ "more of nothing", 0x80, 1, 0, "continues no" },
	{ "more of nothing, not final", 0x00, 1, 0, "continues no" },
	{ "close of one byte", 0x88, 1, 0, "Close of one byte" },
};

static void
test_hostile(void **state)
{
	static uint8_t bytes[70000];
	size_t i, grain;

	(void)state;
	for (i = 0; i < sizeof(hostile) / sizeof(*hostile); i++)
		for (grain = 0; grain < 2; grain++) {
			start();
			m.grain = grain;
			peer_frame(&p, 0x82, "good", 4, 0);
			peer_frame(&p, hostile[i].first, bytes, hostile[i].len,
				hostile[i].form);
			want_error(-EPROTO, hostile[i].says);
			finish();
		}
}

static void
test_hostile_lengths(void **state)
{
	static const uint8_t masked[] = { 0x82, 0x81, 1, 2, 3, 4, 'x' };
	struct window w;

	(void)state;
	start();
	memory_feed(&m, masked, sizeof(masked));
	want_error(-EPROTO, "masks its WebSocket frames");
	finish();
	start();
	memory_feed(&m, (const uint8_t *)"\x82\x7f\x80\0\0\0\0\0\0\0", 10);
	want_error(-EPROTO, "2^63");
	finish();
	/* One less is a promise that costs nothing. */
	start();
	memory_feed(&m, (const uint8_t *)"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
	assert_int_equal(receive(), STREAM_AGAIN);
	memory_feed(&m, (const uint8_t *)"abc", 3);
	want("abc");
	m.in_ends = true;
	want_error(-EPROTO, "inside a WebSocket message");
	assert_int_equal(stream_recv_buf(s, &w), -EPROTO);
	finish();
	start();
	peer_frame(&p, 0x02, "a", 1, 0);
	peer_frame(&p, 0x82, "b", 1, 0);
	want_error(-EPROTO, "inside another");
	finish();
}

/* Fragments for ever are a stream like any other: no memory, no end. */
static void
test_fragments(void **state)
{
	size_t i;

	(void)state;
	start();
	for (i = 0; i < 5000; i++) {
		peer_frame(&p, i ? 0x00 : 0x02, "x", 1, 0);
		want("x");
	}
	m.in_ends = true;
	want_error(-EPROTO, "inside a WebSocket message");
	finish();
}

static const struct {
	const char *label, *payload;
	size_t len;
	int want;
	const char *says;
} closes[] = {
	{ "normal", "\x03\xe8", 2, STREAM_END, NULL },
	{ "normal with words", "\x03\xe8good bye", 10, STREAM_END, NULL },
	{ "going away", "\x03\xe9", 2, STREAM_END, NULL },
	{ "no code", "", 0, STREAM_END, NULL },
	{ "protocol error", "\x03\xea", 2, -ECONNRESET, "with code 1002" },
	{ "its own", "\x03\xf3gone \x1b[2J", 11, -ECONNRESET, "code 1011: gone ?[2J" },
};

/* Answered once, whatever follows; and nothing can be sent behind it. */
static void
test_close(void **state)
{
	struct window w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(closes) / sizeof(*closes); i++) {
		start();
		peer_frame(&p, 0x82, "last", 4, 0);
		peer_frame(&p, 0x88, closes[i].payload, closes[i].len, 0);
		peer_frame(&p, 0x82, "late", 4, 0);
		peer_frame(&p, 0x88, "", 0, 0);
		give("mine");
		want("last");
		if (closes[i].says) {
			want_error(closes[i].want, closes[i].says);
			finish();
			continue;
		}
		assert_int_equal(receive(), STREAM_END);
		assert_int_equal(receive(), STREAM_END);
		assert_int_equal(stream_send_buf(s, &w), -EPIPE);
		hear();
		assert_int_equal(p.closes, 1);
		assert_int_equal(stream_shut(s), STREAM_OK);
		assert_int_equal(receive(), STREAM_END);
		assert_int_equal(stream_flush(s), STREAM_OK);
		hear();
		assert_int_equal(p.closes, 1);
		assert_int_equal(p.close_code, 1000);
		assert_int_equal(p.frames, 2);
		assert_false(m.shut);
		finish();
		assert_true(m.shut); /* No reset. */
	}
}

static void
test_shut(void **state)
{
	struct window w;

	(void)state;
	start();
	give("last");
	m.grain = 2;
	m.full = true;
	assert_int_equal(stream_shut(s), STREAM_AGAIN);
	assert_int_equal(stream_send_buf(s, &w), -EPIPE);
	m.full = false;
	assert_int_equal(stream_shut(s), STREAM_OK);
	assert_int_equal(stream_shut(s), STREAM_OK);
	hear();
	assert_int_equal(p.closes, 1);
	assert_int_equal(p.close_code, 1000);
	assert_memory_equal(p.a.heard, "last", 4);
	/* What was on its way still comes, and pings are no longer answered. */
	m.grain = 0;
	peer_frame(&p, 0x89, "there?", 6, 0);
	peer_frame(&p, 0x82, "late", 4, 0);
	want("late");
	peer_frame(&p, 0x88, "\x03\xe8", 2, 0);
	assert_int_equal(receive(), STREAM_END);
	hear();
	assert_int_equal(p.frames, 2);
	finish();
}

/* An end without a Close, where a message could begin, is one in order. */
static void
test_end(void **state)
{
	(void)state;
	start();
	peer_frame(&p, 0x82, "last", 4, 0);
	m.in_ends = true;
	want("last");
	assert_int_equal(receive(), STREAM_END);
	assert_int_equal(receive(), STREAM_END);
	give("mine");
	assert_int_equal(stream_flush(s), STREAM_OK);
	finish();
	assert_false(m.shut);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_small_windows),
		cmocka_unit_test(test_long_way),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_ping_newest),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_pings_and_data),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_hostile_lengths),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_shut),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
