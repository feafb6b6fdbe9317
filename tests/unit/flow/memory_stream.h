/* SPDX-License-Identifier: MIT */
#ifndef UNIT_FLOW_MEMORY_STREAM_H
#define UNIT_FLOW_MEMORY_STREAM_H

#include "stream/stream.h"

#include <stdbool.h>

/*
 * A stream in memory.  What it will say is at `in`, what it was told lands at
 * `out`.  Windows are at most `window` bytes.  With `stutter`, about every
 * other call answers AGAIN; what was acknowledged is held back until flush.
 */
struct memory_stream {
	struct stream s;
	struct stream_ops scattered; /* where it has more calls than others */
	const uint8_t *in;
	size_t in_len, in_at;
	bool in_ends; /* END after `in`, else AGAIN */
	int in_error; /* after `in`, instead of an end */
	uint8_t *out;
	size_t out_cap, out_len, out_flushed;
	size_t room; /* bytes that are taken before AGAIN; SIZE_MAX: all */
	int out_error;
	int shut_error;
	size_t window;
	bool stutter;
	bool keeps;   /* flush never ends */
	bool starved; /* has no window to lend, and takes what writev brings */
	unsigned calls;
	bool shut, freed;
	size_t flushed_at_shut;
};

void memory_stream_init(struct memory_stream *m, size_t window);
/* It has recv_bufs and writev from now on. */
void memory_stream_scatter(struct memory_stream *m);
void memory_stream_says(struct memory_stream *m, const void *p, size_t len, bool ends);
void memory_stream_fini(struct memory_stream *m);

#endif
