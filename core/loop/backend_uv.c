/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/pool.h"
#include "loop/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

/*
 * libuv closes a handle at the end of a later run, and until then the handle's
 * memory must stay.  A watch goes away at once.  So handles are blocks of our
 * own: forgetting a watch stops its handle, cuts the two apart and starts the
 * close, and the close callback gives the block back.
 *
 * A change of what epoll knows costs two system calls.  What fired is therefore
 * left armed, since a busy socket is wanted again in the same turn; only an
 * event that nobody wants disarms.
 */
union handle {
	uv_handle_t any;
	uv_poll_t poll;
	uv_signal_t signal;
};

/* As many as Linux lets a process have descriptors by default (fs.nr_open), and a few
 * that are kept for the next connections. */
enum { HANDLES_MAX = 1 << 20, HANDLES_KEEP = 256 };

/* In ms. A loop in which nothing is armed sleeps in pieces of this. */
enum { FOREVER = 3600 * 1000 };

struct backend {
	uv_loop_t uv;
	uv_timer_t limit; /* ends a wait */
	struct pool handles;
	size_t closing;
	struct log_limit refusals;
	/* Its address stands in w->handle for a descriptor that epoll refuses: a regular
	 * file, which is always ready. */
	char unpollable;
};

/* In ms. */
enum { REFUSALS_EVERY = 60 * 1000 };

static void
limit_reached(uv_timer_t *limit)
{
	(void)limit;
}

struct backend *
backend_new(struct loop *l)
{
	struct backend *b = calloc(1, sizeof *b);

	(void)l;
	if (!b)
		return NULL;
	if (uv_loop_init(&b->uv) < 0) {
		free(b);
		return NULL;
	}
	b->uv.data = b;
	b->refusals.every = REFUSALS_EVERY;
	uv_timer_init(&b->uv, &b->limit);
	pool_init(&b->handles, "loop handles", sizeof(union handle), HANDLES_MAX,
		HANDLES_KEEP);
	return b;
}

static void
limit_closed(uv_handle_t *limit)
{
	struct backend *b = limit->loop->data;

	b->closing--;
}

static void
handle_closed(uv_handle_t *h)
{
	struct backend *b = h->loop->data;

	b->closing--;
	pool_put(&b->handles, h);
}

static void
handle_close(struct backend *b, union handle *h)
{
	h->any.data = NULL;
	b->closing++;
	uv_close(&h->any, handle_closed);
}

void
backend_free(struct backend *b)
{
	size_t left;
	int r;

	b->closing++;
	uv_close((uv_handle_t *)&b->limit, limit_closed);
	while (b->closing)
		uv_run(&b->uv, UV_RUN_NOWAIT);
	r = uv_loop_close(&b->uv);
	assert(r == 0); /* else a watch or a signal was not ended */
	(void)r;
	left = pool_fini(&b->handles);
	assert(left == 0);
	(void)left;
	free(b);
}

uint64_t
backend_now(struct backend *b)
{
	uv_update_time(&b->uv);
	return uv_now(&b->uv);
}

void
backend_wait(struct backend *b, int64_t ms)
{
	if (ms == 0) {
		uv_run(&b->uv, UV_RUN_NOWAIT);
		return;
	}
	uv_update_time(&b->uv);
	uv_timer_start(&b->limit, limit_reached, ms < 0 ? FOREVER : (uint64_t)ms, 0);
	uv_run(&b->uv, UV_RUN_ONCE);
	uv_timer_stop(&b->limit);
}

static void polled(uv_poll_t *poll, int status, int events);

static void
arm(struct watch *w, unsigned events)
{
	union handle *h = w->handle;
	int mask = 0, r;

	if (events & WATCH_READ)
		mask |= UV_READABLE;
	if (events & WATCH_WRITE)
		mask |= UV_WRITABLE;
	w->armed = events;
	r = mask ? uv_poll_start(&h->poll, mask, polled) : uv_poll_stop(&h->poll);
	assert(r == 0); /* refused only for a second watch on the same descriptor */
	(void)r;
}

static void
polled(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	unsigned got = 0, unwanted;

	if (events & UV_READABLE)
		got |= WATCH_READ;
	if (events & UV_WRITABLE)
		got |= WATCH_WRITE;
	/* The descriptor is in error, and libuv has stopped the handle. */
	if (status < 0) {
		w->armed = 0;
		loop_happened(w, WATCH_READ | WATCH_WRITE);
		return;
	}
	unwanted = got & ~w->wanted;
	loop_happened(w, got);
	if (unwanted)
		arm(w, w->armed & ~unwanted);
}

/* NULL when w cannot be polled, now or ever. */
static union handle *
poll_new(struct backend *b, struct watch *w)
{
	union handle *h = pool_get(&b->handles);
	int r = UV_ENOMEM;

	if (h)
		r = uv_poll_init(&b->uv, &h->poll, w->fd);
	if (r == 0) {
		h->poll.data = w;
		return h;
	}
	/* It failed before libuv knew of the handle. */
	pool_put(&b->handles, h);
	assert(r != UV_EEXIST); /* a second watch on the same descriptor */
	if (r == UV_EPERM)
		w->handle = &b->unpollable;
	else
		log_limited(&b->refusals, uv_now(&b->uv), LOG_WARNING,
			"cannot wait for a descriptor: %s; trying it again and again",
			uv_strerror(r));
	return NULL;
}

void
backend_arm(struct backend *b, struct watch *w, unsigned events)
{
	if (!w->handle)
		w->handle = poll_new(b, w);
	if (w->handle && w->handle != (void *)&b->unpollable)
		arm(w, events);
	else
		loop_happened(w, events);
}

void
backend_forget(struct backend *b, struct watch *w)
{
	union handle *h = w->handle;

	w->handle = NULL;
	w->armed = 0;
	if (!h || (void *)h == &b->unpollable)
		return;
	/* The owner closes fd next: the kernel has to let go of it first, even when it
	 * is not armed. */
	uv_poll_stop(&h->poll);
	handle_close(b, h);
}

static void
signalled(uv_signal_t *signal, int signo)
{
	(void)signo;
	loop_signalled(signal->data);
}

int
backend_signal(struct backend *b, struct signal_watch *s)
{
	union handle *h = pool_get(&b->handles);
	int r;

	if (!h)
		return UV_ENOMEM;
	r = uv_signal_init(&b->uv, &h->signal);
	if (r < 0) {
		pool_put(&b->handles, h);
		return r;
	}
	h->signal.data = s;
	r = uv_signal_start(&h->signal, signalled, s->signo);
	if (r < 0) {
		handle_close(b, h);
		return r;
	}
	s->handle = h;
	return 0;
}

void
backend_unsignal(struct backend *b, struct signal_watch *s)
{
	union handle *h = s->handle;

	s->handle = NULL;
	if (!h)
		return;
	uv_signal_stop(&h->signal);
	handle_close(b, h);
}
