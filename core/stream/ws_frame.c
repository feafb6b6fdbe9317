/* SPDX-License-Identifier: MIT */
#include "stream/ws_frame.h"

#include "base/bytes.h"

#include <assert.h>
#include <string.h>

enum { FINAL = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f };
enum { LENGTH_16 = 126, LENGTH_64 = 127 };
/* What is masked at a time: compilers put it into two or four wide registers. */
enum { STRIDE = 4 };

void
ws_mask(uint8_t *p, size_t len, const uint8_t key[static WS_MASK])
{
	uint8_t twice[2 * WS_MASK];
	uint64_t k, v[STRIDE];
	size_t i;
	int j;

	memcpy(twice, key, WS_MASK);
	memcpy(twice + WS_MASK, key, WS_MASK);
	memcpy(&k, twice, sizeof(k));
	for (i = 0; i + sizeof(v) <= len; i += sizeof(v)) {
		memcpy(v, p + i, sizeof(v));
		for (j = 0; j < STRIDE; j++)
			v[j] ^= k;
		memcpy(p + i, v, sizeof(v));
	}
	for (; i < len; i++)
		p[i] ^= twice[i % sizeof(twice)];
}

size_t
ws_frame_seal(uint8_t *mem, size_t len, enum ws_opcode opcode,
	const uint8_t key[static WS_MASK])
{
	bool is_short = len < LENGTH_16;
	size_t header = is_short ? WS_ROOM - 2 : WS_ROOM;

	assert(len <= WS_PAYLOAD_MAX);
	mem[0] = (uint8_t)(FINAL | opcode);
	mem[1] = (uint8_t)(MASKED | (is_short ? len : LENGTH_16));
	if (is_short)
		memmove(mem + header, mem + WS_ROOM, len);
	else
		be16_put(mem + 2, (uint16_t)len);
	memcpy(mem + header - WS_MASK, key, WS_MASK);
	ws_mask(mem + header, len, key);
	return header + len;
}

size_t
ws_header_size(const uint8_t *p, size_t have)
{
	uint8_t len = have < 2 ? 0 : p[1] & LENGTH;

	if (len == LENGTH_64)
		return 10;
	return len == LENGTH_16 ? 4 : 2;
}

static const char *
control_wrong(const struct ws_frame *f)
{
	if (!f->final)
		return "the server fragments a WebSocket control frame";
	if (f->len > WS_CONTROL_MAX)
		return "the server sends a WebSocket control frame of more than 125 bytes";
	return NULL;
}

const char *
ws_header_read(struct ws_frame *f, const uint8_t *p, size_t len)
{
	struct reader r;
	uint8_t first, second;

	reader_init(&r, p, len);
	first = reader_u8(&r);
	second = reader_u8(&r);
	f->final = first & FINAL;
	f->opcode = (enum ws_opcode)(first & OPCODE);
	f->len = second & LENGTH;
	if (f->len == LENGTH_16)
		f->len = reader_be16(&r);
	else if (f->len == LENGTH_64)
		f->len = reader_be64(&r);
	if (r.bad)
		return "a WebSocket header is cut short";
	if (first & RESERVED)
		return "the server sets reserved bits of a WebSocket frame";
	if (second & MASKED)
		return "the server masks its WebSocket frames, which only clients do";
	if (f->len >> 63)
		return "the server sends a WebSocket frame of 2^63 bytes or more";
	switch (f->opcode) {
	case WS_MORE:
	case WS_TEXT:
	case WS_BINARY:
		return NULL;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return control_wrong(f);
	}
	return "the server sends a WebSocket frame of an unknown kind";
}
