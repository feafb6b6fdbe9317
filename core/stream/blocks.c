/* SPDX-License-Identifier: MIT */
#include "stream/blocks.h"

void
blocks_init(struct blocks *b, const char *name, size_t size, size_t max, size_t keep)
{
	pool_init(&b->pool, name, size, max, keep);
	list_init(&b->waiting);
}

size_t
blocks_fini(struct blocks *b)
{
	return pool_fini(&b->pool);
}

void
block_wait_init(struct block_wait *w, struct loop *l, struct task *owner)
{
	list_init(&w->node);
	w->loop = l;
	w->owner = owner;
	w->blocks = NULL;
	w->called = false;
}

static void
call_next(struct blocks *b)
{
	struct list *n = list_take(&b->waiting);
	struct block_wait *w;

	if (!n)
		return;
	w = container_of(n, struct block_wait, node);
	w->called = true;
	loop_ready(w->loop, w->owner);
}

void *
blocks_get(struct blocks *b, struct block_wait *w)
{
	void *block = pool_take(&b->pool);

	if (w->blocks == b)
		w->called = false; /* used now */
	blocks_leave(w);
	w->blocks = b;
	if (!block)
		list_append(&b->waiting, &w->node);
	return block;
}

void
blocks_put(struct blocks *b, void *block)
{
	if (!block)
		return;
	pool_put(&b->pool, block);
	call_next(b);
}

void
blocks_leave(struct block_wait *w)
{
	list_remove(&w->node);
	if (!w->called)
		return;
	w->called = false;
	call_next(w->blocks);
}
