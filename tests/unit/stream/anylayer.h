/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_ANYLAYER_H
#define UNIT_STREAM_ANYLAYER_H

#include "unit/stream/memory.h"

/*
 * What every stream layer must stand, whatever it does to its bytes: it runs over
 * a scripted lower stream that gives and takes 1, 2, 3, 777 bytes or as much as
 * there is, that says AGAIN at every other call, that ends in order, in the
 * middle, or with bits turned.  A layer brings its other half as a `peer`.
 */
struct anylayer {
	const char *name;
	/* The layer over m->s, and its other half. */
	struct stream *(*make)(struct anylayer *, struct memory *m);
	/* Lets the peer read what the layer wrote so far: from *at on; *at moves. What
	 * it understood goes to anylayer_heard. 0, or -1: it understood something else. */
	int (*hear)(struct anylayer *, const uint8_t *wire, size_t len, size_t *at);
	/* The peer says these bytes, in its own framing, to m (memory_feed). Called only
	 * after it has heard all that was sent. */
	void (*say)(struct anylayer *, struct memory *m, const uint8_t *p, size_t len);
	/* The peer says that it has ended. */
	void (*say_end)(struct anylayer *, struct memory *m);
	/* What make has made, but for the stream, goes. */
	void (*unmake)(struct anylayer *);
	/* Something else that time would do: timers. */
	void (*tick)(struct anylayer *);
	bool authentic; /* turned bits are noticed */
	bool marks_end; /* an end without the peer's own mark is told from one with it */

	uint8_t *heard; /* what the peer has heard */
	size_t heard_len, heard_cap;
	bool heard_end;
};

void anylayer_heard(struct anylayer *a, const uint8_t *p, size_t len);

/* All of it; fails the running test. */
void anylayer_all(struct anylayer *a);

#endif
