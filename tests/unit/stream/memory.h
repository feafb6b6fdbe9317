/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_MEMORY_H
#define UNIT_STREAM_MEMORY_H

#include "stream/stream.h"

#include <stdbool.h>

/*
 * A bottom layer without a kernel: what it will receive is given beforehand or
 * bit by bit, what was written is kept.  A script says how little it does at a
 * time, how often it says AGAIN, and how it ends.
 */
struct memory {
	struct stream s;
	struct stream_ops ops;
	uint8_t *in, *out; /* owned */
	size_t in_len, in_at, in_cap;
	size_t out_len, out_cap;
	size_t grain;  /* bytes per call at most; 0: no limit */
	bool stutters; /* every other call answers AGAIN */
	bool full;     /* takes nothing: writing answers AGAIN */
	bool in_ends;  /* END behind the last byte of `in` */
	bool windows;  /* has no read and no writev: only windows */
	int error;     /* what every call answers from now on; 0: none */
	bool odd, shut, freed;
	uint8_t room[256];
};

void memory_init(struct memory *m);
/* The owner may be freed before: the struct is the test's. */
void memory_fini(struct memory *m);
/* More to receive. */
void memory_feed(struct memory *m, const uint8_t *p, size_t len);

#endif
