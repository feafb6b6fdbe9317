/* SPDX-License-Identifier: MIT */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

/*
 * Counted blocks of one size.  A pool has a written maximum, knows how many of
 * its blocks are out, and says at the end which did not come home: a leak
 * cannot be overlooked.  Blocks that come home are kept for the next taker, up
 * to `keep` of them; the others go back to the system.  Under AddressSanitizer
 * nothing is kept, so that a late use is seen.
 */
struct pool {
	const char *name; /* borrowed for ever */
	size_t size;      /* of a block, in bytes */
	size_t max, keep; /* blocks */
	size_t out, kept; /* blocks */
	size_t peak;      /* the most that were ever out */
	void *spare;
};

void pool_init(struct pool *p, const char *name, size_t size, size_t max, size_t keep);
/* A zeroed block, or NULL at the maximum or when the system has no memory. */
void *pool_get(struct pool *p);
/* The same with whatever bytes the block has, for what is large and written over. */
void *pool_take(struct pool *p);
/* NULL is fine. */
void pool_put(struct pool *p, void *block);
/* Gives all spare blocks back to the system. */
void pool_trim(struct pool *p);
/* Trims, logs an error when blocks are out, and returns how many. */
size_t pool_fini(struct pool *p);

#endif
