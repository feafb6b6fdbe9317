/* SPDX-License-Identifier: MIT */
#include "stack/reassembly.h"

#include "base/list.h"
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT = 8, UNITS = 65536 / UNIT, GROW = 4096 };

/* A packet of which some is there.  `have` holds a bit for every eight bytes. */
struct parcel {
	struct list node; /* oldest first */
	struct ip source, target;
	uint8_t proto;
	uint32_t id;
	uint64_t until;
	uint8_t *mem;
	size_t cap, total; /* total: 0 until the last fragment has come */
	size_t units;      /* bits that are set */
	uint8_t have[UNITS / 8];
};

struct reassembly {
	struct loop *loop;
	struct list parcels;
	struct pool pool;
	struct timer timer;
	struct parcel *whole; /* lent to the caller */
	size_t n, bytes;
};

static struct parcel *
parcel_new(struct reassembly *m, const struct packet *k)
{
	struct parcel *c = pool_get(&m->pool);

	if (!c)
		return NULL;
	c->source = k->source;
	c->target = k->target;
	c->proto = k->proto;
	c->id = k->id;
	c->until = loop_now(m->loop) + REASSEMBLY_MS;
	list_init(&c->node);
	list_append(&m->parcels, &c->node);
	m->n++;
	return c;
}

static void
parcel_free(struct reassembly *m, struct parcel *c)
{
	if (!c)
		return;
	list_remove(&c->node);
	m->n--;
	m->bytes -= c->cap;
	free(c->mem);
	pool_put(&m->pool, c);
}

static struct parcel *
oldest(const struct reassembly *m)
{
	if (list_empty(&m->parcels))
		return NULL;
	return container_of(m->parcels.next, struct parcel, node);
}

/* Gives up what is too old, and waits for what is left. */
static void
expire(struct timer *t)
{
	struct reassembly *m = container_of(t, struct reassembly, timer);
	uint64_t now = loop_now(m->loop);
	struct parcel *c;

	while ((c = oldest(m)) && c->until <= now)
		parcel_free(m, c);
	if (c)
		timer_arm(&m->timer, c->until - now);
}

struct reassembly *
reassembly_new(struct loop *l)
{
	struct reassembly *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->loop = l;
	list_init(&m->parcels);
	/* The packet that is lent is in no list. */
	pool_init(
		&m->pool, "fragments", sizeof(struct parcel), REASSEMBLY_PACKETS + 1, 1);
	timer_init(&m->timer, l, expire);
	return m;
}

static void
give_back(struct reassembly *m)
{
	if (m->whole)
		parcel_free(m, m->whole);
	m->whole = NULL;
	if (m->n == 0)
		timer_stop(&m->timer);
}

void
reassembly_free(struct reassembly *m)
{
	if (!m)
		return;
	give_back(m);
	while (oldest(m))
		parcel_free(m, oldest(m));
	timer_stop(&m->timer);
	pool_fini(&m->pool);
	free(m);
}

/* IPv4 tells packets apart by the protocol too (RFC 791 3.2); for IPv6 it does no harm, as
 * no two fragments of a packet differ in it. */
static struct parcel *
parcel_find(const struct reassembly *m, const struct packet *k)
{
	struct parcel *c;
	struct list *n;

	for (n = m->parcels.next; n != &m->parcels; n = n->next) {
		c = container_of(n, struct parcel, node);
		if (c->id == k->id && c->proto == k->proto &&
			ip_equal(&c->source, &k->source) &&
			ip_equal(&c->target, &k->target))
			return c;
	}
	return NULL;
}

/* How many of the units that k covers are there already. */
static size_t
units_there(const struct parcel *c, const struct packet *k)
{
	size_t i, n = 0;

	for (i = k->offset / UNIT; i * UNIT < k->offset + k->len; i++)
		n += c->have[i / 8] >> (i % 8) & 1;
	return n;
}

static size_t
units_of(size_t len)
{
	return (len + UNIT - 1) / UNIT;
}

static int
room_make(struct reassembly *m, struct parcel *c, size_t end)
{
	size_t cap = (end + GROW - 1) / GROW * GROW;
	uint8_t *mem;

	if (end <= c->cap)
		return 0;
	while (m->bytes - c->cap + cap > REASSEMBLY_BYTES && oldest(m) != c)
		parcel_free(m, oldest(m));
	if (m->bytes - c->cap + cap > REASSEMBLY_BYTES)
		return -ENOMEM;
	mem = realloc(c->mem, cap);
	if (!mem)
		return -ENOMEM;
	m->bytes += cap - c->cap;
	c->mem = mem;
	c->cap = cap;
	return 0;
}

static void
part_put(struct parcel *c, const struct packet *k)
{
	size_t i;

	assert(c->mem);
	memcpy(c->mem + k->offset, k->p, k->len);
	for (i = k->offset / UNIT; i * UNIT < k->offset + k->len; i++)
		c->have[i / 8] |= (uint8_t)(1u << (i % 8));
	c->units += units_of(k->len);
	if (!k->more)
		c->total = k->offset + k->len;
}

/* The last fragment says how long the packet is; no other may say otherwise. */
static bool
end_fits(const struct parcel *c, const struct packet *k)
{
	size_t i, end = k->offset + k->len;

	if (c->total)
		return k->more ? end <= c->total : end == c->total;
	if (k->more)
		return true;
	for (i = units_of(end); i < UNITS; i++)
		if (c->have[i / 8] >> (i % 8) & 1)
			return false;
	return true;
}

/* 1: new; 0: there already; -EBADMSG: neither. */
static int
part_check(const struct parcel *c, const struct packet *k)
{
	size_t there = units_there(c, k);

	if (!end_fits(c, k))
		return -EBADMSG;
	if (there == 0)
		return 1;
	return there == units_of(k->len) ? 0 : -EBADMSG;
}

static struct parcel *
parcel_for(struct reassembly *m, const struct packet *k)
{
	struct parcel *c = parcel_find(m, k);

	if (c)
		return c;
	if (m->n >= REASSEMBLY_PACKETS)
		parcel_free(m, oldest(m));
	c = parcel_new(m, k);
	if (c && !m->timer.armed)
		timer_arm(&m->timer, REASSEMBLY_MS);
	return c;
}

int
reassembly_add(struct reassembly *m, struct packet *k)
{
	struct parcel *c;
	int r;

	give_back(m);
	c = parcel_for(m, k);
	if (!c)
		return -ENOMEM;
	r = part_check(c, k);
	if (r == 1)
		r = room_make(m, c, k->offset + k->len) < 0 ? -ENOMEM : 1;
	if (r < 0)
		parcel_free(m, c);
	if (r != 1)
		return r;
	part_put(c, k);
	if (!c->total || c->units < units_of(c->total))
		return 0;
	/* Out of the list, so that room for others is not made by freeing it. */
	list_remove(&c->node);
	m->whole = c;
	k->p = c->mem;
	k->len = c->total;
	k->part = false;
	k->verified = false; /* the device saw its parts only */
	return 1;
}
