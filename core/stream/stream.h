/* SPDX-License-Identifier: MIT */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A stream is one layer of a byte pipe: tcp, tls, ws, vmess, or a connection
 * of the TCP/IP stack.  Layers stack, and whoever holds the top one never
 * learns what is beneath it.
 *
 * Bytes are not passed as arguments.  The caller borrows a window of the
 * stream's own memory, works in it in place, and says how much it used.  A
 * window stays good until the next call on the same stream.
 *
 * No layer waits and no layer calls upward: a call does what it can at once
 * and answers STREAM_AGAIN when something beneath must become ready first; the
 * layer that said so has then arranged that the task which owns the stream is
 * made ready.  Anything below zero is -errno, and final: every later call
 * answers the same.
 *
 * Windows are never empty after STREAM_OK.
 */

enum {
	STREAM_OK = 0,
	STREAM_AGAIN = 1,
	STREAM_END = 2, /* recv_buf only: the other side has ended, in order */
};

struct window {
	uint8_t *p;
	size_t len;
};

struct stream;
struct task;

struct stream_ops {
	const char *name;
	/* Carries connecting and handshakes forward. OK once bytes may pass. */
	int (*open)(struct stream *);
	/* Room to write into. */
	int (*send_buf)(struct stream *, struct window *);
	/* n bytes of the window were written. They may be held back until flush. */
	int (*send_ack)(struct stream *, size_t n);
	/* After OK nothing is held back: it is all with the kernel. */
	int (*flush)(struct stream *);
	/* Bytes that have come. */
	int (*recv_buf)(struct stream *, struct window *);
	/* The first n bytes of that window are done with. */
	void (*recv_ack)(struct stream *, size_t n);
	/* No more sends from us; what was acknowledged still goes. AGAIN: call again. */
	int (*shut)(struct stream *);
	/* The turn ends: memory that is shared or idle goes back. Windows end here too.
	 */
	void (*park)(struct stream *);
	/* What an error was, for people: one line, borrowed until the next call. */
	const char *(*reason)(const struct stream *);
	/* Another task owns this layer. NULL where it has made nobody ready itself. */
	void (*own)(struct stream *, struct task *owner);
	/* True: this layer was for the opening, and from now on only hands down what is
	 * asked of it.  NULL: it never is. */
	bool (*over)(const struct stream *);
	/* Frees this layer alone, which is over; s->lower is somebody else's by now. */
	void (*leave)(struct stream *);
	/* Frees this layer and everything beneath. Without a shut before: abort (RST). */
	void (*free)(struct stream *);

	/* Bytes straight from or to the memory of the layer above: for layers that bring
	 * them there without a copy, NULL elsewhere. OK with *n > 0, AGAIN, END (read), or
	 * an error. */
	int (*read)(struct stream *, uint8_t *p, size_t cap, size_t *n);
	int (*writev)(struct stream *, const struct window *w, int count, size_t *n);
	/* recv_buf for what lies in several places: at most `max` windows in their order,
	 * *count of them.  recv_ack then counts through all of them.  NULL elsewhere. */
	int (*recv_bufs)(struct stream *, struct window *w, int max, int *count);
};

struct stream {
	const struct stream_ops *ops;
	struct stream *lower; /* owned; NULL at the bottom */
};

int stream_open(struct stream *s);
int stream_send_buf(struct stream *s, struct window *w);
int stream_send_ack(struct stream *s, size_t n);
int stream_flush(struct stream *s);
int stream_recv_buf(struct stream *s, struct window *w);
/* One window where s has not recv_bufs. */
int stream_recv_bufs(struct stream *s, struct window *w, int max, int *count);
void stream_recv_ack(struct stream *s, size_t n);
int stream_shut(struct stream *s);
void stream_park(struct stream *s);
const char *stream_reason(const struct stream *s);
/* s, which is open, and everything beneath have another owner from now on. */
void stream_own(struct stream *s, struct task *owner);
void stream_free(struct stream *s); /* NULL is fine */
/*
 * Frees those layers of s, s itself among them, that are over, and joins the others, so
 * that what is idle for hours costs what it needs and no more; ends at one that is not over
 * yet.  Answers the highest that is left.  For who owns s, and is not called by it.
 */
struct stream *stream_settle(struct stream *s);

/*
 * Bytes between a stream and memory that the caller has already: straight where
 * s has read and writev, else copied through its windows, as many as there are. OK with *n > 0,
 * AGAIN, END (read), or an error.  What writev took may be held back until flush.
 */
int stream_read(struct stream *s, uint8_t *p, size_t cap, size_t *n);
int stream_writev(struct stream *s, const struct window *w, int count, size_t *n);

/*
 * The same through the windows of s even where it has read and writev, for who comes with
 * small pieces: each costs a copy then, and no system call.  One window is read; as much
 * of one piece is written as the windows take, and *n grows by it, also before an AGAIN or
 * an error.
 */
int stream_read_window(struct stream *s, uint8_t *p, size_t cap, size_t *n);
int stream_write_window(struct stream *s, const struct window *piece, size_t *n);

/* Writes p[*at..len), and moves *at on. OK once all of it is taken; AGAIN, or an error. */
int stream_write_rest(struct stream *s, const uint8_t *p, size_t len, size_t *at);

/* What an errno means, in the words of a sentence: "connection refused". */
const char *stream_error_text(int error);

#endif
