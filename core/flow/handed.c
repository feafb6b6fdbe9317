/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "base/random.h"
#include "flow/ending.h"
#include "flow/facts.h"
#include "flow/flows.h"
#include "flow/handback.h"
#include "platform/direct.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * A flow that was handed back.  There are many, hence the bits: a setup has at
 * most 1,024 outbounds and 4,096 rules, the source is one of the device's own
 * addresses, whose family is the target's, and the time is counted in tenths.
 */
struct handed {
	struct table_node node;
	struct list age;     /* in by_age */
	struct setup *setup; /* counted */
	uint32_t began;      /* loop time / TENTH */
	union {
		uint32_t seen; /* UDP, the same: the last datagram by the engine */
		uint32_t syn;  /* TCP: its first number, by which one is known that is
				* sent again */
	};
	uint16_t sport, tport;
	signed rule : 14, outbound : 11; /* numbers in the setup; -1: none */
	unsigned source : 3, network : 2;
	unsigned again : 1; /* the end of the one before, on the same ports, is still to
			     * come */
	unsigned over : 1;  /* nothing of these ends may be handed on for its sake */
	uint8_t target[16];
};

_Static_assert(TUN_ADDRS <= 8, "the number of an address has 3 bits");
_Static_assert(sizeof(struct handed) <= 72, "there are tens of thousands");

enum { TENTH = 100 }; /* ms */

struct ends {
	enum network network;
	const struct endpoint *source, *target;
	uint8_t number; /* of the source's address */
};

/* False: it is not one of the device's addresses. */
static bool
ends_set(struct ends *k, const struct flows *fs, enum network network,
	const struct endpoint *source, const struct endpoint *target)
{
	int number = flows_device(fs, &source->ip);

	*k = (struct ends){ network, source, target, (uint8_t)number };
	return number >= 0;
}

static uint64_t
ends_hash(const struct table *t, const struct ends *k)
{
	uint8_t key[24];
	struct writer w;

	writer_init(&w, key, sizeof(key));
	writer_u8(&w, (uint8_t)k->network);
	writer_u8(&w, k->number);
	writer_be16(&w, k->source->port);
	writer_be16(&w, k->target->port);
	writer_bytes(&w, k->target->ip.b, 16);
	return table_hash(t, key, w.len);
}

static bool
same(const struct table_node *n, const void *key)
{
	const struct handed *h = container_of(n, struct handed, node);
	const struct ends *k = key;

	return h->network == k->network && h->source == k->number &&
		h->sport == k->source->port && h->tport == k->target->port &&
		memcmp(h->target, k->target->ip.b, sizeof(h->target)) == 0;
}

static struct handed *
handed_find(const struct flows *fs, const struct ends *k)
{
	const struct table *t = &fs->handback.table;
	struct table_node *n = table_find(t, ends_hash(t, k), same, k);

	return n != NULL ? container_of(n, struct handed, node) : NULL;
}

/* NULL: it was not handed back, or is forgotten. */
static struct handed *
handed_of(const struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	struct ends k;

	return ends_set(&k, fs, network, source, target) ? handed_find(fs, &k) : NULL;
}

static uint32_t
now_of(const struct flows *fs)
{
	return (uint32_t)(loop_now(fs->loop) / TENTH);
}

/* A connection begins with a SYN, which revokes what was before.  A datagram may be a new
 * socket's, and is believed for as long as an association would be. */
enum handed_state
handed_look(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	struct handed *h = handed_of(fs, network, source, target);

	if (h == NULL)
		return HANDED_NOT;
	if (network == NETWORK_UDP && now_of(fs) - h->seen > HANDED_UDP_MS / TENTH)
		h->over = true;
	if (network == NETWORK_UDP)
		h->seen = now_of(fs);
	if (h->over)
		return HANDED_OVER;
	/* Where nobody tells of ends, it may have had one long ago. */
	return network == NETWORK_TCP && fs->handback.ends < 0 ? HANDED_NOT : HANDED_OPEN;
}

void
handed_revoke(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	struct handed *h = handed_of(fs, network, source, target);

	if (h != NULL)
		h->over = true;
}

static void
handed_free(struct flows *fs, struct handed *h)
{
	table_remove(&fs->handback.table, &h->node);
	list_remove(&h->age);
	setup_drop(h->setup);
	pool_put(&fs->handback.pool, h);
	fs->count.handed--;
}

static struct handed *
handed_new(struct flows *fs, const struct ends *k)
{
	struct handback *b = &fs->handback;
	struct handed *h;

	if (b->pool.out >= b->pool.max)
		handed_free(fs, container_of(b->by_age.next, struct handed, age));
	h = pool_get(&b->pool);
	if (h == NULL)
		return NULL;
	h->network = k->network;
	h->source = k->number;
	h->sport = k->source->port;
	h->tport = k->target->port;
	memcpy(h->target, k->target->ip.b, sizeof(h->target));
	list_init(&h->age);
	table_insert(&b->table, &h->node, ends_hash(&b->table, k));
	fs->count.handed++;
	return h;
}

/* Where the rules send it, by the setup of now. */
static void
handed_lead(struct flows *fs, struct handed *h, const struct verdict *v, int outbound)
{
	struct setup *old = h->setup;

	h->setup = setup_hold(fs->setup);
	setup_drop(old);
	h->rule = v->rule;
	h->outbound = outbound;
	h->over = false;
}

static void
handed_count(struct flows *fs, const struct handed *h)
{
	fs->count.handed_total++;
	if (h->network == NETWORK_TCP)
		fs->count.tcp_total++;
	else
		fs->count.udp_total++;
	if (h->outbound >= 0)
		h->setup->outbound[h->outbound]->tally.flows++;
}

void
handed_note(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target, uint32_t syn, const struct verdict *v,
	int outbound)
{
	bool again;
	struct handed *h;
	struct ends k;

	if (!ends_set(&k, fs, network, source, target))
		return;
	h = handed_find(fs, &k);
	if (h != NULL && network == NETWORK_TCP && h->syn == syn) {
		handed_lead(fs, h, v, outbound);
		return;
	}
	again = h != NULL;
	if (h == NULL)
		h = handed_new(fs, &k);
	if (h == NULL)
		return;
	handed_lead(fs, h, v, outbound);
	handed_count(fs, h);
	h->again = again;
	h->began = now_of(fs);
	h->seen = network == NETWORK_TCP ? syn : h->began;
	list_remove(&h->age);
	list_append(&fs->handback.by_age, &h->age);
}

/* Ends. */

/* A reset that answers the SYN is the end of what conntrack knew, which then has seen no
 * answer, but has counted it. */
static bool
is_refused(const struct net_direct_end *end)
{
	return end->network == NETWORK_TCP && !end->answered && end->down > 0;
}

static const char *
how_of(const struct net_direct_end *end, bool ending)
{
	if (!end->answered && end->down == 0)
		return "no answer";
	if (end->network != NETWORK_TCP)
		return ending ? "sluice ends" : "idle";
	if (is_refused(end))
		return "refused";
	if (end->reset)
		return ending ? "sluice ends" : "reset";
	if (!end->open)
		return "ended";
	return ending ? "sluice ends"
		      : "cut: the kernel forgot it, as when a network is lost";
}

/* Milliseconds since its end: conntrack tells of it later. */
static uint64_t
lateness(const struct flows *fs, const struct net_direct_end *end)
{
	bool waited = end->network == NETWORK_TCP && end->answered && !end->open;

	return waited && !fs->handback.ending ? NET_DIRECT_ENDED_MS : 0;
}

static uint64_t
duration_of(
	const struct flows *fs, const struct handed *h, const struct net_direct_end *end)
{
	uint64_t all = (uint64_t)(now_of(fs) - h->began) * TENTH;
	uint64_t late = lateness(fs, end);

	return all > late ? all - late : 0;
}

static void
end_log(struct flows *fs, const struct handed *h, const struct net_direct_end *end)
{
	char outbound[96];
	struct ending e = {
		.network = end->network,
		.source = end->source,
		.target = end->target,
		.name = fs->dns != NULL ? dns_name_of(fs->dns, &end->target.ip) : NULL,
		.rules = h->setup->rules,
		.rule = h->rule,
		.outbound = outbound,
		.up = end->up,
		.down = end->down,
		.duration = duration_of(fs, h, end),
		.how = how_of(end, fs->handback.ending),
	};

	if (!log_wants(LOG_INFO))
		return;
	snprintf(outbound, sizeof(outbound), "%s (kernel)",
		h->outbound >= 0 ? h->setup->outbound[h->outbound]->tag : "direct");
	ending_log(&e);
}

/* What is remembered of it; NULL: nothing. */
static struct handed *
handed_told(const struct flows *fs, const struct net_direct_end *end)
{
	return end->network == NETWORK_ICMP
		? NULL
		: handed_of(fs, end->network, &end->source, &end->target);
}

/* The tally that its bytes belong to.  What is not remembered (pings are not) went, as far
 * as is known, where the rules send it, and in any case directly.  NULL: nowhere. */
static struct outbound_tally *
tally_of(struct flows *fs, const struct handed *h, const struct net_direct_end *end)
{
	struct outbound *o;
	size_t i;

	if (h != NULL && h->outbound >= 0)
		return &h->setup->outbound[h->outbound]->tally;
	o = inquiry_way(
		fs->setup, fs->dns, fs->names, end->network, &end->source, &end->target);
	if (o != NULL && o->plain)
		return &o->tally;
	for (i = 0; i < fs->setup->noutbound; i++)
		if (fs->setup->outbound[i]->plain)
			return &fs->setup->outbound[i]->tally;
	return NULL;
}

/* When it was last answered is not told: at its end, at the latest. */
static void
answer_note(const struct flows *fs, struct outbound_tally *t,
	const struct net_direct_end *end)
{
	uint64_t when = loop_now(fs->loop), late = lateness(fs, end);

	when = when > late ? when - late : 0;
	if (end->answered && when > t->answered)
		t->answered = when;
}

static void
flow_ended(struct flows *fs, const struct net_direct_end *end)
{
	struct handed *h = handed_told(fs, end);
	struct outbound_tally *t = tally_of(fs, h, end);

	if (t != NULL) {
		t->up += end->up;
		t->down += end->down;
		answer_note(fs, t, end);
	}
	fs->count.up += end->up;
	fs->count.down += end->down;
	fs->count.refused += is_refused(end);
	if (h == NULL)
		return;
	end_log(fs, h, end);
	if (h->again && now_of(fs) - h->began < HANDED_NEW_MS / TENTH)
		h->again = false;
	else
		handed_free(fs, h);
}

/* 0: there may be more. */
static int
ends_read(struct flows *fs, int most)
{
	struct handback *b = &fs->handback;
	struct net_direct_end end;
	int r = 0;

	for (int i = 0; i < most && r == 0; i++) {
		r = net_direct_ended(b->ends, &end);
		if (r == 0)
			flow_ended(fs, &end);
	}
	if (r == -ENOBUFS)
		log_limited(&b->troubles, loop_now(fs->loop), LOG_WARNING,
			"flows in the kernel end faster than they can be counted: the "
			"totals lack some");
	return r == -ENOBUFS ? 0 : r;
}

static void
ends_run(struct task *t)
{
	struct handback *b = container_of(t, struct handback, task);

	b->watch.happened = 0;
	if (b->is_over != NULL && b->is_over(b->over_arg))
		b->ending = true;
	(void)ends_read(container_of(b, struct flows, handback), HANDED_TURN);
	watch_want(&b->watch, WATCH_READ);
}

static void
running_add(const struct net_direct_end *now, void *arg)
{
	struct flows *fs = arg;
	struct outbound_tally *t = tally_of(fs, handed_told(fs, now), now);

	if (t != NULL) {
		t->running_up += now->up;
		t->running_down += now->down;
	}
	fs->handback.running_up += now->up;
	fs->handback.running_down += now->down;
	/* What is at its end is kept for a while. */
	if (now->network == NETWORK_ICMP || (now->network == NETWORK_TCP && !now->open))
		return;
	fs->count.listed++;
	fs->count.seen += now->counted;
}

/* What has come since the last look, came by now at the latest. */
static void
outbound_see(struct flows *fs, struct outbound_tally *t)
{
	if (t->running_down > t->running_before)
		t->answered = loop_now(fs->loop);
	t->running_before = t->running_down;
}

void
flows_see(struct flows *fs, int list)
{
	struct outbound_tally *t;
	size_t i;

	/* What has ended meanwhile is in the list no more. */
	if (fs->handback.ends >= 0)
		(void)ends_read(fs, HANDED_TURN);
	for (i = 0; i < fs->setup->noutbound; i++) {
		t = &fs->setup->outbound[i]->tally;
		t->running_up = t->running_down = 0;
	}
	fs->handback.running_up = fs->handback.running_down = 0;
	fs->count.seen = fs->count.listed = 0;
	fs->handback.is_listed = list >= 0 &&
		net_direct_listed(list, running_add, fs) == 0;
	for (i = 0; i < fs->setup->noutbound; i++)
		outbound_see(fs, &fs->setup->outbound[i]->tally);
}

void
flows_read_ends(struct flows *fs)
{
	fs->handback.ending = true;
	/* All that there may be. */
	for (int i = 0; i < HANDED_MAX / HANDED_TURN && fs->handback.ends >= 0; i++)
		if (ends_read(fs, HANDED_TURN) < 0)
			return;
}

void
flows_follow(struct flows *fs, int fd, bool (*is_over)(void *arg), void *arg)
{
	struct handback *b = &fs->handback;

	b->is_over = is_over;
	b->over_arg = arg;
	b->ends = fd;
	task_init(&b->task, ends_run);
	watch_init(&b->watch, fs->loop, fd, &b->task);
	watch_want(&b->watch, WATCH_READ);
}

int
handed_init(struct flows *fs, size_t max)
{
	struct handback *b = &fs->handback;

	b->fd4 = b->fd6 = b->ends = -1;
	b->troubles.every = 60000;
	random_bytes(&b->fragment_id, sizeof(b->fragment_id));
	pool_init(&b->pool, "flows in the kernel", sizeof(struct handed), max, 256);
	list_init(&b->by_age);
	return table_init(&b->table, 64);
}

size_t
handed_fini(struct flows *fs)
{
	struct handback *b = &fs->handback;

	if (b->by_age.next == NULL)
		return 0;
	if (b->ends >= 0) {
		watch_fini(&b->watch);
		task_fini(&b->task);
	}
	while (!list_empty(&b->by_age))
		handed_free(fs, container_of(b->by_age.next, struct handed, age));
	table_fini(&b->table);
	return pool_fini(&b->pool);
}
