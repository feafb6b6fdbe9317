/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include "base/bytes.h"
#include "stack/memory.h"

#include <string.h>

#include "lwip/pbuf.h"

/*
 * What the device is read into.  A large segment is not copied: lwIP gets the
 * memory that it was read into, which comes back when the application's bytes
 * have been passed on.  Small ones are, so that no window is filled with blocks
 * that are mostly empty.
 */
struct lent {
	struct pbuf_custom pbuf;
	struct stack *stack;
	uint8_t bytes[TUN_PACKET];
};

/* Bytes from which on a packet keeps its block; less than half of it is never empty. */
enum { LENT_LEAST = TUN_PACKET / 2 };

bool
lent_begin(struct stack *s)
{
	size_t max = s->config.memory / 8 / sizeof(struct lent);

	if (max > LENT_MAX)
		max = LENT_MAX;
	pool_init(&s->lent_pool, "large packets", sizeof(struct lent), max > 2 ? max : 2,
		LENT_KEEP);
	s->reading = pool_take(&s->lent_pool);
	return s->reading != NULL;
}

size_t
lent_end(struct stack *s)
{
	pool_put(&s->lent_pool, s->reading);
	s->reading = NULL;
	return pool_fini(&s->lent_pool);
}

size_t
stack_memory(const struct stack *s)
{
	return s->rings + memory_used() + s->lent_pool.out * sizeof(struct lent) +
		s->conn_pool.out * s->conn_pool.size;
}

void *
stack_buffer(struct stack *s)
{
	return s->reading->bytes;
}

static void
lent_free(struct pbuf *p)
{
	struct lent *l = container_of(p, struct lent, pbuf.pbuf);

	pool_put(&l->stack->lent_pool, l);
}

/* Whether the payload of g lies in the block that is being read into, with room for a
 * header before it. */
static bool
is_lent(const struct lent *l, const struct segment *g)
{
	uintptr_t at = (uintptr_t)g->p, from = (uintptr_t)l->bytes;

	return g->len >= LENT_LEAST && at >= from + TCP_HEADER &&
		at + g->len <= from + sizeof(l->bytes);
}

struct pbuf *
lent_keep(struct stack *s, const struct segment *g, const uint8_t head[static TCP_HEADER])
{
	struct lent *l = s->reading, *next;
	uint8_t *p;

	if (!is_lent(l, g))
		return NULL;
	next = pool_take(&s->lent_pool);
	if (!next)
		return NULL;
	s->reading = next;
	l->stack = s;
	l->pbuf.custom_free_function = lent_free;
	p = l->bytes + (g->p - l->bytes) - TCP_HEADER;
	memcpy(p, head, TCP_HEADER);
	return pbuf_alloced_custom(PBUF_RAW, (u16_t)(TCP_HEADER + g->len), PBUF_REF,
		&l->pbuf, p, (u16_t)(TCP_HEADER + g->len));
}
