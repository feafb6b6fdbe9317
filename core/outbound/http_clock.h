/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_HTTP_CLOCK_H
#define OUTBOUND_HTTP_CLOCK_H

#include "outbound/carrier.h"
#include "outbound/clock.h"
#include "outbound/transport.h"

/*
 * Asks a WebSocket server for the time: by a request that it must refuse.  Those that put
 * no Date into the answer of an upgrade (Debian's V2Ray) have one in their errors.  It
 * goes the way that the server's own connections go; one at a time.
 */
struct http_clock {
	struct task task;
	struct timer timer;
	struct loop *loop;
	struct stream *stream; /* owned; NULL: nobody is asked */
	struct http_request request;
	struct clock_reading *to;
};

/* The server, its way, and where what it tells goes. All of it belongs to `o`. */
struct http_clock_server {
	struct outbound *o;
	const struct carrier *carrier; /* of WebSocket */
	struct way way;
	struct clock_reading *to;
};

void http_clock_init(struct http_clock *h, struct loop *l);
void http_clock_fini(struct http_clock *h);
/* Does nothing while another server is being asked. */
void http_clock_ask(struct http_clock *h, const struct http_clock_server *s);
bool http_clock_busy(const struct http_clock *h);

#endif
