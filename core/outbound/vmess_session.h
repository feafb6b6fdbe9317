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

struct vmess_session {
	struct stream *lower;   /* owned; NULL: refused before it was dialled */
	char *name;             /* of the target, until the header is written; owned */
	uint8_t *out, *in;      /* blocks, or NULL; owned */
	struct vmess *v;        /* held */
	struct vmess_pick pick; /* once open */
	struct block_wait wait;
	bool counted; /* in the budget of the ways out */
	struct target to;
	enum vmess_command command;
	int error;       /* -errno: final */
	const char *why; /* static text; NULL: lower knows */

	struct vmess_body up;
	size_t at, end;         /* out[at..end) is sealed and not written */
	size_t fill;            /* payload of the chunk that is open behind `end` */
	bool greeted;           /* the request header is in `out`, or gone */
	bool finished;          /* so is the end mark */
	enum clock_source time; /* of the request header */
	uint64_t greeted_at;

	struct vmess_body down;
	enum vmess_reading reading;
	struct vmess_chunk chunk;
	size_t in_at, in_end, lent;
	size_t response_len;
	bool in_large;
	bool heard; /* at least one byte has come */
	bool asks;  /* payload has gone, and the server counts it as waiting */
	bool paid;  /* at least one byte of payload */
	uint8_t response_key[16], response_iv[16], response_tag;
};

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

#endif
