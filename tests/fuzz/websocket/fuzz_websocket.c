/* SPDX-License-Identifier: MIT */
/*
 * What a WebSocket server may send behind its 101.  The first byte says how the bytes
 * come and what the client does meanwhile; the rest are frames.  A second reader, made
 * without regard to memory or pieces, says which payload must come out.
 */
#include "base/base64.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/random.h"
#include "fuzz/fuzz.h"
#include "stream/ws.h"
#include "unit/stream/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t
fixed_time(void)
{
	return 1700000000;
}

/* The 101 that fits to the request in m->out. */
static void
answer(struct memory *m)
{
	static const char field[] = "Sec-WebSocket-Key: ";
	char text[1024], both[24 + 37], accept[32], head[256];
	uint8_t hash[SHA1_LEN];
	const char *key;
	int n;

	must(m->out_len < sizeof(text));
	memcpy(text, m->out, m->out_len);
	text[m->out_len] = '\0';
	key = strstr(text, field);
	must(key != NULL);
	memcpy(both, key + strlen(field), 24);
	memcpy(both + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
	sha1(both, 24 + 36, hash);
	base64_encode(accept, sizeof(accept), hash, sizeof(hash), 0);
	n = snprintf(head, sizeof(head),
		"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\n\r\n",
		accept);
	memory_feed(m, (const uint8_t *)head, (size_t)n);
}

/* The payload of the frames, as far as they are good. Answers its length. */
static size_t
payload(const uint8_t *p, size_t len, uint8_t *out)
{
	struct reader r;
	size_t n = 0, k;
	uint64_t size;
	uint8_t a, b;

	reader_init(&r, p, len);
	while (r.len) {
		a = reader_u8(&r);
		b = reader_u8(&r);
		size = b == 126 ? reader_be16(&r) : b == 127 ? reader_be64(&r) : b;
		if (r.bad || (b & 0x80) || (a & 0x70) || size >> 63)
			break;
		if ((a & 15) == 8)
			break;
		k = size < r.len ? (size_t)size : r.len;
		if ((a & 15) <= 2) {
			if (k)
				memcpy(out + n, r.p, k);
			n += k;
		}
		reader_skip(&r, k);
	}
	return n;
}

/* Every frame that the client sent is whole, masked and of a kind that it may send. */
static void
judge_sent(const struct memory *m, size_t from)
{
	struct reader r;
	size_t len;
	uint8_t a;

	reader_init(&r, m->out + from, m->out_len - from);
	while (r.len) {
		a = reader_u8(&r);
		len = reader_u8(&r);
		must(a == 0x82 || a == 0x88 || a == 0x8a);
		must(len & 0x80);
		len &= 0x7f;
		if (len == 126)
			len = reader_be16(&r);
		reader_skip(&r, 4 + len);
		must(!r.bad);
	}
}

/* Sends a little between two reads. */
static void
say(struct stream *s)
{
	struct window w;

	if (stream_send_buf(s, &w) != STREAM_OK)
		return;
	must(w.len > 0);
	w.p[0] = 'x';
	must(stream_send_ack(s, 1) == STREAM_OK);
}

static void
drain(struct stream *s, struct memory *m, unsigned how, const uint8_t *want,
	size_t wanted)
{
	struct window w;
	size_t got = 0, n;
	int i, r = STREAM_AGAIN;

	for (i = 0; i < 1000000 && (r == STREAM_OK || r == STREAM_AGAIN); i++) {
		if (how & 1)
			say(s);
		if (how & 2)
			stream_park(s);
		if (how & 4)
			m->full = i % 3;
		r = stream_recv_buf(s, &w);
		if (r != STREAM_OK)
			continue;
		must(w.len > 0 && got + w.len <= wanted);
		n = how & 8 ? (w.len + 1) / 2 : w.len;
		must(memcmp(w.p, want + got, n) == 0);
		stream_recv_ack(s, n);
		got += n;
	}
	must(r == STREAM_END || r < 0);
	must(stream_recv_buf(s, &w) == r);
	must(r == STREAM_END || *stream_reason(s));
	must(r == STREAM_END || stream_flush(s) == r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct http_request q = { .host = "a.example", .path = "/", .early_name = "" };
	struct memory m = { 0 };
	struct rng rng = { 0 };
	struct stream *s;
	uint8_t *want;
	size_t from, wanted;
	unsigned how;

	if (len < 2 || len > 1 << 20)
		return 0;
	how = p[0];
	m.windows = how & 16;
	memory_init(&m);
	s = ws_new(&q, &m.s, &rng, fixed_time);
	want = malloc(len);
	must(s && want && stream_open(s) == STREAM_AGAIN);
	from = m.out_len;
	answer(&m);
	must(stream_open(s) == STREAM_OK);
	m.grain = how >> 5;
	m.stutters = how & 32;
	memory_feed(&m, p + 1, len - 1);
	m.in_ends = true;
	wanted = payload(p + 1, len - 1, want);
	drain(s, &m, how, want, wanted);
	m.full = false;
	stream_shut(s);
	if (stream_shut(s) == STREAM_OK)
		judge_sent(&m, from);
	stream_free(s);
	must(m.freed);
	memory_fini(&m);
	free(want);
	return 0;
}
