/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "flow/ending.h"
#include "flow/leg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Keys: a source alone, or a source, a target and whom the application asked. */
enum { KEY_ENDPOINT = 1 + 16 + 2 };

static void
endpoint_write(struct writer *w, const struct endpoint *e)
{
	writer_u8(w, e->ip.family);
	writer_bytes(w, e->ip.b, sizeof(e->ip.b));
	writer_be16(w, e->port);
}

static uint64_t
source_hash(const struct assocs *a, const struct endpoint *source)
{
	uint8_t key[KEY_ENDPOINT];
	struct writer w;

	writer_init(&w, key, sizeof(key));
	endpoint_write(&w, source);
	return table_hash(&a->by_source, key, w.len);
}

static uint64_t
route_hash(const struct assocs *a, const struct assoc_route_key *k)
{
	uint8_t key[2 * KEY_ENDPOINT + 1];
	struct writer w;

	writer_init(&w, key, sizeof(key));
	endpoint_write(&w, &k->source);
	endpoint_write(&w, &k->target);
	writer_u8(&w, k->ours);
	return table_hash(&a->by_route, key, w.len);
}

static bool
source_same(const struct table_node *n, const void *key)
{
	const struct assoc *a = container_of(n, struct assoc, in_table);

	return endpoint_equal(&a->source, key);
}

static bool
route_same(const struct table_node *n, const void *key)
{
	const struct assoc_route *r = container_of(n, struct assoc_route, in_table);
	const struct assoc_route_key *k = key;

	return endpoint_equal(&r->assoc->source, &k->source) &&
		endpoint_equal(&r->target, &k->target) && r->ours == k->ours;
}

/* Routes. */

static void
route_log(const struct assoc_route *r, const char *how)
{
	const struct assoc *a = r->assoc;
	struct ending e = {
		.network = NETWORK_UDP,
		.source = a->source,
		.target = *assoc_route_seen_as(r),
		.name = r->name,
		.rules = r->setup->rules,
		.rule = r->rule,
		.outbound = r->outbound->tag,
		.up = r->up,
		.down = r->down,
		.duration = loop_now(a->flows->loop) - r->began,
		.how = how,
	};

	ending_log(&e);
}

static void
route_free(struct assoc_route *r, const char *how)
{
	struct assoc *a = r->assoc;
	struct assocs *all = &a->flows->assocs;

	route_log(r, how);
	leg_leave(r);
	list_remove(&r->node);
	table_remove(&all->by_route, &r->in_table);
	a->nroutes--;
	setup_drop(r->setup);
	free(r->name);
	pool_put(&all->routes, r);
}

/* What the rules say about a target. False: there is no way to it. */
static bool
route_decide(struct assoc_route *r)
{
	struct flows *fs = r->assoc->flows;
	struct target to = { .ip = r->target.ip, .port = r->target.port };
	enum inquiry_answer answer;
	struct inquiry q;
	struct verdict v;

	inquiry_begin(&q, r->setup, fs->dns, fs->names);
	inquiry_about(&q, NETWORK_UDP, &r->assoc->source, &to);
	q.to_local = r->ours && dns_is_local(fs->dns, &r->target);
	answer = inquiry_decide(&q, &v, NULL);
	if (q.facts.name != NULL)
		r->name = strdup(q.facts.name);
	r->outbound = answer == INQUIRY_DECIDED ? inquiry_outbound(&q, &v) : NULL;
	r->rule = (int16_t)v.rule;
	inquiry_fini(&q);
	return r->outbound != NULL &&
		!(r->outbound->ops->direct && flows_lead_back(fs, &to.ip));
}

static struct assoc_route *
route_new(struct assoc *a, const struct assoc_route_key *k)
{
	struct assocs *all = &a->flows->assocs;
	struct assoc_route *r = pool_get(&all->routes);

	if (r == NULL)
		return NULL;
	r->assoc = a;
	r->target = k->target;
	r->ours = k->ours;
	r->setup = setup_hold(a->flows->setup);
	r->began = loop_now(a->flows->loop);
	list_init(&r->node);
	if (!route_decide(r)) {
		setup_drop(r->setup);
		free(r->name);
		pool_put(&all->routes, r);
		return NULL;
	}
	list_append(&a->routes, &r->node);
	table_insert(&all->by_route, &r->in_table, route_hash(all, k));
	a->nroutes++;
	return r;
}

struct assoc_route *
assoc_route_find(struct assocs *all, const struct assoc_route_key *k)
{
	struct table_node *n = table_find(
		&all->by_route, route_hash(all, k), route_same, k);

	return n != NULL ? container_of(n, struct assoc_route, in_table) : NULL;
}

bool
assoc_has(struct flows *fs, const struct endpoint *source, const struct endpoint *target)
{
	struct assoc_route_key k = { .source = *source, .target = *target };

	return assoc_route_find(&fs->assocs, &k) != NULL;
}

/* Associations. */

static void
resting_leave(struct assoc *a)
{
	struct assocs *all = &a->flows->assocs;

	list_remove(&a->node);
	(a->answered ? &all->answered : &all->by_use)->n--;
}

/* It was used now: all others in r were before. */
static void
resting_join(struct assoc *a, struct resting *r)
{
	a->answered = r == &a->flows->assocs.answered;
	list_append(&r->list, &a->node);
	r->n++;
	if (!r->timer.armed)
		timer_arm(&r->timer, r->limit);
}

static void
assoc_end(struct assoc *a, const char *how)
{
	struct flows *fs = a->flows;

	while (!list_empty(&a->routes))
		route_free(container_of(a->routes.next, struct assoc_route, node), how);
	while (!list_empty(&a->legs))
		leg_free(container_of(a->legs.next, struct leg, node));
	table_remove(&fs->assocs.by_source, &a->in_table);
	resting_leave(a);
	list_append(&fs->assocs.dead, &a->node);
	fs->count.udp--;
}

/* Whether all that it did was to ask resolvers, and they have answered. */
static bool
only_answered_queries(const struct assoc *a)
{
	for (struct list *n = a->routes.next; n != &a->routes; n = n->next) {
		const struct assoc_route *r = container_of(n, struct assoc_route, node);

		if (r->target.port != 53 || r->unanswered > 0)
			return false;
	}
	return !list_empty(&a->routes);
}

static uint32_t
route_idle(const struct assoc_route *r)
{
	return (uint32_t)loop_now(r->assoc->flows->loop) - r->used;
}

/* Targets that are no longer spoken to go, with the legs that only they use. */
static void
idle_routes_free(struct assoc *a)
{
	while (!list_empty(&a->routes)) {
		struct assoc_route *r = container_of(
			a->routes.next, struct assoc_route, node);

		if (route_idle(r) < a->flows->assocs.by_use.limit)
			return;
		route_free(r, "idle");
	}
}

/* When its route was used that was last; one that has none is of no use. */
static uint64_t
assoc_idle(const struct assoc *a)
{
	if (list_empty(&a->routes))
		return UINT64_MAX;
	return route_idle(container_of(a->routes.prev, struct assoc_route, node));
}

/* NULL: there is none. */
static struct assoc *
resting_first(const struct resting *r)
{
	return list_empty(&r->list) ? NULL
				    : container_of(r->list.next, struct assoc, node);
}

static void
resting_over(struct timer *t)
{
	struct resting *r = container_of(t, struct resting, timer);
	struct assoc *a;

	while ((a = resting_first(r)) != NULL) {
		uint64_t idle = assoc_idle(a);

		if (idle < r->limit) {
			timer_arm(t, r->limit - idle);
			return;
		}
		assoc_end(a, r->how);
	}
}

/* r is used: so is its association, which may have more to say than the questions that
 * were answered. */
void
assoc_route_used(struct assoc_route *r)
{
	struct assoc *a = r->assoc;

	r->used = (uint32_t)loop_now(a->flows->loop);
	list_remove(&r->node);
	list_append(&a->routes, &r->node);
	resting_leave(a);
	resting_join(a, &a->flows->assocs.by_use);
	idle_routes_free(a);
}

void
assoc_route_sent(struct assoc_route *r, size_t len, uint32_t count)
{
	r->unanswered += count;
	r->up += len;
	flows_note_bytes(r->assoc->flows, r->outbound, len, 0);
}

void
assoc_answered(struct assoc *a, const struct endpoint *from, size_t len, uint32_t count)
{
	struct assoc_route_key k = { .source = a->source, .target = *from };
	struct assoc_route *r = assoc_route_find(&a->flows->assocs, &k);

	/* From where the application never sent to: it is let in (RFC 4787, 5:
	 * endpoint-independent filtering), and keeps nothing alive. */
	if (r != NULL)
		assoc_route_answered(r, len, count);
}

/* A resolver's answer was the last thing that a socket waited for, mostly. */
static void
query_answered(struct assoc *a)
{
	struct resting *answered = &a->flows->assocs.answered;

	if (!only_answered_queries(a))
		return;
	resting_leave(a);
	resting_join(a, answered);
	if (answered->n > ANSWERED_MAX)
		assoc_end(resting_first(answered), answered->how);
}

void
assoc_route_answered(struct assoc_route *r, size_t len, uint32_t count)
{
	r->unanswered -= count < r->unanswered ? count : r->unanswered;
	r->down += len;
	assoc_route_used(r);
	if (r->target.port == 53)
		query_answered(r->assoc);
}

static struct assoc *
assoc_new(struct flows *fs, const struct endpoint *source)
{
	struct assocs *all = &fs->assocs;
	struct assoc *a = pool_get(&all->pool);

	if (a == NULL)
		return NULL;
	a->flows = fs;
	a->source = *source;
	list_init(&a->routes);
	list_init(&a->legs);
	list_init(&a->node);
	table_insert(&all->by_source, &a->in_table, source_hash(all, source));
	resting_join(a, &all->by_use);
	fs->count.udp++;
	fs->count.udp_total++;
	return a;
}

/* Ends one that waits for nothing, or that was used longest ago, if it is idle. */
static bool
evict(struct flows *fs)
{
	struct resting *answered = &fs->assocs.answered;
	struct assoc *a = resting_first(answered);

	if (a != NULL) {
		assoc_end(a, answered->how);
		return true;
	}
	a = resting_first(&fs->assocs.by_use);
	if (a == NULL || assoc_idle(a) < ASSOC_EVICT_MS)
		return false;
	assoc_end(a, "closed while idle: the table of associations is full");
	return true;
}

static struct assoc *
assoc_find(const struct assocs *all, const struct endpoint *source)
{
	struct table_node *n = table_find(
		&all->by_source, source_hash(all, source), source_same, source);

	return n != NULL ? container_of(n, struct assoc, in_table) : NULL;
}

bool
assoc_is_open(const struct flows *fs, const struct endpoint *source)
{
	return assoc_find(&fs->assocs, source) != NULL;
}

static struct assoc *
assoc_get(struct flows *fs, const struct endpoint *source)
{
	struct assocs *all = &fs->assocs;
	struct assoc *a = assoc_find(all, source);

	if (a != NULL)
		return a;
	if (fs->count.udp >= all->max && !evict(fs))
		return NULL;
	return assoc_new(fs, source);
}

/* The route of a datagram. Where the table of routes is full, the association that was
 * used longest ago gives way; where that of one socket is, its oldest route does. */
static struct assoc_route *
route_get(struct flows *fs, const struct assoc_route_key *k)
{
	struct assoc_route *r = assoc_route_find(&fs->assocs, k);
	struct assoc *a = NULL;

	if (r != NULL)
		return r;
	if (fs->assocs.routes.out < fs->assocs.routes.max || evict(fs))
		a = assoc_get(fs, &k->source);
	if (a == NULL) {
		fs->count.over++;
		return NULL;
	}
	if (a->nroutes >= ASSOC_ROUTES)
		route_free(container_of(a->routes.next, struct assoc_route, node),
			"closed: too many targets of one socket");
	return route_new(a, k);
}

/* Datagrams. */

/*
 * A query to us: answered here, or on its way to a resolver, as a flow like any
 * other.  False: there is nothing to send.
 */
static bool
query_turn(struct flows *fs, struct assoc_route_key *k, const uint8_t *p, size_t len)
{
	uint8_t *reply = fs->assocs.datagram;
	struct endpoint server;
	int n;

	if (!flows_own(fs, &k->target.ip))
		return true;
	if (k->target.port != 53) {
		stack_udp_refuse(fs->stack, &k->source, &k->target, STACK_RESET);
		return false;
	}
	fs->count.questions++;
	n = dns_query(fs->dns, &k->source, p, len, reply, TUN_PACKET, &server);
	if (n > 0)
		stack_udp_send(fs->stack, &k->target, &k->source, reply, (size_t)n);
	else if (n == -ENETUNREACH)
		stack_udp_refuse(fs->stack, &k->source, &k->target, STACK_NO_NET);
	if (n != 0)
		return false;
	fs->assocs.ours[k->target.ip.family == 6] = k->target;
	k->ours = true;
	k->target = server;
	return true;
}

/* Whether a question of this route may share a way out with those of others. */
static bool
may_share(const struct assoc_route *r)
{
	return (r->target.port == 53 || r->ours) && r->outbound->ops->per_target &&
		!r->outbound->ops->direct;
}

static void
take(struct flows *fs, const struct stack_datagram *d)
{
	struct assoc_route_key k = { .source = d->source, .target = d->target };
	struct assoc_route *r = NULL;

	if (!flows_refuse(&d->target.ip)) {
		if (!query_turn(fs, &k, d->p, d->len))
			return;
		r = route_get(fs, &k);
	}
	if (r == NULL) {
		fs->count.dropped++;
		return;
	}
	if (fs->dns != NULL && d->target.port == 53)
		dns_asked(fs->dns, &d->source, &r->target, d->p, d->len);
	assoc_route_used(r);
	if (!may_share(r) || !line_ask(r, d->p, d->len))
		leg_send(r, d);
}

/* Resolvers are asked one by one. */
static bool
is_several(const struct flows *fs, const struct stack_datagram *d)
{
	return d->segment > 0 && (d->target.port == 53 || flows_own(fs, &d->target.ip));
}

void
assoc_datagram(struct flows *fs, const struct stack_datagram *d)
{
	struct stack_datagram one = *d;
	size_t at;

	if (!is_several(fs, d)) {
		take(fs, d);
		return;
	}
	one.segment = 0;
	for (at = 0; at < d->len; at += one.len) {
		one.p = d->p + at;
		one.len = d->len - at < d->segment ? d->len - at : d->segment;
		take(fs, &one);
	}
}

/* The room's part. */

static void
resting_init(struct resting *r, struct loop *l, uint64_t limit, const char *how)
{
	*r = (struct resting){ .limit = limit, .how = how };
	list_init(&r->list);
	timer_init(&r->timer, l, resting_over);
}

static void
resting_close(struct resting *r)
{
	struct assoc *a;

	while ((a = resting_first(r)) != NULL)
		assoc_end(a, "sluice ends");
	timer_stop(&r->timer);
}

int
assocs_init(struct flows *fs, const struct flows_config *c)
{
	size_t max = c->assocs_max ? c->assocs_max : ASSOCS_MAX;
	uint64_t idle = (uint64_t)(c->udp_idle ? c->udp_idle : UDP_IDLE) * 1000;
	size_t routes = max * ROUTES_PER_ASSOC;
	struct assocs *all = &fs->assocs;

	if (routes < ASSOC_ROUTES)
		routes = ASSOC_ROUTES;
	all->max = max;
	all->queued.most = c->queued_max && c->queued_max < QUEUED_BYTES ? c->queued_max
									 : QUEUED_BYTES;
	all->troubles.every = 60000;
	/* Those that ended in this turn still have their block. */
	pool_init(&all->pool, "associations", sizeof(struct assoc), 2 * max, 64);
	pool_init(&all->routes, "routes", sizeof(struct assoc_route), routes, 64);
	pool_init(&all->legs, "legs", sizeof(struct leg), 2 * routes, 64);
	lines_init(&all->lines);
	resting_init(&all->by_use, fs->loop, idle, "idle");
	resting_init(&all->answered, fs->loop, idle < DNS_DONE_MS ? idle : DNS_DONE_MS,
		"answered");
	list_init(&all->dead);
	list_init(&all->dead_legs);
	all->datagram = malloc((size_t)INBOX_MAX * TUN_PACKET);
	if (all->datagram == NULL || outbox_init(&all->outbox) < 0 ||
		table_init(&all->by_source, 64) < 0 || table_init(&all->by_route, 64) < 0)
		return -ENOMEM;
	return 0;
}

void
assocs_close(struct flows *fs)
{
	resting_close(&fs->assocs.answered);
	resting_close(&fs->assocs.by_use);
	lines_close(fs);
}

void
assocs_reap(struct flows *fs)
{
	struct assocs *all = &fs->assocs;
	struct list *n;

	lines_reap(fs);
	while ((n = list_take(&all->dead_legs)) != NULL)
		leg_bury(container_of(n, struct leg, node));
	while ((n = list_take(&all->dead)) != NULL)
		pool_put(&all->pool, container_of(n, struct assoc, node));
}

size_t
assocs_fini(struct flows *fs)
{
	struct assocs *all = &fs->assocs;

	assocs_reap(fs);
	table_fini(&all->by_source);
	table_fini(&all->by_route);
	outbox_fini(&all->outbox);
	free(all->datagram);
	return lines_fini(&all->lines) + pool_fini(&all->pool) + pool_fini(&all->routes) +
		pool_fini(&all->legs);
}
