/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTPUPGRADE_H
#define STREAM_HTTPUPGRADE_H

#include "stream/http_head.h"
#include "stream/http_head_request.h"
#include "stream/stream.h"

/*
 * HTTPUpgrade: asks as WebSocket does, but without its key, and then passes the bytes
 * of the lower stream as they are (vmess.md 13.4).  Nothing is sent before the whole
 * answer has come, but for early data in the request (V2Ray 5: padded Base64 in a named
 * field): with it, open answers OK before the server was asked.
 */

/* Takes `lower`, also on failure. `q` passed http_request_check, and outlives the stream.
 * NULL without memory. */
struct stream *httpupgrade_new(
	const struct http_request *q, struct stream *lower, int64_t (*unix_time)(void));

/* What the answer has told so far, also where it was an error. `s` is of
 * httpupgrade_new. */
const struct http_facts *httpupgrade_facts(const struct stream *s);
/* The server's clock in that answer (Unix time), or 0. */
int64_t httpupgrade_date(const struct stream *s);

#endif
