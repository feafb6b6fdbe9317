/* SPDX-License-Identifier: MIT */
#ifndef STREAM_WS_INSIDE_H
#define STREAM_WS_INSIDE_H

#include "stream/http_head_exchange.h"
#include "stream/ws.h"
#include "stream/ws_frame.h"

/* What the two halves of a WebSocket share: ws.c opens, sends and ends it, ws_recv.c
 * receives. */

/*
 * A window of the lower stream with less room than a short frame needs is not worth a
 * frame of its own: the frame is then made in memory of ours, and goes piece by piece.
 */
enum { SMALL_FRAME = WS_ROOM + WS_CONTROL_MAX };
enum { CLOSE_NORMAL = 1000, CLOSE_GOING = 1001, CLOSE_NO_CODE = 1005 };

/* How far reading has come. */
enum ws_reading {
	WS_READ_HEADER,  /* the header of a frame comes next */
	WS_READ_DATA,    /* the rest of a data frame */
	WS_READ_CONTROL, /* the rest of a control frame */
	WS_READ_END,     /* nothing ever: the server has ended */
};

struct ws {
	struct stream s;
	struct exchange *x; /* until the server has agreed, or for its error; owned */
	struct rng *rng;
	const char *why;         /* static text, or `said`; NULL: x or lower knows */
	int error;               /* -errno: final */
	struct http_facts facts; /* of x, once that is gone */

	uint8_t *frame;    /* the open one: memory of lower, or `small`; NULL: none */
	size_t room, fill; /* of its payload */
	size_t at, end;    /* small[at..end) is sealed and on its way */
	bool shuts;        /* nothing more may be sent */
	bool close_due, closed; /* our Close must go; is in `small` or gone */
	bool pong_due;          /* with `control` as its payload */
	bool flush_due;         /* a control frame may be held back beneath */

	enum ws_reading reading;
	struct ws_frame in;
	uint64_t left;   /* of its payload */
	bool in_message; /* frames that continue it come */
	uint8_t header[WS_HEADER_MAX];
	size_t header_len, control_len;
	unsigned overhead; /* frames, see WS_FLOOD */
	uint8_t control[WS_CONTROL_MAX];
	union {
		uint8_t small[SMALL_FRAME];
		char said[SMALL_FRAME]; /* after an error: why the server closed */
	};
};

/* Final from now on, unless something was before. Answers the error. */
int ws_fail(struct ws *t, int error, const char *why);
/* OK and AGAIN as they are; an error of the stream beneath becomes this one's. */
int ws_passed(struct ws *t, int r);
/* All that is ready to go and is not in the lower stream's memory yet. OK: it is. */
int ws_carry(struct ws *t);
/* Carries the upgrade to its end, with what was gathered for it. */
int ws_upgrade(struct ws *t);

int ws_recv_buf(struct stream *s, struct window *w);
void ws_recv_ack(struct stream *s, size_t n);

#endif
