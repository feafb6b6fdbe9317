/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTP_HEAD_EXCHANGE_H
#define STREAM_HTTP_HEAD_EXCHANGE_H

#include "stream/http_head.h"
#include "stream/http_head_request.h"
#include "stream/stream.h"

/*
 * How an upgrade begins: the lower stream opens, a request head goes, an answer head
 * comes.  With early data the first bytes are gathered before the request is made; what
 * the rule does not let into it goes behind the answer, in the layer's own way.
 * Nothing but the request is sent before the whole answer has come: servers lose or
 * refuse what comes earlier (vmess.md 13.3, 13.4).
 *
 * It lives until the answer is there, or as long as its error is of interest.
 */
enum exchange_state {
	EXCHANGE_LOWER,  /* the lower stream is opening */
	EXCHANGE_GATHER, /* first bytes may still come, for the request */
	EXCHANGE_ASK,    /* the request is being written */
	EXCHANGE_ANSWER, /* the head of the answer is being read */
	EXCHANGE_REST,   /* the server has agreed; what the request did not carry goes */
	EXCHANGE_DONE,   /* the server has agreed, and nothing is held any more */
	EXCHANGE_DEAD,   /* `error` */
};

/* Sec-WebSocket-Key is 24 characters, Sec-WebSocket-Accept 28 (RFC 6455, 4). */
enum { EXCHANGE_KEY = 16, EXCHANGE_KEY_TEXT = 25, EXCHANGE_ACCEPT_TEXT = 29 };

struct exchange {
	uint8_t *request; /* while it is being written; owned */
	uint8_t *early;   /* what was gathered, until it is in the request; owned */
	const struct http_request *q;
	struct stream *lower; /* the layer's */
	int (*send_rest)(struct stream *to, const uint8_t *p, size_t len, size_t *at);
	struct stream *to;
	enum exchange_state state;
	int error;
	bool websocket;   /* with a key, and an answer to it */
	unsigned base64;  /* of early data */
	size_t at, len;   /* of the request, then of early: [at..len) has not gone yet */
	size_t early_len; /* gathered, and not in the request */
	bool early_told;  /* it went in the request */
	bool overflows;   /* more was given than early_max */
	size_t leftover;  /* bytes behind the head, in the lower stream's window */
	char key[EXCHANGE_KEY_TEXT], accept[EXCHANGE_ACCEPT_TEXT];
	struct http_head head;
};

struct exchange_way {
	const struct http_request *request; /* outlives the exchange */
	uint8_t key[EXCHANGE_KEY];          /* random; for WebSocket */
	bool websocket;
	unsigned base64; /* BASE64_ flags, of early data */
	/* Sends what was gathered and is not in the request, as stream_write_rest does. */
	int (*send_rest)(struct stream *to, const uint8_t *p, size_t len, size_t *at);
	struct stream *to;
	int64_t (*unix_time)(void);
};

/* NULL without memory. `lower` stays the caller's. */
struct exchange *exchange_new(const struct exchange_way *way, struct stream *lower);
void exchange_free(struct exchange *x); /* NULL is fine */

/* Carries it forward. OK: bytes may be given, because it is done or because it gathers. */
int exchange_open(struct exchange *x);
/* Carries it to its end: what was gathered goes. OK: done. */
int exchange_finish(struct exchange *x);
/* Room to gather in; AGAIN: no more before the answer. OK with no room (len 0): done. */
int exchange_send_buf(struct exchange *x, struct window *w);
void exchange_send_ack(struct exchange *x, size_t n);
/* OK: all that was gathered is with the kernel. Also AGAIN where it must wait. */
int exchange_flush(struct exchange *x);
/* Where it is done: frees it, *x becomes NULL, and what it has told is in *facts. */
void exchange_settle(struct exchange **x, struct http_facts *facts);
const char *exchange_reason(const struct exchange *x);

#endif
