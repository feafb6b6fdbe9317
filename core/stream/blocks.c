/* SPDX-License-Identifier: MIT */
#include "stream/blocks.h"

#include <assert.h>

void
budget_init(struct budget *g, size_t most)
{
	*g = (struct budget){ .most = most };
	list_init(&g->shares);
}

/* Whether n more bytes beside those that are taken leave what must be left. */
static bool
budget_has(const struct budget *g, size_t taken, size_t n, bool lasting)
{
	size_t most = lasting ? g->most - g->most / 4 : g->most;

	return taken <= most && n <= most - taken;
}

static void
call_first(struct blocks *b)
{
	struct block_wait *w = container_of(
		list_take(&b->waiting), struct block_wait, node);

	b->called++;
	if (b->budget)
		b->budget->called += b->cost;
	loop_ready(w->loop, w->owner);
}

/* Made ready for a block, and has not asked yet. */
static bool
is_called(const struct block_wait *w)
{
	return w->blocks && list_empty(&w->node);
}

/* w does not wait any more. Those whose call it had, which is used, or given up; or NULL. */
static struct blocks *
withdraw(struct block_wait *w)
{
	struct blocks *b = is_called(w) ? w->blocks : NULL;

	list_remove(&w->node);
	w->blocks = NULL;
	if (!b)
		return NULL;
	b->called--;
	if (b->budget)
		b->budget->called -= b->cost;
	return b;
}

/* Those for whom there is room beside those who were called before. */
static void
call_some(struct blocks *b)
{
	const struct budget *g = b->budget;

	while (!list_empty(&b->waiting) && b->pool.out + b->called < b->pool.max &&
		(!g || budget_has(g, g->used + g->called, b->cost, b->lasting)))
		call_first(b);
}

static void
call_all(struct budget *g)
{
	struct list *n;

	for (n = g->shares.next; n != &g->shares; n = n->next)
		call_some(container_of(n, struct blocks, share));
}

bool
budget_take(struct budget *g, size_t n)
{
	if (!budget_has(g, g->used, n, true))
		return false;
	g->used += n;
	return true;
}

void
budget_give(struct budget *g, size_t n)
{
	assert(n <= g->used);
	g->used -= n;
	call_all(g);
}

bool
budget_is_wanted(const struct budget *g)
{
	struct list *n;

	for (n = g->shares.next; n != &g->shares; n = n->next)
		if (!list_empty(&container_of(n, struct blocks, share)->waiting))
			return true;
	return false;
}

bool
budget_is_short(const struct budget *g, size_t n)
{
	return !budget_has(g, g->used, n, true);
}

void
blocks_init(struct blocks *b, const char *name, size_t size, size_t max, size_t keep)
{
	*b = (struct blocks){ 0 };
	pool_init(&b->pool, name, size, max, keep);
	list_init(&b->waiting);
	list_init(&b->share);
}

void
blocks_share(struct blocks *b, struct budget *g, size_t cost, bool lasting)
{
	assert(b->pool.out == 0 && !b->budget);
	b->budget = g;
	b->cost = cost;
	b->lasting = lasting;
	list_append(&g->shares, &b->share);
}

size_t
blocks_fini(struct blocks *b)
{
	list_remove(&b->share);
	return pool_fini(&b->pool);
}

void
block_wait_init(struct block_wait *w, struct loop *l, struct task *owner)
{
	list_init(&w->node);
	w->loop = l;
	w->owner = owner;
	w->blocks = NULL;
}

/* One, where the budget has room for it. */
static void *
take(struct blocks *b)
{
	struct budget *g = b->budget;
	void *block;

	if (g && !budget_has(g, g->used, b->cost, b->lasting))
		return NULL;
	block = pool_take(&b->pool);
	if (block && g)
		g->used += b->cost;
	return block;
}

void *
blocks_get(struct blocks *b, struct block_wait *w)
{
	void *block = take(b);

	if (w->blocks == b)
		withdraw(w);
	else
		blocks_leave(w);
	if (block)
		return block;
	w->blocks = b;
	list_append(&b->waiting, &w->node);
	return NULL;
}

void
blocks_put(struct blocks *b, void *block)
{
	if (!block)
		return;
	pool_put(&b->pool, block);
	if (b->budget)
		budget_give(b->budget, b->cost);
	else
		call_some(b);
}

void
blocks_leave(struct block_wait *w)
{
	struct blocks *b = withdraw(w);

	if (b && b->budget)
		call_all(b->budget);
	else if (b)
		call_some(b);
}

void
blocks_pass(struct block_wait *w)
{
	if (is_called(w))
		blocks_leave(w);
}
