/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

enum {
	ALIGN = 64,
	/* On a line of a rate, packets of a row arrive together if they leave in this
	 * time, as they do behind a network card that gathers them. */
	TOGETHER_NS = 250000,
};

struct record {
	uint64_t due;
	size_t len; /* of the packet */
	struct packet p;
};

/* The longest record, and the step to the one behind a packet of `len` bytes. */
static const size_t record_most = (sizeof(struct record) + ALIGN) & ~(size_t)(ALIGN - 1);

static size_t
record_step(size_t len)
{
	return (offsetof(struct record, p.b) + len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* splitmix64, in (0, 1]. */
static double
draw(struct line *l)
{
	uint64_t x = l->random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return ((double)((x ^ x >> 31) >> 11) + 1) / 9007199254740992.0;
}

/* Each packet is lost by itself, so that the gaps are of a geometric distribution. */
static void
gap_draw(struct line *l)
{
	if (l->spec.loss <= 0)
		l->until_loss = UINT64_MAX;
	else
		l->until_loss = (uint64_t)(log(draw(l)) / log1p(-l->spec.loss));
}

int
line_init(struct line *l, const struct line_spec *spec, uint64_t salt)
{
	*l = (struct line){ .spec = *spec, .end = LINE_BYTES };
	l->random = spec->seed * 2 + salt;
	gap_draw(l);
	l->mem = mmap(NULL, LINE_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return l->mem == MAP_FAILED ? -1 : 0;
}

static struct record *
record_at(struct line *l, size_t at)
{
	return (struct record *)(void *)(l->mem + at);
}

static bool
is_empty(const struct line *l)
{
	return l->put == l->got;
}

/* Where the next record goes; NULL: there is no room for it. */
static struct record *
record_room(struct line *l)
{
	if (is_empty(l)) {
		l->put = l->got = 0;
		l->end = LINE_BYTES;
	}
	if (l->put >= l->got && LINE_BYTES - l->put < record_most) {
		if (l->got <= record_most)
			return NULL;
		l->end = l->put;
		l->put = 0;
	}
	if (l->put < l->got && l->got - l->put <= record_most)
		return NULL;
	return record_at(l, l->put);
}

struct packet *
line_room(struct line *l)
{
	struct record *r = record_room(l);

	return r ? &r->p : NULL;
}

/* When the bytes have left on a line of this rate; 0: there is no room to wait in. */
static uint64_t
leaves_at(struct line *l, size_t bytes, uint64_t now)
{
	uint64_t begins = l->free_at > now ? l->free_at : now;

	if (l->spec.rate <= 0)
		return now;
	if ((double)(begins - now) * l->spec.rate > (double)l->spec.queue)
		return 0;
	l->free_at = begins + (uint64_t)((double)bytes / l->spec.rate);
	return l->free_at;
}

/* The packet in the room is on its way. */
static void
record_put(struct line *l, size_t len, uint64_t leaves)
{
	struct record *r = record_at(l, l->put);

	r->due = leaves + l->spec.delay;
	r->len = len;
	l->put += record_step(len);
}

static bool
is_lost(struct line *l)
{
	if (l->until_loss > 0) {
		l->until_loss--;
		return false;
	}
	gap_draw(l);
	l->n.lost++;
	return true;
}

/* Part of a row; a copy of the whole of it is in `p`. */
static void
part_put(struct line *l, const struct packet *p, size_t len, size_t from, size_t end,
	uint64_t leaves)
{
	struct record *r;

	if (from == end)
		return;
	r = record_room(l);
	if (!r) {
		l->n.overrun += end - from;
		return;
	}
	record_put(l, packet_cut(&r->p, p, len, from, end), leaves);
}

/* Decides about each packet of a row, and puts what stays together as one. */
static void
row_put(struct line *l, const struct packet *p, size_t len, size_t segments, uint64_t now)
{
	uint64_t first = 0, leaves = 0, then;
	size_t from = 0, i;
	bool gone;

	for (i = 0; i < segments; i++) {
		then = leaves_at(l, packet_wire(p, len, i, i + 1), now);
		l->n.dropped += then == 0;
		gone = then == 0 || is_lost(l);
		if (gone || (from < i && then - first > TOGETHER_NS)) {
			part_put(l, p, len, from, i, leaves);
			from = i + gone;
		}
		if (gone)
			continue;
		if (from == i)
			first = then;
		leaves = then;
	}
	part_put(l, p, len, from, segments, leaves);
}

static void
count(struct line *l, size_t segments, size_t bytes)
{
	l->n.reads++;
	l->n.packets += segments;
	l->n.bytes += bytes;
}

void
line_take(struct line *l, struct packet *p, size_t len, uint64_t now)
{
	static _Thread_local struct packet whole;
	size_t segments = packet_segments(p, len);
	uint64_t leaves;

	count(l, segments, packet_wire(p, len, 0, segments));
	if (segments == 1) {
		leaves = leaves_at(l, len, now);
		l->n.dropped += leaves == 0;
		if (leaves && !is_lost(l))
			record_put(l, len, leaves);
	} else if (l->spec.rate <= 0 && l->until_loss >= segments) {
		l->until_loss -= l->until_loss == UINT64_MAX ? 0 : segments;
		record_put(l, len, now);
	} else {
		memcpy(&whole, p, offsetof(struct packet, b) + len);
		row_put(l, &whole, len, segments, now);
	}
}

void
line_overrun(struct line *l, const struct packet *p, size_t len)
{
	size_t segments = packet_segments(p, len);

	count(l, segments, packet_wire(p, len, 0, segments));
	l->n.overrun += segments;
}

/* The oldest one, behind the gap at the end of the ring, if it has come there. */
static size_t
oldest(const struct line *l)
{
	return l->got == l->end && l->put < l->got ? 0 : l->got;
}

uint64_t
line_due(const struct line *l)
{
	const uint8_t *at = l->mem + oldest(l);

	return is_empty(l) ? UINT64_MAX : ((const struct record *)(const void *)at)->due;
}

struct packet *
line_first(struct line *l, size_t *len)
{
	struct record *r;

	if (oldest(l) != l->got) {
		l->got = 0;
		l->end = LINE_BYTES;
	}
	r = record_at(l, l->got);
	*len = r->len;
	return &r->p;
}

void
line_leave(struct line *l, uint64_t now, bool arrived)
{
	struct record *r = record_at(l, l->got);
	size_t segments = packet_segments(&r->p, r->len);
	uint64_t late = now > r->due ? now - r->due : 0;

	if (arrived)
		l->n.left += segments;
	else
		l->n.refused += segments;
	l->n.late_sum += late;
	l->n.late_n++;
	l->n.late_max = late > l->n.late_max ? late : l->n.late_max;
	l->got += record_step(r->len);
}
