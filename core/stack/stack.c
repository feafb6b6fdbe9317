/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include "base/bytes.h"
#include "stack/sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNS_DEFAULT = 16384,
	HELD_DEFAULT = 1024,
	RING_DEFAULT = 1 << 20,
	WINDOW_DEFAULT = 256 * 1024,
	MEMORY_DEFAULT = 256 << 20,
	CONNS_KEEP = 256,
	HELD_KEEP = 64,
	FULLNESS_EVERY_MS = 60000,
};

uint64_t
tuple_hash(
	const struct table *t, const struct endpoint *app, const struct endpoint *target)
{
	uint8_t key[36];

	memcpy(key, app->ip.b, 16);
	memcpy(key + 16, target->ip.b, 16);
	be16_put(key + 32, app->port);
	be16_put(key + 34, target->port);
	return table_hash(t, key, sizeof(key));
}

void
stack_work(struct conn *c)
{
	if (c->ack_waits)
		list_remove(&c->work);
	c->ack_waits = false;
	if (list_empty(&c->work))
		list_append(&c->stack->work, &c->work);
}

void
stack_work_later(struct conn *c, bool wanted)
{
	struct stack *s = c->stack;

	if (c->ack_waits && !wanted) {
		list_remove(&c->work);
		c->ack_waits = false;
	}
	if (!wanted || !list_empty(&c->work))
		return;
	c->ack_waits = true;
	list_append(&s->acks, &c->work);
	if (!s->ack.armed)
		timer_arm(&s->ack, ACK_MS);
}

/* All of them: one that came a moment ago does not deserve a wake-up of its own. */
static void
acks_due(struct timer *t)
{
	struct stack *s = container_of(t, struct stack, ack);
	struct conn *c;

	while (!list_empty(&s->acks)) {
		c = container_of(s->acks.next, struct conn, work);
		c->ack_late = true;
		stack_work(c);
	}
}

/* The handshake is complete, or never will be. */
static void
opening_tell(struct conn *c)
{
	struct stack_user *u = c->stack->user;
	void *cookie = c->cookie;
	enum stack_gone why;

	if (c->accepted) {
		c->state = CONN_OPEN;
		c->owner = NULL;
		u->conn(u, cookie, &c->stream);
		return;
	}
	why = c->error == -ENOMEM ? STACK_GAVE_WAY : STACK_GAVE_UP;
	conn_release(c);
	u->gone(u, cookie, why);
}

void
stack_tell(struct stack *s)
{
	struct list *n;
	struct conn *c;

	while ((n = list_take(&s->news))) {
		c = container_of(n, struct conn, place);
		switch (c->state) {
		case CONN_OPENING:
			opening_tell(c);
			break;
		case CONN_DEAD:
			conn_release(c);
			break;
		case CONN_OPEN:
		case CONN_LINGERING:
		case CONN_DELIVERED:
			break;
		}
	}
}

/* Connections that the device stopped, in the order in which they were stopped; until it
 * stops them again. */
void
stack_unstick(struct stack *s)
{
	struct list again, *n;
	struct conn *c;

	list_init(&again);
	list_join(&again, &s->stuck);
	while (!s->full && (n = list_take(&again))) {
		c = container_of(n, struct conn, stuck);
		if (!c->pcb)
			continue;
		port_resume(c);
		stack_work(c);
	}
	list_join(&again, &s->stuck);
	list_join(&s->stuck, &again);
}

static void
turn_end(struct turn_end *e)
{
	struct stack *s = container_of(e, struct stack, end);
	struct list now, *n;

	stack_tell(s);
	list_init(&now);
	list_join(&now, &s->work);
	while ((n = list_take(&now)))
		conn_push(container_of(n, struct conn, work));
	if (list_empty(&s->acks))
		timer_stop(&s->ack);
	credit_call(s);
	stack_tell(s);
}

static size_t
within(size_t v, size_t least, size_t most)
{
	if (v < least)
		return least;
	return v > most ? most : v;
}

static void
config_fill(struct stack_config *c)
{
	c->mtu = (int)within((size_t)c->mtu, TUN_MTU_MIN, TUN_MTU_MAX);
	if (!c->conns_max)
		c->conns_max = CONNS_DEFAULT;
	if (!c->held_max)
		c->held_max = HELD_DEFAULT;
	c->held_max = within(c->held_max, 8, UINT16_MAX);
	c->ring = within(c->ring ? c->ring : RING_DEFAULT, 1024, RING_MAX);
	if (!c->memory)
		c->memory = MEMORY_DEFAULT;
	c->window = (uint32_t)within(
		c->window ? c->window : WINDOW_DEFAULT, WINDOW_FIRST, WINDOW_MAX);
}

/* In the order that stack_new built them. */
static size_t
parts_free(struct stack *s)
{
	size_t lost;

	reassembly_free(s->parts);
	table_fini(&s->helds);
	table_fini(&s->conns);
	lost = pool_fini(&s->held_pool);
	lost += pool_fini(&s->conn_pool);
	lost += lent_end(s);
	lost += device_end(s);
	rng_fini(&s->rng);
	free(s);
	return lost;
}

static void
lists_init(struct stack *s)
{
	list_init(&s->waits);
	list_init(&s->news);
	list_init(&s->work);
	list_init(&s->acks);
	list_init(&s->stuck);
	list_init(&s->opening);
	list_init(&s->lingering);
	list_init(&s->delivered);
	list_init(&s->hungry);
}

struct stack *
stack_new(struct loop *l, const struct stack_config *c, struct stack_user *user)
{
	struct stack *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = l;
	s->user = user;
	s->config = *c;
	config_fill(&s->config);
	lists_init(s);
	s->fullness.every = FULLNESS_EVERY_MS;
	device_begin(s);
	rng_init(&s->rng);
	rng_bytes(&s->rng, &s->fragment_id, sizeof(s->fragment_id));
	timer_init(&s->tick, l, port_tick);
	timer_init(&s->ack, l, acks_due);
	/* Beside the living: those that linger or have delivered, and a few that are dead
	 * and not told. */
	pool_init(&s->conn_pool, "connections", sizeof(struct conn),
		2 * s->config.conns_max + OPENING_MAX, CONNS_KEEP);
	/* One more than may be held: the one that is being asked about. */
	pool_init(&s->held_pool, "held SYNs", sizeof(struct held), s->config.held_max + 1,
		HELD_KEEP);
	s->parts = reassembly_new(l);
	if (!lent_begin(s) || !s->parts || table_init(&s->conns, 64) < 0 ||
		table_init(&s->helds, 64) < 0 || port_start(s) < 0) {
		parts_free(s);
		return NULL;
	}
	s->end.run = turn_end;
	loop_at_end(l, &s->end);
	return s;
}

size_t
stack_free(struct stack *s)
{
	size_t lost;

	if (!s)
		return 0;
	loop_not_at_end(s->loop, &s->end);
	admit_end(s);
	lost = port_end(s);
	return lost + parts_free(s);
}

const struct stack_counters *
stack_counters(const struct stack *s)
{
	return &s->n;
}

static int
take_segment(struct stack *s, const struct packet *k)
{
	struct segment g;
	int err = segment_read(&g, k);

	if (err == 0)
		admit_segment(s, &g);
	return err;
}

/* A super-packet stands for several datagrams of `segment` bytes, the last one shorter. */
static int
take_datagram(struct stack *s, const struct packet *k, const struct offload *o)
{
	struct stack_datagram sd;
	struct datagram d;
	int err;

	err = datagram_read(&d, k);
	if (err < 0)
		return err;
	sd = (struct stack_datagram){ d.app, d.target, d.p, d.len, 0, k->uncut };
	if (o && o->gso == OFFLOAD_UDP && d.len > o->segment)
		sd.segment = o->segment;
	if (sd.segment && d.len > sd.segment * DATAGRAMS_MAX)
		return -EBADMSG;
	s->user->datagram(s->user, &sd);
	return 0;
}

static int
take_ping(struct stack *s, const struct packet *k)
{
	struct ping g;
	int err = ping_read(&g, k);

	if (err == 0)
		s->user->echo(s->user, &k->source, &k->target, g.id, g.seq, g.p, g.len);
	return err;
}

static int
take_icmp6(struct stack *s, const struct packet *k)
{
	struct too_big t;
	int err = too_big_read(&t, k);

	if (err == -EPROTONOSUPPORT)
		return take_ping(s, k);
	if (err == 0)
		sizes_narrow(s, &t);
	return err;
}

static int
take_whole(struct stack *s, const struct packet *k, const struct offload *o)
{
	switch (k->proto) {
	case PROTO_TCP:
		return take_segment(s, k);
	case PROTO_UDP:
		return take_datagram(s, k, o);
	case PROTO_ICMP:
		return k->source.family == 4 ? take_ping(s, k) : -EPROTONOSUPPORT;
	case PROTO_ICMP6:
		return k->source.family == 6 ? take_icmp6(s, k) : -EPROTONOSUPPORT;
	default:
		return -EPROTONOSUPPORT;
	}
}

static int
take(struct stack *s, const void *p, size_t len, const struct offload *o)
{
	struct packet k;
	int r;

	r = packet_read(&k, p, len, o);
	if (r < 0)
		return r;
	if (!k.part) {
		s->now = (struct stack_packet){ p, len,
			(size_t)(k.p - (const uint8_t *)p) };
		if (o)
			s->now.offload = *o;
		r = take_whole(s, &k, o);
		s->now.p = NULL;
		return r;
	}
	r = reassembly_add(s->parts, &k);
	return r == 1 ? take_whole(s, &k, NULL) : r;
}

const struct stack_packet *
stack_packet(const struct stack *s)
{
	return s->now.p ? &s->now : NULL;
}

void
stack_input(struct stack *s, const void *p, size_t len, const struct offload *o)
{
	int r;

	s->n.in++;
	s->n.in_bytes += len;
	s->n.in_large += o && o->gso != OFFLOAD_NONE;
	r = take(s, p, len, o);
	if (r == -EBADMSG)
		s->n.malformed++;
	else if (r == -EPROTONOSUPPORT)
		s->n.unknown++;
	else if (r < 0)
		s->n.over_limit++;
	stack_tell(s);
}

void
stack_resume(struct stack *s)
{
	device_resume(s);
	stack_unstick(s);
	stack_tell(s);
}
