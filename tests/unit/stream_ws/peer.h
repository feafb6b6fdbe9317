/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_WS_PEER_H
#define UNIT_STREAM_WS_PEER_H

#include "base/random.h"
#include "stream/http_head_request.h"
#include "unit/stream/anylayer.h"
#include "unit/stream/memory.h"

/*
 * The other half of ws, httpupgrade and httphead, written for itself: it reads the
 * request, answers it, and speaks frames where the layer does.
 */
enum peer_kind { PEER_WS, PEER_HTTPUPGRADE, PEER_HTTPHEAD };

struct peer {
	struct anylayer a;
	struct memory *m;
	enum peer_kind kind;
	struct http_request q; /* what the layer asks with */
	struct rng rng;
	const char *answer; /* instead of the right one; NULL: the right one */
	bool mute;          /* does not answer */
	size_t frame_max;   /* of what it says */
	bool odd;           /* fragments, text frames, long lengths, pings between */

	bool asked, answered;
	size_t request_len; /* on the wire */
	char request[32768];
	uint8_t early[HTTP_EARLY_MAX];
	size_t early_len;
	bool early_heard;

	size_t frames, pongs, closes; /* heard */
	size_t longest;               /* payload of a frame heard */
	uint8_t pong[125];
	size_t pong_len;
	unsigned close_code;
};

void peer_init(struct peer *p, enum peer_kind kind);
/* The layer over m. */
struct stream *peer_layer(struct peer *p, struct memory *m);
/* Reads the request if it is whole, and answers. */
void peer_greet(struct peer *p);
/* A server's frame. `form` is 0, or how many bytes the length field has (1, 2, 8). */
void peer_frame(struct peer *p, unsigned first, const void *mem, size_t len, int form);
/* Runs the layer's open until it is open, or fails. */
int peer_open(struct peer *p, struct stream *s);
/* Frees the layer, and what the peer and its memory hold. */
void peer_end(struct peer *p, struct stream *s);

/* From now on m reads as a socket does: windows are of memory of its own, into which it
 * reads ahead, and `read` passes that by. One such stream at a time. */
void peer_read_ahead(struct memory *m);

int64_t peer_clock(void);
/* peer_clock says this. */
enum { PEER_CLOCK = 1700000000 };

#endif
