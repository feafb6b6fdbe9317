/* SPDX-License-Identifier: MIT */
#include "base/ring.h"

#include <assert.h>
#include <stdlib.h>

struct ring *
ring_new(size_t cap)
{
	uint32_t whole = 1;
	struct ring *r;

	if (cap > RING_CAP_MAX)
		return NULL;
	while (whole < cap)
		whole *= 2;
	r = malloc(sizeof(*r) + whole);
	if (r)
		*r = (struct ring){ .cap = whole };
	return r;
}

void
ring_free(struct ring *r)
{
	free(r);
}

/* What lies in one piece of the n bytes that start at the ever-growing `from`. */
static size_t
piece(struct ring *r, uint32_t from, size_t n, uint8_t **p)
{
	uint32_t at = from & (r->cap - 1);

	*p = r->mem + at;
	return n < r->cap - at ? n : r->cap - at;
}

size_t
ring_room(struct ring *r, uint8_t **p)
{
	return piece(r, r->put, r->cap - ring_held(r), p);
}

void
ring_put(struct ring *r, size_t n)
{
	assert(n <= r->cap - ring_held(r));
	r->put += (uint32_t)n;
}

size_t
ring_unsent(struct ring *r, uint8_t **p)
{
	return piece(r, r->sent, r->put - r->sent, p);
}

void
ring_sent(struct ring *r, size_t n)
{
	assert(n <= r->put - r->sent);
	r->sent += (uint32_t)n;
}

void
ring_done(struct ring *r, size_t n)
{
	assert(n <= r->sent - r->done);
	r->done += (uint32_t)n;
}

size_t
ring_held(const struct ring *r)
{
	return r->put - r->done;
}
