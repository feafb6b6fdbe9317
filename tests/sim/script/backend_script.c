/* SPDX-License-Identifier: MIT */
#include "base/list.h"
#include "loop/backend.h"
#include "sim/script/script.h"

#include <assert.h>
#include <stdlib.h>

/* What stands for the kernel's registration of a watch. */
struct armed {
	struct list node;
	struct watch *watch;
};

struct listener {
	struct list node;
	struct signal_watch *watch;
	bool happened;
};

struct backend {
	struct list armed, listeners;
	struct backend *next;
};

/* The kernel is one, and tests talk to it without naming a loop. */
static struct {
	uint64_t now, until;
	bool idle; /* a turn had nothing to do and no time to pass */
	unsigned ready[SCRIPT_FDS];
	struct backend *backends;
} kernel = { .now = SCRIPT_START, .until = SCRIPT_START };

enum { TURNS_MAX = 100000 };

void
script_reset(void)
{
	int fd;

	assert(!kernel.backends);
	kernel.now = kernel.until = SCRIPT_START;
	for (fd = 0; fd < SCRIPT_FDS; fd++)
		kernel.ready[fd] = 0;
}

void
script_advance(uint64_t ms)
{
	kernel.now += ms;
	if (kernel.until < kernel.now)
		kernel.until = kernel.now;
}

uint64_t
script_now(void)
{
	return kernel.now;
}

void
script_ready(int fd, unsigned events)
{
	assert(fd >= 0 && fd < SCRIPT_FDS);
	kernel.ready[fd] |= events;
}

void
script_unready(int fd, unsigned events)
{
	assert(fd >= 0 && fd < SCRIPT_FDS);
	kernel.ready[fd] &= ~events;
}

unsigned
script_wanted(int fd)
{
	struct backend *b;
	struct list *n;
	unsigned wanted = 0;

	for (b = kernel.backends; b; b = b->next)
		for (n = b->armed.next; n != &b->armed; n = n->next) {
			struct watch *w = container_of(n, struct armed, node)->watch;

			if (w->fd == fd)
				wanted |= w->wanted;
		}
	return wanted;
}

bool
script_signal(int signo)
{
	struct backend *b;
	struct list *n;
	bool watched = false;

	for (b = kernel.backends; b; b = b->next)
		for (n = b->listeners.next; n != &b->listeners; n = n->next) {
			struct listener *l = container_of(n, struct listener, node);

			if (l->watch->signo == signo)
				watched = l->happened = true;
		}
	return watched;
}

bool
script_pass(struct loop *l, uint64_t ms)
{
	int turns;

	kernel.until = kernel.now + ms;
	kernel.idle = false;
	for (turns = 0; turns < TURNS_MAX && !kernel.idle; turns++)
		loop_turn(l, -1);
	return kernel.idle;
}

bool
script_settle(struct loop *l)
{
	return script_pass(l, 0);
}

struct backend *
backend_new(struct loop *l)
{
	struct backend *b = calloc(1, sizeof *b);

	(void)l;
	if (!b)
		return NULL;
	list_init(&b->armed);
	list_init(&b->listeners);
	b->next = kernel.backends;
	kernel.backends = b;
	return b;
}

void
backend_free(struct backend *b)
{
	struct backend **link = &kernel.backends;

	assert(list_empty(&b->armed));     /* else a watch was not ended */
	assert(list_empty(&b->listeners)); /* else a signal was not */
	while (*link != b)
		link = &(*link)->next;
	*link = b->next;
	free(b);
}

uint64_t
backend_now(struct backend *b)
{
	(void)b;
	return kernel.now;
}

uint64_t
backend_ns(struct backend *b)
{
	(void)b;
	return kernel.now * 1000000;
}

void
backend_arm(struct backend *b, struct watch *w, unsigned events)
{
	struct armed *a = w->handle;

	assert(w->fd >= 0 && w->fd < SCRIPT_FDS);
	if (!a) {
		a = calloc(1, sizeof *a);
		assert(a);
		a->watch = w;
		list_init(&a->node);
		list_append(&b->armed, &a->node);
		w->handle = a;
	}
	w->armed = events;
}

void
backend_forget(struct backend *b, struct watch *w)
{
	struct armed *a = w->handle;

	(void)b;
	w->handle = NULL;
	w->armed = 0;
	if (!a)
		return;
	list_remove(&a->node);
	free(a);
}

/* As epoll does it, level by level: what is armed and ready comes each time, wanted or
 * not, and what nobody wanted is disarmed. */
static bool
report_watches(struct backend *b)
{
	bool any = false;
	struct list *n;

	for (n = b->armed.next; n != &b->armed; n = n->next) {
		struct watch *w = container_of(n, struct armed, node)->watch;
		unsigned got = w->armed & kernel.ready[w->fd];
		unsigned unwanted = got & ~w->wanted;

		loop_happened(w, got);
		w->armed &= ~unwanted;
		any |= got != 0;
	}
	return any;
}

static bool
report_signals(struct backend *b)
{
	bool any = false;
	struct list *n;

	for (n = b->listeners.next; n != &b->listeners; n = n->next) {
		struct listener *l = container_of(n, struct listener, node);

		if (!l->happened)
			continue;
		l->happened = false;
		loop_signalled(l->watch);
		any = true;
	}
	return any;
}

void
backend_wait(struct backend *b, int64_t ms)
{
	uint64_t left = kernel.until - kernel.now;
	bool watches = report_watches(b), signals = report_signals(b);

	if (watches || signals || ms == 0)
		return;
	if (left == 0)
		kernel.idle = true;
	else if (ms < 0 || (uint64_t)ms > left)
		kernel.now = kernel.until;
	else
		kernel.now += (uint64_t)ms;
}

int
backend_signal(struct backend *b, struct signal_watch *s)
{
	struct listener *l = calloc(1, sizeof *l);

	assert(l);
	l->watch = s;
	list_init(&l->node);
	list_append(&b->listeners, &l->node);
	s->handle = l;
	return 0;
}

void
backend_unsignal(struct backend *b, struct signal_watch *s)
{
	struct listener *l = s->handle;

	(void)b;
	s->handle = NULL;
	if (!l)
		return;
	list_remove(&l->node);
	free(l);
}
