/* SPDX-License-Identifier: MIT */
#include "loop/backend.h"
#include "loop/loop.h"
#include "loop/turn.h"

#include <stddef.h>

void
timer_init(struct timer *t, struct loop *l, void (*fire)(struct timer *))
{
	*t = (struct timer){ .loop = l, .fire = fire };
}

void
timer_arm(struct timer *t, uint64_t ms)
{
	struct loop *l = t->loop;

	timer_stop(t);
	/* Between turns the time of the last one may be long ago: a program starts up. */
	if (!l->turning)
		l->now = backend_now(l->backend);
	t->node.key = ms < UINT64_MAX - 1 - l->now ? l->now + ms : UINT64_MAX - 1;
	t->armed = true;
	heap_insert(&l->timers, &t->node);
}

void
timer_stop(struct timer *t)
{
	if (!t->armed)
		return;
	heap_remove(t->due ? &t->loop->due : &t->loop->timers, &t->node);
	t->armed = t->due = false;
}

uint64_t
loop_next_timer(const struct loop *l)
{
	return l->timers.root ? l->timers.root->key : UINT64_MAX;
}

/* The first that is not later than `now`, or NULL. */
static struct timer *
first(const struct heap *h, uint64_t now)
{
	if (!h->root || h->root->key > now)
		return NULL;
	return container_of(h->root, struct timer, node);
}

/* The due ones are all set aside before the first of them fires: one that arms itself
 * again with 0 then waits for the next turn. */
void
loop_fire_timers(struct loop *l)
{
	struct timer *t;

	while ((t = first(&l->timers, l->now))) {
		heap_remove(&l->timers, &t->node);
		heap_insert(&l->due, &t->node);
		t->due = true;
	}
	while ((t = first(&l->due, l->now))) {
		timer_stop(t);
		t->fire(t);
	}
}
