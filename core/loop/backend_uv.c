/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/pool.h"
#include "loop/backend.h"
#include "platform/edges.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>
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
 *
 * The sockets of flows are many, and live shortly.  They are told to the kernel
 * beside libuv, once each, and it is there that the loop waits: libuv's own
 * descriptor is among them, as its manual describes for embedding it.
 */
union handle {
	uv_handle_t any;
	uv_poll_t poll;
	uv_signal_t signal;
};

/* As many as Linux lets a process have descriptors by default (fs.nr_open), and a few
 * that are kept for the next connections. */
enum { HANDLES_MAX = 1 << 20, HANDLES_KEEP = 256 };

/* In ms. */
enum { REFUSALS_EVERY = 60 * 1000 };

/* Events that one wait takes; the others come with the next. */
enum { EDGES_TURN = 256 };

struct backend {
	uv_loop_t uv;
	struct pool handles;
	size_t closing;
	struct log_limit refusals;
	int edges;
	bool heard;   /* something has happened since the wait began */
	bool changed; /* libuv has not told the kernel of everything, or has to close */
	/* Its address stands in w->handle for a descriptor that epoll refuses: a regular
	 * file, which is always ready. */
	char unpollable;
	char edge; /* and this one's for a descriptor that libuv does not know */
};

/* Makes the loop of libuv, and lets the edges know of it. 0, or below. */
static int
uv_begin(struct backend *b)
{
	if (uv_loop_init(&b->uv) < 0)
		return -1;
	b->uv.data = b;
	if (edges_add_level(b->edges, uv_backend_fd(&b->uv), b) == 0)
		return 0;
	uv_loop_close(&b->uv);
	return -1;
}

struct backend *
backend_new(struct loop *l)
{
	struct backend *b = calloc(1, sizeof *b);

	(void)l;
	if (!b)
		return NULL;
	b->edges = edges_open();
	if (b->edges < 0 || uv_begin(b) < 0) {
		if (b->edges >= 0)
			close(b->edges);
		free(b);
		return NULL;
	}
	b->refusals.every = REFUSALS_EVERY;
	pool_init(&b->handles, "loop handles", sizeof(union handle), HANDLES_MAX,
		HANDLES_KEEP);
	return b;
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
	b->changed = true;
	b->closing++;
	uv_close(&h->any, handle_closed);
}

void
backend_free(struct backend *b)
{
	size_t left;
	int r;

	while (b->closing)
		uv_run(&b->uv, UV_RUN_NOWAIT);
	r = uv_loop_close(&b->uv);
	assert(r == 0); /* else a watch or a signal was not ended */
	(void)r;
	left = pool_fini(&b->handles);
	assert(left == 0);
	(void)left;
	close(b->edges);
	free(b);
}

uint64_t
backend_now(struct backend *b)
{
	uv_update_time(&b->uv);
	return uv_now(&b->uv);
}

uint64_t
backend_ns(struct backend *b)
{
	(void)b;
	return uv_hrtime();
}

/* It stays changed while something is closing: that takes libuv another run. */
static void
uv_turn(struct backend *b)
{
	b->changed = false;
	uv_run(&b->uv, UV_RUN_NOWAIT);
	b->changed |= b->closing > 0;
}

static void
edge_happened(struct backend *b, const struct edge *e)
{
	struct watch *w = e->owner;

	if (e->owner == b) {
		uv_turn(b);
		return;
	}
	if (e->events & EDGE_ENDED)
		w->lasting |= WATCH_READ;
	if (e->events & EDGE_FAILED)
		w->lasting |= WATCH_READ | WATCH_WRITE;
	loop_happened(w,
		(e->events & EDGE_READ ? WATCH_READ : 0u) |
			(e->events & EDGE_WRITE ? WATCH_WRITE : 0u) | w->lasting);
}

void
backend_wait(struct backend *b, int64_t ms)
{
	struct edge e[EDGES_TURN];
	size_t i, n;

	b->heard = false;
	if (b->changed)
		uv_turn(b);
	n = edges_wait(b->edges, e, EDGES_TURN, b->heard || b->changed ? 0 : ms);
	for (i = 0; i < n; i++)
		edge_happened(b, &e[i]);
}

static void polled(uv_poll_t *poll, int status, int events);

static void
arm(struct backend *b, struct watch *w, unsigned events)
{
	union handle *h = w->handle;
	int mask = 0, r;

	if (events & WATCH_READ)
		mask |= UV_READABLE;
	if (events & WATCH_WRITE)
		mask |= UV_WRITABLE;
	w->armed = events;
	b->changed = true;
	r = mask ? uv_poll_start(&h->poll, mask, polled) : uv_poll_stop(&h->poll);
	assert(r == 0); /* refused only for a second watch on the same descriptor */
	(void)r;
}

static void
polled(uv_poll_t *poll, int status, int events)
{
	struct backend *b = poll->loop->data;
	struct watch *w = poll->data;
	unsigned got = 0, unwanted;

	b->heard = true;
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
		arm(b, w, w->armed & ~unwanted);
}

/* `error` is libuv's, which on this kind of system is -errno. */
static void
refused(struct backend *b, struct watch *w, int error)
{
	if (error == UV_EPERM)
		w->handle = &b->unpollable;
	else
		log_limited(&b->refusals, uv_now(&b->uv), LOG_WARNING,
			"cannot wait for a descriptor: %s; trying it again and again",
			uv_strerror(error));
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
	refused(b, w, r);
	return NULL;
}

/* What is armed is so for good, and both ways at once unless the owner said otherwise.
 * Whether the kernel took it. */
static bool
edge_arm(struct backend *b, struct watch *w, unsigned events)
{
	unsigned armed = w->one_way ? events : WATCH_READ | WATCH_WRITE;
	unsigned edge = (armed & WATCH_READ ? EDGE_READ : 0u) |
		(armed & WATCH_WRITE ? EDGE_WRITE : 0u);
	int r = w->handle ? edges_change(b->edges, w->fd, w, edge)
			  : edges_add(b->edges, w->fd, w, edge);

	assert(r != UV_EEXIST); /* a second watch on the same descriptor */
	if (r < 0) {
		refused(b, w, r);
		return false;
	}
	w->handle = &b->edge;
	w->armed = armed;
	return true;
}

void
backend_arm(struct backend *b, struct watch *w, unsigned events)
{
	bool edge = w->handle == (void *)&b->edge || (!w->handle && w->edge);

	if (edge && edge_arm(b, w, events))
		return;
	if (!edge && !w->handle)
		w->handle = poll_new(b, w);
	if (!edge && w->handle && w->handle != (void *)&b->unpollable)
		arm(b, w, events);
	else
		loop_happened(w, events);
}

void
backend_forget(struct backend *b, struct watch *w)
{
	union handle *h = w->handle;

	w->handle = NULL;
	w->armed = 0;
	if ((void *)h == &b->edge)
		edges_remove(b->edges, w->fd);
	if (!h || (void *)h == &b->unpollable || (void *)h == &b->edge)
		return;
	/* The owner closes fd next: the kernel has to let go of it first, even when it
	 * is not armed. */
	uv_poll_stop(&h->poll);
	handle_close(b, h);
}

static void
signalled(uv_signal_t *signal, int signo)
{
	struct backend *b = signal->loop->data;

	(void)signo;
	b->heard = true;
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
	b->changed = true;
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
