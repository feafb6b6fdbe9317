/* SPDX-License-Identifier: MIT */
#ifndef STREAM_BLOCKS_H
#define STREAM_BLOCKS_H

#include "base/list.h"
#include "base/pool.h"
#include "loop/loop.h"

/*
 * Memory for bytes in flight: counted blocks of one size with a written
 * maximum.  A layer takes a block when bytes move and gives it back when none
 * are held.  At the maximum nobody fails: the layer answers AGAIN, and the task
 * that owns it is made ready when a block comes home.
 */
struct blocks {
	struct pool pool;
	struct list waiting; /* of struct block_wait */
};

/* One taker's place in the queue. */
struct block_wait {
	struct list node;
	struct loop *loop;
	struct task *owner;
	struct blocks *blocks; /* that it asked last; NULL: none yet */
	bool called;           /* made ready for a block, and has not asked yet */
};

void
blocks_init(struct blocks *b, const char *name, size_t size, size_t max, size_t keep);
/* How many did not come home. */
size_t blocks_fini(struct blocks *b);

void block_wait_init(struct block_wait *w, struct loop *l, struct task *owner);
/* A block, or NULL: w is then in the queue. */
void *blocks_get(struct blocks *b, struct block_wait *w);
/* NULL is fine. */
void blocks_put(struct blocks *b, void *block);
/* w no longer waits; a call that it did not use goes to the next. */
void blocks_leave(struct block_wait *w);

#endif
