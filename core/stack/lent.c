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

/* NULL where it must be copied. */
static struct pbuf *
keep(struct stack *s, const struct segment *g, const uint8_t head[static TCP_HEADER])
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

/* Our own words for what the SYN asked: lwIP never reads a stranger's options.  Of a
 * timestamp it hears that there is one; it cannot read all of them (it shifts a byte into
 * the sign). */
static size_t
options_write(struct writer *w, const struct syn_options *o)
{
	size_t from = w->len;

	if (!o)
		return 0;
	if (o->mss) {
		writer_be16(w, 0x0204);
		writer_be16(w, o->mss < MSS_MIN ? MSS_MIN : o->mss);
	}
	if (o->scale >= 0)
		writer_be32(w, 0x01030300 | (uint32_t)o->scale);
	if (o->sack)
		writer_be32(w, 0x01010402);
	if (o->stamped) {
		writer_be32(w, 0x0101080a);
		writer_be32(w, 0);
		writer_be32(w, 0);
	}
	return w->len - from;
}

struct pbuf *
lent_segment(struct stack *s, const struct segment *g, const struct syn_options *o)
{
	uint8_t head[TCP_HEADER_MAX];
	struct writer w;
	struct pbuf *p;
	size_t optlen;

	writer_init(&w, head, sizeof(head));
	writer_be16(&w, g->app.port);
	writer_be16(&w, g->target.port);
	writer_be32(&w, g->seq);
	writer_be32(&w, g->ack);
	writer_be16(&w, 0);
	writer_be16(&w, g->window);
	writer_be32(&w, 0);
	optlen = options_write(&w, o);
	head[12] = (uint8_t)((TCP_HEADER + optlen) / 4 << 4);
	head[13] = g->flags & (uint8_t)~SEGMENT_URG;
	p = optlen ? NULL : keep(s, g, head);
	if (p)
		return p;
	p = pbuf_alloc(PBUF_RAW, (u16_t)(w.len + g->len), PBUF_RAM);
	if (!p)
		return NULL;
	memcpy(p->payload, head, w.len);
	if (g->len)
		memcpy((uint8_t *)p->payload + w.len, g->p, g->len);
	return p;
}
