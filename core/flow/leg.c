/* SPDX-License-Identifier: MIT */
#include "flow/leg.h"

#include <errno.h>
#include <string.h>

/* Life. */

static void leg_run(struct task *t);

static struct flows *
flows_of(const struct leg *g)
{
	return g->assoc->flows;
}

/* Whether a leg of this route can serve no other: the outbound is bound to one target, or
 * the answers must seem to come from another place than they do. */
static bool
wants_own_leg(const struct assoc_route *r)
{
	return r->outbound->ops->per_target || r->ours;
}

static struct leg *
leg_new(struct assoc_route *r)
{
	struct target to = { .ip = r->target.ip, .port = r->target.port };
	struct flows *fs = r->assoc->flows;
	struct leg *g;

	if (!flows_let_out(fs, r->outbound))
		return NULL;
	g = pool_get(&fs->assocs.legs);
	if (g == NULL)
		return NULL;
	task_init(&g->task, leg_run);
	list_init(&g->node);
	g->assoc = r->assoc;
	g->packets = outbound_bind(r->outbound, &to, &g->task);
	if (g->packets == NULL) {
		pool_put(&fs->assocs.legs, g);
		return NULL;
	}
	g->outbound = outbound_hold(r->outbound);
	g->outbound->tally.flows++;
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
	struct flows *fs = flows_of(g);
	struct assocs *all = &fs->assocs;

	queue_drop(&g->queue, &all->queued);
	fs->count.dropped += (size_t)outbox_drop(&all->outbox, &g->outgoing);
	packets_free(g->packets);
	g->packets = NULL;
	g->only = NULL;
	list_remove(&g->node);
	list_append(&all->dead_legs, &g->node);
}

void
leg_bury(struct leg *g)
{
	task_fini(&g->task);
	outbound_drop(g->outbound);
	pool_put(&flows_of(g)->assocs.legs, g);
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

const struct endpoint *
assoc_route_seen_as(const struct assoc_route *r)
{
	const struct assoc *a = r->assoc;

	return r->ours ? &a->flows->assocs.ours[a->source.ip.family == 6] : &r->target;
}

/*
 * The way out is gone.  The routes stay, and try again with a later datagram.
 * One that speaks for its targets is quoted to the application.
 */
static void
leg_fail(struct leg *g, int error)
{
	struct flows *fs = flows_of(g);
	struct assoc *a = g->assoc;

	flows_note_failure(fs, g->outbound, error, packets_reason(g->packets),
		g->open && g->only != NULL ? &g->only->target : NULL);
	log_limited(&fs->assocs.troubles, loop_now(fs->loop), LOG_INFO, "udp by %s: %s",
		g->outbound->tag, packets_reason(g->packets));
	for (struct list *n = a->routes.next; n != &a->routes; n = n->next) {
		struct assoc_route *r = container_of(n, struct assoc_route, node);

		if (r->leg != g)
			continue;
		r->leg = NULL;
		r->retry = loop_now(fs->loop) + LEG_RETRY_MS;
		if (g->outbound->ops->truthful && !flows_are_short(error))
			stack_udp_refuse(fs->stack, &a->source, assoc_route_seen_as(r),
				answer_for(error));
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

static uint32_t
count_of(size_t len, size_t segment)
{
	return segment > 0 ? (uint32_t)((len + segment - 1) / segment) : 1;
}

/* Datagrams of the leg, in their order: sent, or queued. */
static void
post(struct leg *g, struct dgram_out *d, int n)
{
	struct flows *fs = flows_of(g);
	int i = 0, r = 1;

	while (i < n && r != 0 && queue_empty(&g->queue)) {
		r = packets_send_many(g->packets, d + i, n - i);
		if (r == -EMSGSIZE) {
			fs->count.dropped++;
			r = 1;
		}
		if (r < 0) {
			fs->count.dropped += (size_t)(n - i);
			leg_fail(g, r);
			return;
		}
		i += r;
	}
	for (; i < n; i++)
		fs->count.dropped += queue_put(&g->queue, &fs->assocs.queued, &d[i]);
	flows_note_hunger(fs, g->outbound);
}

static void
part_send(struct outbox *o, uint8_t *place)
{
	struct dgram_out d[OUTBOX_MAX];
	int n = outbox_take(o, place, d);

	post(container_of(place, struct leg, outgoing), d, n);
}

void
legs_flush(struct flows *fs)
{
	struct outbox *o = &fs->assocs.outbox;
	uint8_t *place;

	while ((place = outbox_next(o)) != NULL)
		part_send(o, place);
}

/* What is too long for its way, and may not be cut, is told to the application. */
static void
post_long(struct leg *g, const struct assoc_route *r, const struct stack_datagram *d,
	struct dgram_out *out)
{
	size_t len = d->segment > 0 ? d->segment : d->len;
	size_t most = packets_most(g->packets);

	if (len <= most) {
		post(g, out, 1);
		return;
	}
	flows_of(g)->count.dropped++;
	if (d->uncut)
		stack_udp_too_big(flows_of(g)->stack, &r->assoc->source,
			assoc_route_seen_as(r), len, most);
}

static bool
is_small(const struct stack_datagram *d)
{
	return d->segment == 0 && d->len <= OUTBOX_COPIED;
}

void
leg_send(struct assoc_route *r, const struct stack_datagram *d)
{
	struct dgram_out out = { r->target, d->p, d->len, d->segment };
	struct flows *fs = r->assoc->flows;
	struct outbox *o = &fs->assocs.outbox;
	struct leg *g = leg_get(r);

	if (g == NULL) {
		fs->count.dropped++;
		return;
	}
	assoc_route_sent(r, d->len, count_of(d->len, d->segment));
	if (!g->open || !queue_empty(&g->queue)) {
		fs->count.dropped += queue_put(&g->queue, &fs->assocs.queued, &out);
		return;
	}
	if (is_small(d)) {
		if (outbox_put(o, &g->outgoing, &out))
			return;
		legs_flush(fs);
		if (g->packets != NULL)
			outbox_put(o, &g->outgoing, &out);
		return;
	}
	if (g->outgoing > 0)
		part_send(o, &g->outgoing);
	if (g->packets != NULL)
		post_long(g, r, d, &out);
}

/* Receiving. */

/* Queries to us go to servers on any port, those to others to 53. */
static bool
may_answer(const struct leg *g, const struct endpoint *source)
{
	return source->port == 53 || (g->only != NULL && g->only->ours);
}

/* Whoever waits for a name learns it from a resolver's answer. */
static void
note(struct leg *g, const struct endpoint *source, const struct dgram_in *d)
{
	size_t most = d->segment > 0 ? d->segment : d->len, at, len;

	for (at = 0; at < d->len; at += len) {
		len = d->len - at < most ? d->len - at : most;
		dns_note(flows_of(g)->dns, &g->assoc->source, source, d->p + at, len);
	}
}

static size_t
size_of(const struct dgram_in *d)
{
	return d->segment > 0 ? d->segment : d->len;
}

/* How many of what has come belong together: from one place, and datagrams of one size,
 * but for the last of them all. */
static int
run_length(const struct dgram_in *d, int n)
{
	size_t size = size_of(d);
	int i;

	for (i = 1; i < n; i++)
		if (d[i - 1].len == 0 || d[i - 1].len % size != 0 || d[i].len == 0 ||
			size_of(&d[i]) > size ||
			(d[i].segment > 0 && d[i].segment != size) ||
			!endpoint_equal(&d[i].from, &d->from))
			return i;
	return n;
}

/* Datagrams for the application, from one place. */
static void
deliver(struct leg *g, const struct dgram_in *d, int n)
{
	const struct endpoint *from = &d->from;
	const struct endpoint *source = g->only != NULL ? &g->only->target : from;
	struct flows *fs = flows_of(g);
	struct iovec v[INBOX_MAX];
	uint32_t count = 0;
	size_t len = 0;
	int i, sent;

	/* A stranger's answer must not pass for the resolver's. */
	if (g->only != NULL && !g->outbound->ops->per_target &&
		!endpoint_equal(from, source))
		return;
	for (i = 0; i < n; i++) {
		if (fs->dns != NULL && may_answer(g, source))
			note(g, source, &d[i]);
		v[i] = (struct iovec){ d[i].p, d[i].len };
		len += d[i].len;
		count += count_of(d[i].len, d[i].segment);
	}
	flows_note_bytes(fs, g->outbound, 0, len);
	sent = stack_udp_send_many(fs->stack,
		g->only != NULL ? assoc_route_seen_as(g->only) : from, &g->assoc->source,
		v, n, size_of(d));
	fs->count.dropped += count - (uint32_t)(sent > 0 ? sent : 0);
	if (g->only != NULL)
		assoc_route_answered(g->only, len, count);
	else
		assoc_answered(g->assoc, from, len, count);
}

static void
refuse(struct leg *g, const struct endpoint *about, enum stack_answer why)
{
	stack_udp_refuse(flows_of(g)->stack, &g->assoc->source,
		g->only != NULL ? assoc_route_seen_as(g->only) : about, why);
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

/* What has come, in runs. An answer may have ended the association. */
static void
deliver_all(struct leg *g, const struct dgram_in *d, int n)
{
	int i, run;

	for (i = 0; i < n && g->packets != NULL; i += run) {
		run = run_length(d + i, n - i);
		deliver(g, d + i, run);
	}
}

static void
inbox_empty(const struct assocs *all, struct dgram_in d[static INBOX_MAX])
{
	for (int i = 0; i < INBOX_MAX; i++) {
		d[i].p = all->datagram + (size_t)i * TUN_PACKET;
		d[i].cap = TUN_PACKET;
	}
	memset(&d[0].from, 0, sizeof(d[0].from));
}

static void
leg_receive(struct leg *g)
{
	struct dgram_in d[INBOX_MAX];
	int i, n, r;

	for (i = 0; i < LEG_TURN; i += n) {
		inbox_empty(&flows_of(g)->assocs, d);
		n = 1;
		r = packets_recv_many(g->packets, d, INBOX_MAX, &n);
		if (r == STREAM_AGAIN)
			return;
		if (r == STREAM_OK) {
			deliver_all(g, d, n);
		} else if (r == PACKETS_REFUSED) {
			refuse(g, &d->from, STACK_RESET);
		} else if (r == PACKETS_UNREACHABLE) {
			refuse(g, &d->from, STACK_NO_HOST);
		} else if (r == PACKETS_PROHIBITED) {
			refuse(g, &d->from, STACK_PROHIBITED);
		} else if (r < 0) {
			leg_fail(g, r);
			return;
		} else {
			leg_over(g);
			return;
		}
		if (g->packets == NULL)
			return;
	}
	loop_ready(flows_of(g)->loop, &g->task);
}

static void
leg_step(struct leg *g)
{
	int r;

	if (g->packets == NULL || !leg_try_open(g) || !g->open)
		return;
	r = queue_send(&g->queue, &flows_of(g)->assocs.queued, g->packets);
	if (r < 0)
		leg_fail(g, r);
	else
		leg_receive(g);
}

/* One that has ended in it is there until the end of the turn. */
static void
leg_run(struct task *t)
{
	struct leg *g = container_of(t, struct leg, task);

	leg_step(g);
	flows_note_hunger(flows_of(g), g->outbound);
}
