/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include <errno.h>

/*
 * A window is a promise of memory, and a ring is memory: the sum of each has a
 * bound.  A connection begins with little; its window doubles each time that as
 * much as it holds has been taken by the way out, for as long as there is room.
 * Where there is hardly any left, what is taken is not promised again, until the
 * window is a small one.
 */

/* Whether the promises leave a quarter of the room at most. */
static bool
is_pressed(const struct stack *s)
{
	return s->promised > s->config.memory / 2 / 4 * 3;
}

void
credit_begin(struct conn *c)
{
	struct stack *s = c->stack;

	c->offered = s->config.window < WINDOW_MIN ? s->config.window : WINDOW_MIN;
	s->promised += c->offered;
}

void
credit_end(struct conn *c)
{
	c->stack->promised -= c->offered;
	c->offered = 0;
}

/* How many of n bytes that were taken stay unpromised. */
static size_t
withheld(struct conn *c, size_t n)
{
	size_t most = c->offered > WINDOW_MIN ? c->offered - WINDOW_MIN : 0;

	if (n > most)
		n = most;
	c->offered -= (uint32_t)n;
	c->stack->promised -= n;
	c->drained = 0;
	return n;
}

static void
grow(struct conn *c)
{
	struct stack *s = c->stack;
	uint32_t more = c->offered;

	c->drained = 0;
	if (more > s->config.window - c->offered)
		more = s->config.window - c->offered;
	if (s->promised + more > s->config.memory / 2)
		return;
	c->offered += more;
	s->promised += more;
	c->credit += more;
}

void
credit_take(struct conn *c, size_t n)
{
	if (!c->pcb)
		return;
	c->credit += n;
	if (is_pressed(c->stack)) {
		c->credit -= withheld(c, n);
		return;
	}
	c->drained += n;
	if (c->drained >= c->offered && c->offered < c->stack->config.window)
		grow(c);
}

int
credit_ring(struct conn *c)
{
	struct stack *s = c->stack;
	int err;

	if (s->rings + c->ring_cap > s->config.memory / 2 && c->ring_cap > RING_FIRST)
		c->ring_cap = RING_FIRST;
	err = ring_init(&c->ring, c->ring_cap);
	if (err == 0)
		s->rings += c->ring.cap;
	return err;
}

void
credit_ring_drop(struct conn *c)
{
	if (!c->ring.mem)
		return;
	c->stack->rings -= c->ring.cap;
	ring_fini(&c->ring);
}
