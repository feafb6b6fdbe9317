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
 *
 * Several kinds of blocks may draw on one budget of bytes.  What a connection
 * holds for as long as it lives (`lasting`) leaves a quarter of it for bytes in
 * flight, so that those who were let in go on.
 */
struct budget {
	size_t most, used; /* bytes */
	size_t called; /* bytes for those who were made ready and have not asked yet */
	struct list shares; /* of struct blocks */
};

struct blocks {
	struct pool pool;
	struct list waiting;   /* of struct block_wait */
	size_t called;         /* takers that were made ready and have not asked yet */
	struct budget *budget; /* NULL: none */
	struct list share;     /* in its list */
	size_t cost;           /* bytes of it that a block takes */
	bool lasting;
};

/* One taker's place in the queue, from which it is taken when it is called: made ready for
 * a block. */
struct block_wait {
	struct list node;
	struct loop *loop;
	struct task *owner;
	struct blocks *blocks; /* which it waits for, or is called by; NULL: neither */
};

void budget_init(struct budget *g, size_t most);
/* For memory that is no block, and lasting. False: there is not enough. */
bool budget_take(struct budget *g, size_t n);
void budget_give(struct budget *g, size_t n);
/* Somebody waits for a block. */
bool budget_is_wanted(const struct budget *g);
/* There is not enough for n bytes more of what is lasting. */
bool budget_is_short(const struct budget *g, size_t n);

void
blocks_init(struct blocks *b, const char *name, size_t size, size_t max, size_t keep);
/* From now on each of them takes `cost` bytes of g, which outlives b. None is out. */
void blocks_share(struct blocks *b, struct budget *g, size_t cost, bool lasting);
/* How many did not come home. */
size_t blocks_fini(struct blocks *b);

void block_wait_init(struct block_wait *w, struct loop *l, struct task *owner);
/* A block, or NULL: w is then in the queue. */
void *blocks_get(struct blocks *b, struct block_wait *w);
/* NULL is fine. */
void blocks_put(struct blocks *b, void *block);
/* w no longer waits; a call that it did not use goes to the next. */
void blocks_leave(struct block_wait *w);
/* The turn of w ends: the same of the call alone. */
void blocks_pass(struct block_wait *w);

#endif
