/* SPDX-License-Identifier: MIT */
#include "stack/memory.h"
#include "stack/room.h"

#include <errno.h>

/*
 * A window is a promise of memory, and a ring is memory: the sum of each has a
 * bound.  A connection begins with little, and the less the more is promised;
 * its window doubles each time that as much as it holds has been taken by the
 * way out, up to three quarters of the room.  Beyond, what is taken of a large
 * window is not promised again.  The last quarter is for windows that are worth
 * a turn, since those that are idle, whose promises stand, may hold the rest;
 * and of that the last half for a segment each, and for those who still come.
 */

static uint32_t
lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Whether the promises, and `more`, are within so many eighths of the room. */
static bool
is_within(const struct stack *s, size_t more, unsigned eighths)
{
	return s->promised + more <= s->config.memory / 2 / 8 * eighths;
}

/* Half of the room is for first windows: of what is left of it, what each of an eighth of
 * all connections could have. */
static uint32_t
first_window(const struct stack *s)
{
	size_t half = s->config.memory / 2 / 2, some = s->config.conns_max / 8 + 1;
	size_t n = half > s->promised ? (half - s->promised) / some : 0;

	if (n < WINDOW_LEAST)
		return WINDOW_LEAST;
	return n < WINDOW_FIRST ? (uint32_t)n : WINDOW_FIRST;
}

/* Beyond what lwIP can tell it would keep nothing of what is given back. */
static uint32_t
window_most(const struct conn *c)
{
	return lesser(port_window_max(c), c->stack->config.window);
}

void
credit_begin(struct conn *c)
{
	c->offered = first_window(c->stack);
	c->stack->promised += c->offered;
}

void
credit_end(struct conn *c)
{
	c->stack->promised -= c->offered;
	c->offered = 0;
}

/* A window that is worth a turn. */
static uint32_t
window_fair(const struct conn *c)
{
	uint32_t two = 2 * (uint32_t)c->mss + WINDOW_UNIT;

	return lesser(two > WINDOW_FIRST ? two : WINDOW_FIRST, window_most(c));
}

/* Who has sent whole segments does not send smaller ones but after a silence: one of them
 * always fits. */
static uint32_t
window_scant(const struct conn *c)
{
	uint32_t one = c->mss + WINDOW_UNIT;

	return one > WINDOW_LEAST ? one : WINDOW_LEAST;
}

/* What a window shrinks to as things stand. */
static uint32_t
window_now(const struct conn *c)
{
	if (is_within(c->stack, 0, 6))
		return window_most(c);
	return is_within(c->stack, 0, 7) ? window_fair(c) : window_scant(c);
}

/* n bytes that were taken stay unpromised, as far as the window is larger than `least`. */
static void
withhold(struct conn *c, size_t n, uint32_t least)
{
	if (n > c->offered - least)
		n = c->offered - least;
	c->credit -= (uint32_t)n;
	c->offered -= (uint32_t)n;
	c->stack->promised -= n;
	c->drained = 0;
}

static void
grow(struct conn *c)
{
	struct stack *s = c->stack;
	uint32_t to = lesser(2 * c->offered, window_most(c));

	c->drained = 0;
	if (!is_within(s, to - c->offered, 6))
		to = lesser(to, window_fair(c));
	if (to > c->offered && !is_within(s, to - c->offered, 7))
		to = lesser(to, window_scant(c));
	if (to <= c->offered || !is_within(s, to - c->offered, 8))
		return;
	c->credit += to - c->offered;
	s->promised += to - c->offered;
	c->offered = to;
}

void
credit_take(struct conn *c, size_t n)
{
	uint32_t now;

	if (!c->pcb)
		return;
	c->credit += n;
	now = window_now(c);
	if (c->offered > now) {
		withhold(c, n, now);
		return;
	}
	c->drained += n;
	if (c->drained >= c->offered && c->offered < now)
		grow(c);
}

/* What is kept back so that each connection may have a small ring: those whose
 * applications do not read must not stop the others. */
static size_t
spare(const struct stack *s)
{
	size_t least = s->config.conns_max * RING_LEAST;

	return least < s->config.memory / 4 ? least : s->config.memory / 4;
}

/* Those that wait for a ring have it in turn, the one that waits longest first. */
static void
hungry_wait(struct conn *c)
{
	if (list_empty(&c->place))
		list_append(&c->stack->hungry, &c->place);
}

void
credit_call(struct stack *s)
{
	size_t most = s->config.memory / 2, room = most > s->rings ? most - s->rings : 0;

	while (room >= RING_LEAST && !list_empty(&s->hungry)) {
		conn_wake(container_of(list_take(&s->hungry), struct conn, place));
		room -= RING_LEAST;
	}
}

/* How much of `room` all rings may hold once one of `cap` bytes is among them: large ones
 * are for few.  Whoever comes when many applications do not read, which keep theirs, still
 * has one that is worth a turn. */
static size_t
rings_most(size_t cap, size_t room)
{
	if (cap > 512 * 1024)
		return room / 4;
	if (cap > 256 * 1024)
		return room / 8 * 3;
	if (cap > 64 * 1024)
		return room / 2;
	return cap > RING_FIRST ? room / 4 * 3 : room;
}

static void
ring_fit(struct conn *c, size_t held, size_t room)
{
	while (c->ring_cap > RING_FIRST &&
		held + c->ring_cap > rings_most(c->ring_cap, room))
		c->ring_cap /= 2;
}

int
credit_ring(struct conn *c)
{
	struct stack *s = c->stack;
	size_t most = s->config.memory / 2, few = most - spare(s);

	ring_fit(c, s->rings, few);
	if (s->rings + c->ring_cap > few)
		c->ring_cap = RING_LEAST;
	if (s->rings + c->ring_cap > most && s->rings > 0) {
		hungry_wait(c);
		return -EAGAIN;
	}
	c->ring = ring_new(c->ring_cap);
	if (!c->ring)
		return -ENOMEM;
	s->rings += c->ring->cap;
	return 0;
}

/* Where there is a small ring for each connection that may come, all of them may. */
bool
credit_is_short(const struct stack *s)
{
	size_t most = s->config.memory / 2;
	bool all_have = s->config.conns_max * RING_LEAST <= spare(s);

	return (!all_have && s->rings > most / 8 * 7) || memory_is_beyond(MEMORY_SHORT);
}

void
credit_ring_drop(struct conn *c)
{
	if (!c->ring)
		return;
	c->stack->rings -= c->ring->cap;
	ring_free(c->ring);
	c->ring = NULL;
}
