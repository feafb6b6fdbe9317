/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTP_HEAD_H
#define STREAM_HTTP_HEAD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The head of an HTTP/1.1 answer, read as it comes: a line at a time, and of each line
 * no more than its first bytes, so that a hostile head costs a few hundred bytes.  What
 * an upgrade needs is noted; everything else is passed over.
 */
enum {
	HTTP_HEAD_MAX = 16 *
		1024,        /* bytes of all heads of one answer, interim ones too */
	HTTP_LINE_MAX = 256, /* of a line are kept; the rest of it is passed over */
};

/* What an answer has told, good or bad. */
struct http_facts {
	int status;   /* 0: no answer yet */
	int64_t date; /* the server's clock, as it says: Unix time; 0: it does not say */
	int64_t date_at; /* this machine's clock when that came */
};

enum http_head_place {
	HTTP_STATUS_LINE, /* the first line is being read */
	HTTP_FIELDS,      /* the lines behind it */
	HTTP_BEHIND,      /* the head is over */
};

struct http_head {
	enum http_head_place place;
	size_t max, seen; /* bytes */
	struct http_facts facts;
	bool upgrade;              /* `Upgrade` names websocket */
	bool connects;             /* `Connection` names upgrade */
	bool protocol, extensions; /* there are such Sec-WebSocket- fields */
	char accept[32];    /* Sec-WebSocket-Accept; "" when it has no such length */
	char location[128]; /* cut to fit */
	char line[HTTP_LINE_MAX];
	size_t len; /* of the line so far; what is beyond HTTP_LINE_MAX is not kept */
	int64_t (*unix_time)(void);
	struct err err;
};

/* At most `max` bytes. `unix_time` tells this machine's clock. */
void http_head_init(struct http_head *h, size_t max, int64_t (*unix_time)(void));

/*
 * Reads on.  STREAM_OK: the head is whole, and *used of the bytes were its last ones;
 * STREAM_AGAIN: all were used, and there is more to come; -EPROTO: what this is, is in
 * h->err.  Interim answers (100, 103) are passed over.
 */
int http_head_read(struct http_head *h, const uint8_t *p, size_t len, size_t *used);

/* The other side has ended before the head was whole: -EPROTO, and h->err. */
int http_head_cut(struct http_head *h);

/* 0: the server has agreed to speak WebSocket from here on. -EPROTO, and h->err. */
int http_head_upgraded(struct http_head *h);

#endif
