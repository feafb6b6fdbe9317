/* SPDX-License-Identifier: MIT */
#ifndef FLOW_RELAY_H
#define FLOW_RELAY_H

#include "stream/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Two streams joined: the application's (near) and the one that leads out
 * (far).  Bytes are copied once, from a window of the one into a window of the
 * other, or not at all where a socket is the other; with a budget a turn, so
 * that one flow cannot hold the loop.
 *
 * Order of an end: all bytes are flushed before the other side is shut, and a
 * side that failed is told to the other by freeing that without a shut, which
 * is the owner's to do.  The streams stay the owner's.
 */
enum { RELAY_BUDGET = 256 * 1024 }; /* bytes a turn and direction */

struct relay {
	struct stream *near, *far;
	uint64_t up, down; /* payload bytes: near to far, far to near */
	/* What was read from near before far was there goes first: the owner's memory, how
	 * much of it has gone, and how much there is. */
	uint8_t *early;
	uint16_t early_at, early_len;
	int16_t error; /* -errno of the side that failed */
	/* The far side cannot carry a half-close: its end is the end of both ways, and
	 * the application's is kept back until then. */
	bool keep_fin : 1;
	bool near_ended : 1, far_ended : 1; /* have said END */
	bool near_shut : 1, far_shut : 1;   /* were told END */
	/* The far side has failed; what it said before still goes to the application,
	 * for as long as the owner is patient. */
	bool far_failed : 1;
	/* The application takes nothing, and the far side may have more for it. */
	bool near_full : 1;
};

enum relay_news {
	RELAY_WAITS,       /* for one of the streams, which will say so */
	RELAY_MORE,        /* the budget is spent: run again in the next turn */
	RELAY_DONE,        /* both ways have ended in order: free both */
	RELAY_LINGERS,     /* far is done with; the application has not ended yet */
	RELAY_NEAR_FAILED, /* `error` says how */
	RELAY_FAR_FAILED,
};

enum relay_news relay_run(struct relay *r);

/* Throws away what the application still sends. True: it has ended, or failed. */
bool relay_linger(struct relay *r);

#endif
