/* SPDX-License-Identifier: MIT */
#include "unreal_time.h"

#include "loop/backend.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

enum { WATCHES = 1024 };

void (*unreal_time_serve)(void);

struct backend {
	uint64_t now;
	struct watch *watch[WATCHES];
	unsigned events[WATCHES];
};

struct backend *
backend_new(struct loop *l)
{
	struct backend *b = calloc(1, sizeof(*b));

	(void)l;
	b->now = 1000000;
	return b;
}

void
backend_free(struct backend *b)
{
	int i;

	for (i = 0; i < WATCHES; i++)
		assert(!b->watch[i]);
	free(b);
}

uint64_t
backend_now(struct backend *b)
{
	return b->now;
}

uint64_t
backend_ns(struct backend *b)
{
	return b->now * 1000000;
}

void
backend_arm(struct backend *b, struct watch *w, unsigned events)
{
	int i = 0;

	while (i < WATCHES && b->watch[i] && b->watch[i] != w)
		i++;
	assert(i < WATCHES);
	b->watch[i] = w;
	b->events[i] = w->armed = events;
}

void
backend_forget(struct backend *b, struct watch *w)
{
	int i;

	for (i = 0; i < WATCHES; i++)
		if (b->watch[i] == w)
			b->watch[i] = NULL;
}

static bool
report(struct backend *b, int i)
{
	struct watch *w = b->watch[i];
	unsigned got = 0;
	struct pollfd p;

	if (!w || !b->events[i])
		return false;
	p.fd = w->fd;
	p.events = (short)((b->events[i] & WATCH_READ ? POLLIN : 0) |
		(b->events[i] & WATCH_WRITE ? POLLOUT : 0));
	if (poll(&p, 1, 0) <= 0)
		return false;
	if (p.revents & (POLLIN | POLLERR | POLLHUP))
		got |= WATCH_READ;
	if (p.revents & (POLLOUT | POLLERR | POLLHUP))
		got |= WATCH_WRITE;
	b->events[i] = w->armed = 0;
	loop_happened(w, got);
	return true;
}

void
backend_wait(struct backend *b, int64_t ms)
{
	bool happened = false;
	int i;

	if (unreal_time_serve)
		unreal_time_serve();
	for (i = 0; i < WATCHES; i++)
		happened |= report(b, i);
	if (!happened && ms > 0)
		b->now += (uint64_t)ms;
}

int
backend_signal(struct backend *b, struct signal_watch *s)
{
	(void)b;
	(void)s;
	return -1;
}

void
backend_unsignal(struct backend *b, struct signal_watch *s)
{
	(void)b;
	(void)s;
}
