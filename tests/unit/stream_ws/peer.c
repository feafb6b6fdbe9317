/* SPDX-License-Identifier: MIT */
#include "unit/stream_ws/peer.h"

#include "unit/stream/check.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/list.h"
#include "stream/httphead.h"
#include "stream/httpupgrade.h"
#include "stream/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct peer *
peer_of(struct anylayer *a)
{
	return container_of(a, struct peer, a);
}

int64_t
peer_clock(void)
{
	return PEER_CLOCK;
}

static void
feed(struct peer *p, const char *s)
{
	memory_feed(p->m, (const uint8_t *)s, strlen(s));
}

/* The value of a field of the request; "" when there is none. */
static void
request_field(const struct peer *p, const char *name, char *out, size_t cap)
{
	const char *line = p->request;
	size_t n = strlen(name);

	*out = '\0';
	while ((line = strstr(line, "\r\n")) && line[2] != '\r') {
		line += 2;
		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			snprintf(out, cap, "%.*s", (int)strcspn(line + n + 2, "\r"),
				line + n + 2);
	}
}

/* Base64 of the URL alphabet; padded or not, as the kind wants it. */
static void
early_decode(struct peer *p, const char *s)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t i, n = strcspn(s, "=");
	const char *letter;
	unsigned bits = 0;

	assert_int_equal(strlen(s), p->kind == PEER_WS ? n : (n + 3) / 4 * 4);
	for (i = 0; i < n; i++) {
		letter = strchr(letters, s[i]);
		assert_non_null(letter);
		bits = bits << 6 | (unsigned)(letter - letters);
		if (i % 4)
			p->early[p->early_len++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
}

static void
early_read(struct peer *p)
{
	static char text[HTTP_EARLY_MAX * 2];
	const char *path = p->request + strlen("GET ");

	if (*p->q.early_name)
		request_field(p, p->q.early_name, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%.*s",
			(int)(strcspn(path, " ") - strlen(p->q.path)),
			path + strlen(p->q.path));
	early_decode(p, text);
}

static void
answer(struct peer *p)
{
	char key[128], text[64];
	uint8_t hash[SHA1_LEN];

	feed(p,
		"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
		"Date: Tue, 14 Nov 2023 22:13:27 GMT\r\nConnection: upgrade\r\n");
	request_field(p, "Sec-WebSocket-Key", key, sizeof(key));
	if (p->kind == PEER_WS) {
		assert_int_equal(strlen(key), 24);
		memcpy(key + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
		sha1(key, 24 + 36, hash);
		base64_encode(text, sizeof(text), hash, sizeof(hash), 0);
		feed(p, "Sec-WebSocket-Accept: ");
		feed(p, text);
		feed(p, "\r\n");
		request_field(p, "Sec-WebSocket-Protocol", text, sizeof(text));
		if (*text)
			feed(p, "Sec-WebSocket-Protocol: echoed\r\n");
	} else {
		assert_int_equal(*key, 0);
	}
	feed(p, "\r\n");
}

void
peer_greet(struct peer *p)
{
	size_t n = p->m->out_len;
	const char *end;

	if (!p->asked && n) {
		n = n < sizeof(p->request) ? n : sizeof(p->request) - 1;
		memcpy(p->request, p->m->out, n);
		p->request[n] = '\0';
		end = strstr(p->request, "\r\n\r\n");
		if (!end)
			return;
		p->asked = true;
		p->request_len = (size_t)(end - p->request) + 4;
		p->request[p->request_len] = '\0';
		if (p->q.early_max)
			early_read(p);
		/* Nothing comes before the answer. */
		if (p->kind != PEER_HTTPHEAD)
			assert_int_equal(p->m->out_len, p->request_len);
	}
	if (!p->asked || p->answered || p->mute || p->kind == PEER_HTTPHEAD)
		return;
	p->answered = true;
	if (p->answer)
		feed(p, p->answer);
	else
		answer(p);
}

static void
frame_taken(struct peer *p, unsigned opcode, uint8_t *mem, size_t len)
{
	p->frames++;
	if (opcode == 2) {
		assert_int_equal(p->closes, 0);
		assert_true(len > 0);
		p->longest = len > p->longest ? len : p->longest;
		anylayer_heard(&p->a, mem, len);
	} else if (opcode == 10) {
		assert_true(len <= sizeof(p->pong));
		p->pongs++;
		p->pong_len = len;
		memcpy(p->pong, mem, len);
	} else {
		assert_int_equal(opcode, 8);
		assert_int_equal(len, 2);
		p->close_code = be16_get(mem);
		p->closes++;
		p->a.heard_end = true;
	}
}

/* One frame of the client: masked, final, its length in the shortest form. False: it is
 * not whole. */
static bool
frame_hear(struct peer *p, const uint8_t *wire, size_t len, size_t *at)
{
	static uint8_t mem[65536];
	struct reader r;
	const uint8_t *key, *from;
	size_t n, i;
	unsigned first;

	reader_init(&r, wire + *at, len - *at);
	first = reader_u8(&r);
	n = reader_u8(&r);
	if (r.bad)
		return false;
	assert_int_equal(first & 0xf0, 0x80);
	assert_true(n & 0x80);
	n &= 0x7f;
	assert_true(n < 127);
	if (n == 126) {
		n = reader_be16(&r);
		assert_true(r.bad || n > 125);
	}
	key = reader_bytes(&r, 4);
	from = reader_bytes(&r, n);
	if (r.bad)
		return false;
	for (i = 0; i < n; i++)
		mem[i] = from[i] ^ key[i % 4];
	*at = len - r.len;
	frame_taken(p, first & 15, mem, n);
	return true;
}

static int
hear(struct anylayer *a, const uint8_t *wire, size_t len, size_t *at)
{
	struct peer *p = peer_of(a);
	struct memory *m = p->m;

	if (m->in_at == m->in_len) /* What was read is none of the speech that follows. */
		m->in_at = m->in_len = 0;
	peer_greet(p);
	if (!p->asked)
		return len ? -1 : 0;
	if (*at == 0)
		*at = p->request_len;
	if (!p->early_heard)
		anylayer_heard(a, p->early, p->early_len);
	p->early_heard = true;
	if (p->kind == PEER_WS) {
		while (*at < len && frame_hear(p, wire, len, at))
			;
	} else {
		anylayer_heard(a, wire + *at, len - *at);
		*at = len;
	}
	return *at == len ? 0 : -1;
}

void
peer_frame(struct peer *p, unsigned first, const void *mem, size_t len, int form)
{
	uint8_t header[10];
	struct writer w;

	writer_init(&w, header, sizeof(header));
	if (form == 0)
		form = len < 126 ? 1 : len < 65536 ? 2 : 8;
	writer_u8(&w, (uint8_t)first);
	writer_u8(&w, form == 1 ? (uint8_t)len : form == 2 ? 126 : 127);
	if (form == 2)
		writer_be16(&w, (uint16_t)len);
	if (form == 8)
		writer_be64(&w, len);
	memory_feed(p->m, header, w.len);
	if (mem)
		memory_feed(p->m, mem, len);
}

/* Messages of three frames, of all length forms, with pings and pongs between. */
static void
say_oddly(struct peer *p, const uint8_t *mem, size_t len)
{
	static const unsigned first[] = { 0x01, 0x00, 0x80 };
	static const int form[] = { 0, 8, 0, 2, 0 };
	size_t n, i = 0;

	for (; len; mem += n, len -= n, i++) {
		n = len < p->frame_max ? len : p->frame_max;
		n = i % 7 == 3 && n > 5 ? 5 : n;
		/* The last message ends here, wherever it is. */
		peer_frame(p, first[i % 3] | (n == len ? 0x80 : 0), mem, n, form[i % 5]);
		if (i % 4 == 1)
			peer_frame(p, 0x89, "are you there", 13, 0);
		if (i % 4 == 3)
			peer_frame(p, 0x8a, NULL, 0, 0);
	}
}

static void
say(struct anylayer *a, struct memory *m, const uint8_t *mem, size_t len)
{
	struct peer *p = peer_of(a);
	size_t n;

	if (p->kind == PEER_HTTPHEAD && !p->answered) {
		p->answered = true;
		feed(p,
			p->answer
				? p->answer
				: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	}
	if (p->kind != PEER_WS) {
		memory_feed(m, mem, len);
		return;
	}
	if (p->odd) {
		say_oddly(p, mem, len);
		return;
	}
	for (; len; mem += n, len -= n) {
		n = len < p->frame_max ? len : p->frame_max;
		peer_frame(p, 0x82, mem, n, 0);
	}
}

static void
say_end(struct anylayer *a, struct memory *m)
{
	(void)m;
	if (peer_of(a)->kind == PEER_WS)
		peer_frame(peer_of(a), 0x88, "\x03\xe8", 2, 0);
}

static void
tick(struct anylayer *a)
{
	peer_greet(peer_of(a));
}

static struct stream *
make(struct anylayer *a, struct memory *m)
{
	return peer_layer(peer_of(a), m);
}

static void
unmake(struct anylayer *a)
{
	(void)a;
}

struct stream *
peer_layer(struct peer *p, struct memory *m)
{
	p->m = m;
	p->asked = p->answered = p->early_heard = false;
	p->early_len = p->request_len = 0;
	p->frames = p->pongs = p->closes = p->longest = p->pong_len = 0;
	p->close_code = 0;
	switch (p->kind) {
	case PEER_WS:
		return ws_new(&p->q, &m->s, &p->rng, peer_clock);
	case PEER_HTTPUPGRADE:
		return httpupgrade_new(&p->q, &m->s, peer_clock);
	case PEER_HTTPHEAD:
		return httphead_new(&httphead_default, &m->s, &p->rng, peer_clock);
	}
	return NULL;
}

int
peer_open(struct peer *p, struct stream *s)
{
	int i, r = STREAM_AGAIN;

	for (i = 0; i < 100000 && r == STREAM_AGAIN; i++) {
		r = stream_open(s);
		peer_greet(p);
	}
	return r;
}

void
peer_end(struct peer *p, struct stream *s)
{
	stream_free(s);
	assert_true(p->m->freed);
	memory_fini(p->m);
	rng_fini(&p->rng);
	free(p->a.heard);
	p->a.heard = NULL;
}

static struct {
	struct stream_ops ops;
	uint8_t mem[4096];
	size_t at, end;
} ahead;

static int
ahead_recv_buf(struct stream *s, struct window *w)
{
	int r;

	if (ahead.at == ahead.end) {
		ahead.at = ahead.end = 0;
		r = s->ops->read(s, ahead.mem, sizeof(ahead.mem), &ahead.end);
		if (r != STREAM_OK)
			return r;
	}
	w->p = ahead.mem + ahead.at;
	w->len = ahead.end - ahead.at;
	return STREAM_OK;
}

static void
ahead_recv_ack(struct stream *s, size_t n)
{
	(void)s;
	ahead.at += n;
}

void
peer_read_ahead(struct memory *m)
{
	ahead.ops = *m->s.ops;
	ahead.ops.recv_buf = ahead_recv_buf;
	ahead.ops.recv_ack = ahead_recv_ack;
	ahead.at = ahead.end = 0;
	m->s.ops = &ahead.ops;
}

void
peer_init(struct peer *p, enum peer_kind kind)
{
	memset(p, 0, sizeof(*p));
	p->a = (struct anylayer){ .name = "peer",
		.make = make,
		.hear = hear,
		.say = say,
		.say_end = say_end,
		.unmake = unmake,
		.tick = tick };
	p->kind = kind;
	p->q = (struct http_request){
		.host = "a.example", .path = "/way", .early_name = ""
	};
	p->frame_max = 2048;
	rng_init(&p->rng);
}
