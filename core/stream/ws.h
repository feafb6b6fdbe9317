/* SPDX-License-Identifier: MIT */
#ifndef STREAM_WS_H
#define STREAM_WS_H

#include "base/random.h"
#include "stream/http_head.h"
#include "stream/http_head_request.h"
#include "stream/stream.h"

/*
 * A WebSocket client (RFC 6455) as a byte pipe: what is sent goes in binary frames, one
 * until flush or until the lower stream's window is full, masked in place in that
 * window; what comes in data frames of any kind is lent from the lower stream's window
 * as it is.  Borders between frames mean nothing.  Pings are answered, the newest first
 * and one at a time.
 *
 * With early data (q->early_max) open answers OK before the server was asked, and the
 * first bytes leave in the request.  A failure of the upgrade is then told by a later
 * call.  Every error has a sentence in reason; -EPROTO is a server that is none, or a
 * hostile one.
 *
 * A server that closes with code 1000, 1001 or without one has ended in order, as has
 * one that ends the lower stream between two messages.  Close is answered once, after
 * which nothing can be sent (-EPIPE, which does not concern receiving).
 */

/* Overhead frames (control frames, empty ones) in a row, without the lower stream
 * running dry, that pass for no flood. */
enum { WS_FLOOD = 1024 };

/*
 * Takes `lower`, also on failure. `q` passed http_request_check; it and `rng` (for masks
 * and keys) are borrowed, and outlive the stream.  NULL without memory.
 */
struct stream *ws_new(const struct http_request *q, struct stream *lower, struct rng *rng,
	int64_t (*unix_time)(void));

/* What the answer to the upgrade has told so far, also where it was an error. `s` is of
 * ws_new. */
const struct http_facts *ws_facts(const struct stream *s);
/* The server's clock in that answer (Unix time), or 0. */
int64_t ws_date(const struct stream *s);

#endif
