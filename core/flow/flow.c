/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "flow/ending.h"
#include "flow/life.h"
#include "flow/sniff.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAYLOAD_WAIT_MS = 100, /* for the first bytes of an application */
	EVICT_MS = 10000,      /* a flow that was used later than that is not idle */
	EARLY_MAX = 1024, /* blocks of SNIFF_MAX; without one, the first window counts */
	TURN_SYNS = TUN_TURN, /* those that may come before the evicted are gone */
	RELIEF_MS = 1000,     /* between two looks for those who hold what others want */
};

static const char *
flow_state_name(enum flow_state s)
{
	switch (s) {
	case FLOW_ROUTING:
		return "routing";
	case FLOW_DIALING:
		return "dialing";
	case FLOW_ADMITTING:
		return "admitting";
	case FLOW_OPEN:
		return "open";
	case FLOW_HALF:
		return "half";
	case FLOW_LINGERING:
		return "lingering";
	case FLOW_ORPHAN:
		return "orphan";
	case FLOW_DEAD:
		return "dead";
	}
	return "";
}

static void
log_state(const struct flow *f, enum flow_state to)
{
	char source[ENDPOINT_TEXT], asked[ENDPOINT_TEXT];

	if (!log_wants(LOG_DEBUG))
		return;
	log_debug("tcp %s -> %s: %s -> %s", endpoint_format(&f->source, source),
		endpoint_format(&f->asked, asked), flow_state_name(f->state),
		flow_state_name(to));
}

void
flow_become(struct flow *f, enum flow_state to)
{
	enum { END = 1u << FLOW_ORPHAN | 1u << FLOW_DEAD };
	static const unsigned may[] = {
		[FLOW_ROUTING] = 1u << FLOW_DIALING | END,
		[FLOW_DIALING] = 1u << FLOW_ADMITTING | 1u << FLOW_OPEN | END,
		[FLOW_ADMITTING] = 1u << FLOW_OPEN | END,
		[FLOW_OPEN] = 1u << FLOW_HALF | 1u << FLOW_LINGERING | END,
		[FLOW_HALF] = 1u << FLOW_LINGERING | END,
		[FLOW_LINGERING] = END,
		[FLOW_ORPHAN] = 1u << FLOW_DEAD,
		[FLOW_DEAD] = 0,
	};

	assert(may[f->state] & 1u << to);
	log_state(f, to);
	f->state = to;
}

uint64_t
flow_now(const struct flow *f)
{
	return loop_now(f->flows->loop);
}

static void
move(struct flow *f, struct list *to)
{
	list_remove(&f->node);
	list_append(to, &f->node);
}

void
flow_used(struct flow *f)
{
	f->used = flow_now(f);
	move(f, &f->flows->tcp.by_use);
}

/* Ending. */

/* For people, the name that the address was asked for by will do, where no rule wanted
 * one. */
static const char *
flow_name(const struct flow *f)
{
	bool opening = f->state == FLOW_ROUTING;
	const char *name = opening ? f->opening->inquiry.facts.name : f->name;
	struct dns *dns = f->flows->dns;

	if (name != NULL)
		return name;
	return dns != NULL ? dns_name_of(dns, &f->asked.ip) : NULL;
}

static void
log_ending(const struct flow *f, const char *how)
{
	struct ending e = {
		.network = NETWORK_TCP,
		.source = f->source,
		.target = f->asked,
		.name = flow_name(f),
		.rules = f->decided ? f->setup->rules : NULL,
		.rule = f->rule,
		.outbound = f->outbound != NULL ? f->outbound->tag : NULL,
		.up = f->relay.up,
		.down = f->relay.down,
		.duration = flow_now(f) - f->began,
		.how = how,
	};

	ending_log(&e);
}

void
flow_early_drop(struct flow *f)
{
	pool_put(&f->flows->tcp.early, f->relay.early);
	f->relay.early = NULL;
	f->relay.early_at = f->relay.early_len = 0;
}

/* The name stays where it will be wanted for the line about the flow's end. */
void
flow_opening_drop(struct flow *f)
{
	struct opening *o = f->opening;
	char *name = NULL;

	if (o->inquiry.facts.name != NULL && log_wants(LOG_INFO))
		name = strdup(o->inquiry.facts.name);
	inquiry_fini(&o->inquiry);
	pool_put(&f->flows->tcp.openings, o);
	f->name = name;
}

/* The application's side: told by `a` where its SYN is still held, else aborted unless it
 * was shut before. */
static void
near_end(struct flow *f, enum stack_answer a)
{
	struct held *held = f->held;

	switch (f->near) {
	case NEAR_HELD:
		f->near = NEAR_GONE;
		f->held = NULL;
		if (a != STACK_IGNORE)
			f->flows->count.refused++;
		stack_answer_held(f->flows->stack, held, a);
		return;
	case NEAR_HERE:
		f->near = NEAR_GONE;
		stream_free(f->relay.near);
		f->relay.near = NULL;
		return;
	case NEAR_AWAITED:
	case NEAR_GONE:
		return;
	}
}

void
flow_end(struct flow *f, enum stack_answer a, const char *fmt, ...)
{
	struct flow_counters *count = &f->flows->count;
	char how[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(how, sizeof(how), fmt, ap);
	va_end(ap);
	log_ending(f, how);
	timer_stop(&f->timer);
	if (f->state == FLOW_ROUTING)
		flow_opening_drop(f);
	stream_free(f->relay.far);
	f->relay.far = NULL;
	flow_early_drop(f);
	count->tcp--;
	flow_become(f, f->near == NEAR_AWAITED ? FLOW_ORPHAN : FLOW_DEAD);
	move(f, f->state == FLOW_DEAD ? &f->flows->tcp.dead : &f->flows->tcp.leaving);
	near_end(f, a);
}

bool
flow_has_ended(const struct flow *f)
{
	return f->state == FLOW_ORPHAN || f->state == FLOW_DEAD;
}

/* The turn of a flow. */

static void
orphan_step(struct flow *f)
{
	if (f->near == NEAR_AWAITED)
		return;
	flow_become(f, FLOW_DEAD);
	move(f, &f->flows->tcp.dead);
	near_end(f, STACK_RESET);
}

static void
flow_step(struct flow *f)
{
	switch (f->state) {
	case FLOW_ROUTING:
		flow_routing_step(f);
		return;
	case FLOW_DIALING:
		flow_dialing_step(f);
		return;
	case FLOW_OPEN:
	case FLOW_HALF:
		flow_open_step(f);
		return;
	case FLOW_LINGERING:
		flow_linger_step(f);
		return;
	case FLOW_ORPHAN:
		orphan_step(f);
		return;
	case FLOW_ADMITTING:
	case FLOW_DEAD:
		return;
	}
}

void
flows_note_hunger(struct flows *fs, const struct outbound *o)
{
	struct flow_table *t = &fs->tcp;

	if (!t->relief.armed && (t->refused || outbound_is_starved(o)))
		timer_arm(&t->relief, RELIEF_MS);
}

static void
flow_run(struct task *t)
{
	struct flow *f = container_of(t, struct flow, task);

	if (f->evicted && !flow_has_ended(f))
		flow_end(f, STACK_RESET, "closed while idle: the table of flows is full");
	else
		flow_step(f);
	if (f->relay.near != NULL)
		stream_park(f->relay.near);
	if (f->relay.far != NULL)
		stream_park(f->relay.far);
	if (f->outbound != NULL)
		flows_note_hunger(f->flows, f->outbound);
}

static void
timer_fired(struct timer *t)
{
	struct flow *f = container_of(t, struct flow, timer);

	f->late = true;
	loop_ready(f->flows->loop, &f->task);
}

/* What the stack says. */

static struct flow *
flow_new(struct flows *fs, const struct endpoint *source, const struct endpoint *target)
{
	struct flow *f = pool_get(&fs->tcp.pool);

	if (f == NULL)
		return NULL;
	f->opening = pool_get(&fs->tcp.openings);
	if (f->opening == NULL) {
		pool_put(&fs->tcp.pool, f);
		return NULL;
	}
	f->flows = fs;
	f->setup = setup_hold(fs->setup);
	f->source = *source;
	f->asked = *target;
	f->own = handback_is_own(fs, &source->ip);
	f->opening->to = (struct target){ .ip = target->ip, .port = target->port };
	f->began = loop_now(fs->loop);
	f->state = FLOW_ROUTING;
	f->near = NEAR_GONE;
	task_init(&f->task, flow_run);
	timer_init(&f->timer, fs->loop, timer_fired);
	list_init(&f->node);
	flow_used(f);
	inquiry_begin(&f->opening->inquiry, f->setup, fs->dns, fs->names);
	fs->count.tcp++;
	fs->count.tcp_total++;
	return f;
}

static void
flow_free(struct flow *f)
{
	struct flows *fs = f->flows;

	list_remove(&f->node);
	task_fini(&f->task);
	setup_drop(f->setup);
	free(f->name);
	pool_put(&fs->tcp.pool, f);
}

/* Makes room by ending the flow that was used longest ago, if that is long ago. It ends
 * in its own turn: the stack is in the middle of a packet. */
static bool
evict(struct flows *fs)
{
	struct flow *f;

	if (list_empty(&fs->tcp.by_use))
		return false;
	f = container_of(fs->tcp.by_use.next, struct flow, node);
	if (flow_now(f) - f->used < EVICT_MS)
		return false;
	f->evicted = true;
	move(f, &fs->tcp.leaving);
	loop_ready(fs->loop, &f->task);
	return true;
}

/* A query to us goes to a resolver, and needs no looking at its bytes. */
static int
query_turn(struct flow *f)
{
	struct opening *o = f->opening;
	struct endpoint server;
	int err;

	if (f->flows->dns == NULL || !dns_is_ours(f->flows->dns, &f->asked))
		return 0;
	err = dns_stream_server(f->flows->dns, &server);
	if (err < 0)
		return err;
	o->to = (struct target){ .ip = server.ip, .port = server.port };
	o->inquiry.no_bytes = true;
	o->inquiry.to_local = dns_is_local(f->flows->dns, &server);
	return 0;
}

/* The answer to a SYN whose flow was just made. */
static enum stack_answer
flow_begin(struct flow *f)
{
	enum route r;

	if (query_turn(f) < 0) {
		flow_end(f, STACK_NO_NET, "not opened: no resolver is known");
		return STACK_NO_NET;
	}
	inquiry_about(&f->opening->inquiry, NETWORK_TCP, &f->source, &f->opening->to);
	r = flow_route(f);
	switch (r) {
	case ROUTE_CHOSEN:
		if (!flow_dial(f))
			break;
		loop_ready(f->flows->loop, &f->task);
		return STACK_HOLD;
	case ROUTE_BYTES:
		return STACK_ADMIT;
	case ROUTE_WAITS:
		return STACK_HOLD;
	case ROUTE_NONE:
	case ROUTE_BACK:
		return flow_no_way(f, r);
	}
	flow_end(f, STACK_IGNORE, "not opened: no memory");
	return STACK_IGNORE;
}

/* NULL: there is no place for one, or it could go nowhere. */
static struct flow *
flow_place(struct flows *fs, const struct endpoint *source, const struct endpoint *target)
{
	struct flow *f = NULL;

	if (flows_refuse(&target->ip))
		return NULL;
	if (fs->count.tcp < fs->tcp.max || evict(fs))
		f = flow_new(fs, source, target);
	fs->count.over += f == NULL;
	return f;
}

enum stack_answer
flow_syn(struct flows *fs, const struct endpoint *source, const struct endpoint *target,
	struct held *held, void **cookie)
{
	enum stack_answer a;
	struct flow *f;

	if (flows_own(fs, &target->ip) && target->port != 53) {
		fs->count.refused++;
		return STACK_RESET;
	}
	f = flow_place(fs, source, target);
	if (f == NULL) {
		fs->count.dropped++;
		return STACK_IGNORE;
	}
	a = flow_begin(f);
	f->near = a == STACK_HOLD ? NEAR_HELD : NEAR_GONE;
	if (a == STACK_HOLD)
		f->held = held;
	else if (a == STACK_ADMIT)
		f->near = NEAR_AWAITED;
	else if (a != STACK_IGNORE)
		fs->count.refused++;
	*cookie = f;
	return a;
}

void
flow_conn(void *cookie, struct stream *conn)
{
	struct flow *f = cookie;

	f->near = NEAR_HERE;
	f->relay.near = conn;
	conn_own(conn, &f->task);
	if (f->state == FLOW_ADMITTING)
		flow_opened(f);
	else if (f->state == FLOW_ROUTING)
		timer_arm(&f->timer, PAYLOAD_WAIT_MS);
	/* The stack is in the middle of a packet: all else waits for the flow's turn. */
	loop_ready(f->flows->loop, &f->task);
}

void
flow_gone(void *cookie, enum stack_gone why)
{
	struct flow *f = cookie;

	f->near = NEAR_GONE;
	f->held = NULL;
	if (f->state == FLOW_ORPHAN)
		orphan_step(f);
	else if (f->state != FLOW_DEAD)
		flow_end(f, STACK_IGNORE,
			why == STACK_GAVE_UP
				? "the application gave up"
				: "not opened: no room among those that wait");
}

/* The table. */

static bool
is_starved(const struct flows *fs)
{
	size_t i;

	for (i = 0; i < fs->setup->noutbound; i++)
		if (outbound_is_starved(fs->setup->outbound[i]))
			return true;
	return false;
}

static bool
is_stalled(const struct flow *f)
{
	return f->relay.near_full && f->outbound->ops->heavy &&
		flow_now(f) - f->used >= EVICT_MS;
}

/* Applications that have not read for long keep memory from those that do: their flows
 * end. */
static void
relieve(struct timer *timer)
{
	struct flow_table *t = container_of(timer, struct flow_table, relief);
	struct flows *fs = container_of(t, struct flows, tcp);
	struct list *n, *next;
	struct flow *f;

	if (!t->refused && !is_starved(fs))
		return;
	t->refused = false;
	timer_arm(&t->relief, RELIEF_MS);
	for (n = t->by_use.next; n != &t->by_use; n = next) {
		next = n->next;
		f = container_of(n, struct flow, node);
		if (flow_now(f) - f->used < EVICT_MS)
			return;
		if (is_stalled(f))
			flow_end(f, STACK_RESET,
				"closed: not read for long, while others need the memory");
	}
}

void
flow_table_init(struct flows *fs, size_t max)
{
	struct flow_table *t = &fs->tcp;

	timer_init(&t->relief, fs->loop, relieve);
	trim_init(fs);
	t->max = max;
	pool_init(&t->pool, "flows", sizeof(struct flow), max + TURN_SYNS, 64);
	pool_init(&t->openings, "openings of flows", sizeof(struct opening),
		max + TURN_SYNS, 64);
	pool_init(&t->early, "first bytes", SNIFF_MAX, EARLY_MAX, 16);
	list_init(&t->by_use);
	list_init(&t->leaving);
	list_init(&t->dead);
}

static void
dead_free(struct flow_table *t)
{
	struct list *n;

	while ((n = list_take(&t->dead)) != NULL)
		flow_free(container_of(n, struct flow, node));
}

void
flow_table_reap(struct flows *fs)
{
	dead_free(&fs->tcp);
	trim_look(fs);
}

void
flow_table_close(struct flows *fs)
{
	struct flow_table *t = &fs->tcp;
	struct list all;

	list_init(&all);
	list_join(&all, &t->by_use);
	list_join(&all, &t->leaving);
	while (!list_empty(&all)) {
		struct flow *f = container_of(all.next, struct flow, node);

		move(f, &t->leaving);
		if (!flow_has_ended(f))
			flow_end(f, STACK_RESET, "sluice ends");
		else if (f->state == FLOW_ORPHAN)
			orphan_step(f);
	}
}

size_t
flow_table_fini(struct flows *fs)
{
	/* Orphans whose end the stack had no reason to tell. */
	list_join(&fs->tcp.dead, &fs->tcp.leaving);
	dead_free(&fs->tcp);
	timer_stop(&fs->tcp.trim);
	timer_stop(&fs->tcp.relief);
	return pool_fini(&fs->tcp.pool) + pool_fini(&fs->tcp.openings) +
		pool_fini(&fs->tcp.early);
}
