/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_SESSION_H
#define OUTBOUND_VMESS_SESSION_H

#include "outbound/vmess.h"

/*
 * One VMess connection over a lower stream: what its stream and its packets have
 * in common.  Payload is sealed on its way into the block from which it is written,
 * or copied there and sealed in place where it comes in small pieces; received chunks are
 * opened on their way out of the block into which they were read, or in place for who asks
 * for a window.  Either block exists only while it holds bytes.
 */

/* How far reading has come. */
enum vmess_reading {
	VMESS_READ_SIZE,     /* what tells how long the response header is comes next */
	VMESS_READ_RESPONSE, /* the response header itself */
	VMESS_READ_LENGTH,   /* the length field of a chunk */
	VMESS_READ_CHUNK,    /* the rest of a chunk */
	VMESS_READ_PAYLOAD,  /* nothing: an opened chunk is being lent */
	VMESS_READ_END,      /* nothing ever: the server has ended */
};

/* What is needed until the server has answered, and not while bytes pass. */
struct vmess_opening {
	char *name; /* of the target, until the header is written; owned */
	struct target to;
	enum clock_source time; /* of the request header */
	uint64_t greeted_at;
	struct timer hold; /* of vmess_stream: the header waits for a first payload... */
	bool held;         /* ...and has done so for long enough */
	struct task *owner;
	uint8_t response_key[16], response_iv[16], response_tag;
	uint16_t response_len;
};

/* There are many: each idle connection has one. */
struct vmess_session {
	struct stream s;               /* s.lower: owned; the rest is for vmess_stream */
	struct vmess_opening *opening; /* owned; NULL once the server has answered */
	uint8_t *out, *in;             /* blocks, or NULL; owned */
	struct vmess *v;               /* held */
	struct vmess_pick pick;        /* once open */
	struct block_wait wait;
	const char *why; /* static text; NULL: lower knows */

	struct vmess_body up, down;
	uint32_t at, end; /* out[at..end) is sealed and not written */
	uint32_t fill;    /* payload of the chunk that is open behind `end` */
	uint32_t in_at, in_end, lent;
	struct vmess_chunk chunk;
	uint16_t counted; /* bytes, in the budget of the ways out */
	int16_t error;    /* -errno: final */
	enum vmess_reading reading;
	enum vmess_command command : 8;
	bool in_large : 1;
	bool greeted : 1;  /* the request header is in `out`, or gone */
	bool finished : 1; /* so is the end mark */
	bool heard : 1;    /* at least one byte has come */
	bool asks : 1;     /* payload has gone, and the server counts it as waiting */
	bool paid : 1;     /* at least one byte of payload */
	/* Of vmess_stream. */
	bool opened : 1;  /* open has said OK */
	bool listens : 1; /* the caller wants bytes, and nothing below knows of it yet */
};

_Static_assert(sizeof(struct vmess_session) <= 344, "there are tens of thousands");

/* Takes `lower`. 0, or -ENOMEM. A target that VMess cannot name is told by open. */
int vmess_session_init(struct vmess_session *s, struct vmess *v, struct stream *lower,
	enum vmess_command command, const struct target *to, struct task *owner);
void vmess_session_fini(struct vmess_session *s);
/* An answer has begun, or none is waited for any more. */
void vmess_session_ask_no_more(struct vmess_session *s);

int vmess_session_open(struct vmess_session *s);
/* Room in the open chunk; greets, seals and writes where that makes room. */
int vmess_session_room(struct vmess_session *s, struct window *w);
int vmess_session_put(struct vmess_session *s, size_t n);
/* As much as finds room of len > 0 bytes; OK with *n > 0, or as `room` says. */
int vmess_session_write(struct vmess_session *s, const uint8_t *p, size_t len, size_t *n);
/* One chunk of exactly these bytes, kept where it cannot be written at once. */
int vmess_session_datagram(struct vmess_session *s, const uint8_t *p, size_t len);
/* The header goes, with no payload behind it. */
int vmess_session_greet(struct vmess_session *s);
int vmess_session_flush(struct vmess_session *s);
/* The end mark, behind everything else. */
int vmess_session_finish(struct vmess_session *s);

/* The payload of a chunk, or what is left of it. */
int vmess_session_recv(struct vmess_session *s, struct window *w);
void vmess_session_recv_ack(struct vmess_session *s, size_t n);
/* What has come, of as many chunks as fit into cap > 0 bytes; OK with *n > 0, or as `recv`
 * says. */
int vmess_session_read(struct vmess_session *s, uint8_t *p, size_t cap, size_t *n);

void vmess_session_park(struct vmess_session *s);
const char *vmess_session_reason(const struct vmess_session *s);

/* Between the two files of the session. */
struct vmess_try vmess_session_try(const struct vmess_session *s);
int vmess_session_fail(struct vmess_session *s, int error, const char *why);
/* OK and AGAIN as they are; an error of the lower stream becomes the session's. */
int vmess_session_passed(struct vmess_session *s, int r);
void vmess_session_drop_in(struct vmess_session *s);
/* The server has answered: what was needed to open goes, and is counted no more. */
void vmess_session_settle(struct vmess_session *s);

#endif
