/* SPDX-License-Identifier: MIT */
#ifndef STREAM_WS_FRAME_H
#define STREAM_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Frames of WebSocket (RFC 6455, 5.2), as a client sends and receives them. */

enum ws_opcode {
	WS_MORE = 0, /* the message goes on */
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

enum {
	WS_ROOM = 8,            /* in front of a payload that will be sealed */
	WS_PAYLOAD_MAX = 65535, /* of a frame that is sent */
	WS_CONTROL_MAX = 125,   /* of a control frame (RFC 6455, 5.5) */
	WS_HEADER_MAX = 10,     /* of a frame that is received: never masked */
	WS_MASK = 4,
};

struct ws_frame {
	uint64_t len; /* of the payload; below 2^63 */
	enum ws_opcode opcode;
	bool final; /* the last of its message */
};

/* Applies the mask to len bytes, from its first byte on. */
void ws_mask(uint8_t *p, size_t len, const uint8_t key[static WS_MASK]);

/*
 * Makes a final frame of the payload that stands at mem + WS_ROOM, in place: masked, and
 * moved by two bytes where its length fits in the short form. Answers the length of the
 * frame, which begins at mem.
 */
size_t ws_frame_seal(uint8_t *mem, size_t len, enum ws_opcode opcode,
	const uint8_t key[static WS_MASK]);

/* How long the header is of which these are the first bytes; more than `have` where that
 * is not enough to tell. */
size_t ws_header_size(const uint8_t *p, size_t have);
/* Reads a whole header. NULL, or what is wrong with it; static text. */
const char *ws_header_read(struct ws_frame *f, const uint8_t *p, size_t len);

#endif
