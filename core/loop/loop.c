/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include "loop/backend.h"
#include "loop/turn.h"

#include <assert.h>
#include <stdlib.h>

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	list_init(&l->urgent);
	list_init(&l->ready);
	list_init(&l->later);
	l->deferred_end = &l->deferred;
	l->backend = backend_new(l);
	if (!l->backend) {
		free(l);
		return NULL;
	}
	l->now = backend_now(l->backend);
	return l;
}

/* A free may defer another one. */
static void
run_deferred(struct loop *l)
{
	struct deferred *d;

	while ((d = l->deferred)) {
		l->deferred = d->next;
		if (!l->deferred)
			l->deferred_end = &l->deferred;
		d->free(d);
	}
}

void
loop_free(struct loop *l)
{
	if (!l)
		return;
	assert(!l->turning);
	run_deferred(l);
	assert(!l->timers.root);
	/* Tasks outlive the loop; they must not hang on its heads. */
	while (list_take(&l->urgent) || list_take(&l->ready) || list_take(&l->later))
		;
	backend_free(l->backend);
	free(l);
}

void
loop_run(struct loop *l)
{
	l->over = false;
	while (!l->stopped)
		loop_turn(l, -1);
	l->stopped = false;
	l->over = true;
}

bool
loop_is_over(const struct loop *l)
{
	return l->over;
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

uint64_t
loop_now(const struct loop *l)
{
	return l->now;
}

/* How long this turn may wait: not at all when there is work. */
static int64_t
patience(const struct loop *l, int wait)
{
	uint64_t next = loop_next_timer(l), now;
	int64_t ms = wait < 0 ? -1 : wait;

	if (l->stopped || !list_empty(&l->urgent) || !list_empty(&l->ready) ||
		!list_empty(&l->later))
		return 0;
	if (next == UINT64_MAX || ms == 0)
		return ms;
	now = backend_now(l->backend);
	if (next <= now)
		return 0;
	return ms == -1 || next - now < (uint64_t)ms ? (int64_t)(next - now) : ms;
}

/* Those that are urgent again are so in the next turn. */
static void
run_urgent(struct loop *l)
{
	struct list turn, *n;

	list_init(&turn);
	list_join(&turn, &l->urgent);
	while ((n = list_take(&turn))) {
		l->running_urgent = container_of(n, struct task, node);
		l->running_urgent->run(l->running_urgent);
	}
	l->running_urgent = NULL;
}

/* Those that become ready meanwhile wait for the next turn, so that two that wake each
 * other do not keep the loop from the sockets. */
static void
run_ready(struct loop *l)
{
	struct list turn, *n;
	struct task *t;

	list_init(&turn);
	list_join(&turn, &l->ready);
	while ((n = list_take(&turn))) {
		t = container_of(n, struct task, node);
		t->run(t);
	}
}

/* Those that come back meanwhile are the last of the next turn. */
static void
run_late(struct loop *l)
{
	uint64_t began = list_empty(&l->later) ? 0 : backend_ns(l->backend);
	struct list turn, *n;
	struct task *t;

	list_init(&turn);
	list_join(&turn, &l->later);
	l->late = true;
	while ((n = list_take(&turn))) {
		t = container_of(n, struct task, node);
		t->run(t);
		if (backend_ns(l->backend) - began >= LOOP_LATE_NS)
			break;
	}
	l->late = false;
	list_join(&turn, &l->later);
	list_join(&l->later, &turn);
}

/* A hook may take itself or another one away. */
static void
run_ends(struct loop *l)
{
	struct turn_end *e;

	for (e = l->ends; e; e = l->next_end) {
		l->next_end = e->next;
		e->run(e);
	}
}

void
loop_turn(struct loop *l, int wait)
{
	assert(!l->turning);
	backend_wait(l->backend, patience(l, wait));
	l->now = backend_now(l->backend);
	l->turning = true;
	loop_fire_signals(l);
	run_urgent(l);
	loop_fire_timers(l);
	run_ready(l);
	run_late(l);
	run_ends(l);
	run_deferred(l);
	l->turning = false;
}

void
task_init(struct task *t, void (*run)(struct task *))
{
	list_init(&t->node);
	t->run = run;
}

void
loop_ready(struct loop *l, struct task *t)
{
	if (!list_empty(&t->node))
		return;
	/* An urgent task that has more to do must not have its next go in this turn. */
	list_append(t == l->running_urgent ? &l->urgent : &l->ready, &t->node);
}

void
loop_later(struct loop *l, struct task *t)
{
	if (list_empty(&t->node))
		list_append(&l->later, &t->node);
}

bool
loop_is_late(const struct loop *l)
{
	return l->late;
}

void
task_fini(struct task *t)
{
	list_remove(&t->node);
}

void
loop_defer(struct loop *l, struct deferred *d, void (*free)(struct deferred *))
{
	d->next = NULL;
	d->free = free;
	*l->deferred_end = d;
	l->deferred_end = &d->next;
}

void
loop_at_end(struct loop *l, struct turn_end *e)
{
	struct turn_end **link = &l->ends;

	while (*link)
		link = &(*link)->next;
	e->next = NULL;
	*link = e;
}

void
loop_not_at_end(struct loop *l, struct turn_end *e)
{
	struct turn_end **link = &l->ends;

	while (*link && *link != e)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = e->next;
	if (l->next_end == e)
		l->next_end = e->next;
}
