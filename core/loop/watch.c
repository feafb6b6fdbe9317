/* SPDX-License-Identifier: MIT */
#include "loop/backend.h"
#include "loop/loop.h"
#include "loop/turn.h"

#include <errno.h>
#include <stddef.h>

void
watch_init(struct watch *w, struct loop *l, int fd, struct task *owner)
{
	*w = (struct watch){ .loop = l, .owner = owner, .fd = fd };
}

void
watch_want(struct watch *w, unsigned events)
{
	w->wanted |= events;
	if (w->wanted & ~w->armed)
		backend_arm(w->loop->backend, w, w->wanted | w->armed);
	loop_happened(w, w->pending | w->lasting);
}

void
watch_ask(struct watch *w, unsigned events)
{
	loop_happened(w, events);
}

void
watch_unwant(struct watch *w)
{
	w->wanted = 0;
}

void
watch_fini(struct watch *w)
{
	w->wanted = w->happened = w->pending = w->lasting = 0;
	if (w->loop)
		backend_forget(w->loop->backend, w);
}

void
loop_happened(struct watch *w, unsigned events)
{
	unsigned hit = events & w->wanted;

	if (w->edge)
		w->pending = (w->pending | (events & WATCH_READ)) & ~hit;
	if (!hit)
		return;
	w->wanted &= ~hit;
	w->happened |= hit;
	if (w->urgent) {
		list_remove(&w->owner->node);
		list_append(&w->loop->urgent, &w->owner->node);
	} else {
		loop_ready(w->loop, w->owner);
	}
}

int
signal_watch_start(struct signal_watch *s, struct loop *l, int signo,
	void (*fire)(struct signal_watch *))
{
	size_t i;
	int r;

	*s = (struct signal_watch){ .loop = l, .fire = fire, .signo = signo };
	for (i = 0; i < SIGNALS_MAX && l->signals[i].watch; i++)
		;
	if (i == SIGNALS_MAX)
		return -ENOSPC;
	r = backend_signal(l->backend, s);
	if (r < 0)
		return r;
	l->signals[i].watch = s;
	l->signals[i].happened = false;
	return 0;
}

void
signal_watch_stop(struct signal_watch *s)
{
	size_t i;

	if (!s->loop)
		return;
	for (i = 0; i < SIGNALS_MAX; i++) {
		if (s->loop->signals[i].watch != s)
			continue;
		backend_unsignal(s->loop->backend, s);
		s->loop->signals[i].watch = NULL;
		return;
	}
}

void
loop_signalled(struct signal_watch *s)
{
	size_t i;

	for (i = 0; i < SIGNALS_MAX; i++)
		if (s->loop->signals[i].watch == s)
			s->loop->signals[i].happened = true;
}

void
loop_fire_signals(struct loop *l)
{
	size_t i;

	for (i = 0; i < SIGNALS_MAX; i++) {
		if (!l->signals[i].watch || !l->signals[i].happened)
			continue;
		l->signals[i].happened = false;
		l->signals[i].watch->fire(l->signals[i].watch);
	}
}
