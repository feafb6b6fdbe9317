/* SPDX-License-Identifier: MIT */
#include "flow/leg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A datagram that cannot go yet. */
struct queued {
	struct list node;
	struct target to;
	size_t len;
	uint8_t bytes[];
};

static struct queued *
queued_new(const struct target *to, const uint8_t *p, size_t len)
{
	struct queued *q = malloc(sizeof(*q) + len);

	if (q == NULL)
		return NULL;
	list_init(&q->node);
	q->to = *to;
	q->len = len;
	memcpy(q->bytes, p, len);
	return q;
}

static void
queued_free(struct queued *q)
{
	free(q);
}

/* The newest gives way: what is queued is older, and its answer is waited for longer. */
static void
queue_put(struct leg *g, const struct target *to, const uint8_t *p, size_t len)
{
	struct assocs *all = &g->flows->assocs;
	struct queued *q = NULL;

	if (g->queued < LEG_QUEUE && all->queued + len <= QUEUED_BYTES)
		q = queued_new(to, p, len);
	if (q == NULL) {
		g->flows->count.dropped++;
		return;
	}
	list_append(&g->queue, &q->node);
	g->queued++;
	all->queued += len;
}

static void
queue_drop(struct leg *g)
{
	struct queued *q = container_of(list_take(&g->queue), struct queued, node);

	g->queued--;
	g->flows->assocs.queued -= q->len;
	queued_free(q);
}

/* Life. */

static void leg_run(struct task *t);

/* Whether a leg of this route can serve no other: the outbound is bound to one target, or
 * the answers must seem to come from another place than they do. */
static bool
wants_own_leg(const struct assoc_route *r)
{
	return r->outbound->ops->per_target || r->key.as.ip.family != 0;
}

static struct leg *
leg_new(struct assoc_route *r)
{
	struct target to = { .ip = r->key.target.ip, .port = r->key.target.port };
	struct flows *fs = r->assoc->flows;
	struct leg *g = pool_get(&fs->assocs.legs);

	if (g == NULL)
		return NULL;
	task_init(&g->task, leg_run);
	list_init(&g->queue);
	list_init(&g->node);
	g->flows = fs;
	g->assoc = r->assoc;
	g->packets = outbound_bind(r->outbound, &to, &g->task);
	if (g->packets == NULL) {
		pool_put(&fs->assocs.legs, g);
		return NULL;
	}
	g->outbound = outbound_hold(r->outbound);
	g->only = wants_own_leg(r) ? r : NULL;
	list_append(&r->assoc->legs, &g->node);
	/* A way out that is open at once is asked for answers too: only who was told to
	 * wait is woken. */
	loop_ready(fs->loop, &g->task);
	return g;
}

void
leg_free(struct leg *g)
{
	while (!list_empty(&g->queue))
		queue_drop(g);
	packets_free(g->packets);
	g->packets = NULL;
	g->assoc = NULL;
	g->only = NULL;
	list_remove(&g->node);
	list_append(&g->flows->assocs.dead_legs, &g->node);
}

void
leg_bury(struct leg *g)
{
	task_fini(&g->task);
	outbound_drop(g->outbound);
	pool_put(&g->flows->assocs.legs, g);
}

void
leg_leave(struct assoc_route *r)
{
	struct leg *g = r->leg;

	r->leg = NULL;
	if (g != NULL && g->only == r)
		leg_free(g);
}

static enum stack_answer
answer_for(int error)
{
	if (error == -ECONNREFUSED)
		return STACK_RESET;
	return error == -ENETUNREACH ? STACK_NO_NET : STACK_NO_HOST;
}

/* What the application sees as the other side. */
static const struct endpoint *
seen_as(const struct assoc_route *r)
{
	return r->key.as.ip.family != 0 ? &r->key.as : &r->key.target;
}

/*
 * The way out is gone.  The routes stay, and try again with a later datagram.
 * One that speaks for its targets is quoted to the application.
 */
static void
leg_fail(struct leg *g, int error)
{
	struct flows *fs = g->flows;
	struct assoc *a = g->assoc;

	log_limited(&fs->assocs.troubles, loop_now(fs->loop), LOG_INFO, "udp by %s: %s",
		g->outbound->tag, packets_reason(g->packets));
	for (struct list *n = a->routes.next; n != &a->routes; n = n->next) {
		struct assoc_route *r = container_of(n, struct assoc_route, node);

		if (r->leg != g)
			continue;
		r->leg = NULL;
		r->retry = loop_now(fs->loop) + LEG_RETRY_MS;
		if (g->outbound->ops->truthful && !flows_are_short(error))
			stack_udp_refuse(
				fs->stack, &a->source, seen_as(r), answer_for(error));
	}
	leg_free(g);
}

/* Sending. */

/* False: the leg is gone. */
static bool
leg_try_open(struct leg *g)
{
	int err;

	if (g->open)
		return true;
	err = packets_open(g->packets);
	g->open = err == STREAM_OK;
	if (err >= 0)
		return true;
	leg_fail(g, err);
	return false;
}

/* The leg that this route may use: its own, or that of its outbound. */
static struct leg *
leg_find(const struct assoc_route *r)
{
	const struct assoc *a = r->assoc;

	if (wants_own_leg(r))
		return NULL;
	for (struct list *n = a->legs.next; n != &a->legs; n = n->next) {
		struct leg *g = container_of(n, struct leg, node);

		if (g->only == NULL && g->outbound == r->outbound)
			return g;
	}
	return NULL;
}

static struct leg *
leg_get(struct assoc_route *r)
{
	if (r->leg != NULL)
		return r->leg;
	if (loop_now(r->assoc->flows->loop) < r->retry)
		return NULL;
	r->leg = leg_find(r);
	if (r->leg == NULL)
		r->leg = leg_new(r);
	if (r->leg == NULL || !leg_try_open(r->leg))
		return NULL;
	return r->leg;
}

/* What was queued. False: the leg is gone. */
static bool
queue_send(struct leg *g)
{
	while (!list_empty(&g->queue)) {
		struct queued *q = container_of(g->queue.next, struct queued, node);
		int err = packets_send(g->packets, &q->to, q->bytes, q->len);

		if (err == STREAM_AGAIN)
			return true;
		if (err < 0 && err != -EMSGSIZE) {
			leg_fail(g, err);
			return false;
		}
		queue_drop(g);
	}
	return true;
}

void
leg_send(struct assoc_route *r, const uint8_t *p, size_t len)
{
	struct target to = { .ip = r->key.target.ip, .port = r->key.target.port };
	struct flow_counters *count = &r->assoc->flows->count;
	struct leg *g = leg_get(r);
	int err = STREAM_AGAIN;

	if (g == NULL) {
		count->dropped++;
		return;
	}
	r->sent++;
	r->up += len;
	count->up += len;
	if (g->open && list_empty(&g->queue))
		err = packets_send(g->packets, &to, p, len);
	if (err == STREAM_AGAIN)
		queue_put(g, &to, p, len);
	else if (err == -EMSGSIZE)
		count->dropped++;
	else if (err < 0)
		leg_fail(g, err);
}

/* Receiving. */

/* Queries to us go to servers on any port, those to others to 53. */
static bool
may_answer(const struct leg *g, const struct endpoint *source)
{
	return source->port == 53 || (g->only != NULL && g->only->key.as.ip.family != 0);
}

/* One datagram for the application. */
static void
deliver(struct leg *g, const struct endpoint *from, const uint8_t *p, size_t len)
{
	const struct endpoint *source = g->only != NULL ? &g->only->key.target : from;
	struct flows *fs = g->flows;

	/* A stranger's answer must not pass for the resolver's. */
	if (g->only != NULL && !g->outbound->ops->per_target &&
		!endpoint_equal(from, source))
		return;
	if (fs->dns != NULL && may_answer(g, source))
		dns_note(fs->dns, &g->assoc->source, source, p, len);
	if (g->only != NULL)
		assoc_route_answered(g->only, len);
	else
		assoc_answered(g->assoc, from, len);
	fs->count.down += len;
	if (stack_udp_send(fs->stack, g->only != NULL ? seen_as(g->only) : from,
		    &g->assoc->source, p, len) < 0)
		fs->count.dropped++;
}

static void
refuse(struct leg *g, const struct endpoint *about, enum stack_answer why)
{
	stack_udp_refuse(g->flows->stack, &g->assoc->source,
		g->only != NULL ? seen_as(g->only) : about, why);
}

/* The other side has ended what it carried; a later datagram begins anew. */
static void
leg_over(struct leg *g)
{
	struct assoc *a = g->assoc;

	for (struct list *n = a->routes.next; n != &a->routes; n = n->next) {
		struct assoc_route *r = container_of(n, struct assoc_route, node);

		if (r->leg == g)
			r->leg = NULL;
	}
	leg_free(g);
}

static void
leg_receive(struct leg *g)
{
	uint8_t *mem = g->flows->assocs.datagram;
	struct endpoint from;
	size_t len;
	int r;

	for (int i = 0; i < LEG_TURN; i++) {
		memset(&from, 0, sizeof(from));
		r = packets_recv(g->packets, &from, mem, TUN_PACKET, &len);
		if (r == STREAM_AGAIN)
			return;
		if (r == STREAM_OK) {
			deliver(g, &from, mem, len);
		} else if (r == PACKETS_REFUSED) {
			refuse(g, &from, STACK_RESET);
		} else if (r == PACKETS_UNREACHABLE) {
			refuse(g, &from, STACK_NO_HOST);
		} else if (r < 0) {
			leg_fail(g, r);
			return;
		} else {
			leg_over(g);
			return;
		}
	}
	loop_ready(g->flows->loop, &g->task);
}

static void
leg_run(struct task *t)
{
	struct leg *g = container_of(t, struct leg, task);

	if (g->packets == NULL || !leg_try_open(g) || !g->open)
		return;
	if (queue_send(g))
		leg_receive(g);
}
