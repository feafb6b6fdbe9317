/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTP_HEAD_EXCHANGE_H
#define STREAM_HTTP_HEAD_EXCHANGE_H

#include "stream/http_head.h"
#include "stream/http_head_request.h"
#include "stream/stream.h"

/*
 * How an upgrade begins: the lower stream opens, a request head goes, an answer head
 * comes.  With early data the first bytes are gathered before the request is made; what
 * the rule does not let into it is held until the layer above sends it in its own way.
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
	EXCHANGE_DONE,   /* the server has agreed */
	EXCHANGE_DEAD,   /* `error` */
};

/* Sec-WebSocket-Key is 24 characters, Sec-WebSocket-Accept 28 (RFC 6455, 4). */
enum { EXCHANGE_KEY = 16, EXCHANGE_KEY_TEXT = 25, EXCHANGE_ACCEPT_TEXT = 29 };

struct exchange {
	uint8_t *request; /* while it is being written; owned */
	uint8_t *early;   /* what was gathered, until it is in the request; owned */
	const struct http_request *q;
	struct stream *lower; /* the layer's */
	enum exchange_state state;
	int error;
	bool websocket;   /* with a key, and an answer to it */
	unsigned base64;  /* of early data */
	size_t at, len;   /* request[at..len) is not written yet */
	size_t early_len; /* gathered, and neither in the request nor taken */
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
const char *exchange_reason(const struct exchange *x);

#endif
