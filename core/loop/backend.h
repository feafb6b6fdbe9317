/* SPDX-License-Identifier: MIT */
#ifndef LOOP_BACKEND_H
#define LOOP_BACKEND_H

#include "loop/loop.h"

/*
 * What waits for the kernel.  The program has one backend (backend_uv.c, on
 * libuv); the tests in tests/sim link another, in which the script decides
 * what is ready and what time it is.
 */
struct backend;

/* NULL when the system has no descriptor or memory left. */
struct backend *backend_new(struct loop *l);
void backend_free(struct backend *b);
uint64_t backend_now(struct backend *b);
/* A clock for short spans, in ns; it need not be that of backend_now. */
uint64_t backend_ns(struct backend *b);
/*
 * Tells the kernel of `events` and sets w->armed to them.  Called only when
 * something is wanted that is not armed.  The backend may leave more armed than
 * is wanted, and takes it back when an event comes that nobody wants.  What
 * cannot be waited for is reported at once: its owner then learns from its own
 * read or write why.
 */
void backend_arm(struct backend *b, struct watch *w, unsigned events);
/* The kernel then knows nothing of w->fd; w->armed and w->handle are zero. */
void backend_forget(struct backend *b, struct watch *w);
/* Waits at most `ms` (-1: for ever) and reports by loop_happened and loop_signalled. */
void backend_wait(struct backend *b, int64_t ms);
/* 0, or -errno. */
int backend_signal(struct backend *b, struct signal_watch *s);
void backend_unsignal(struct backend *b, struct signal_watch *s);

/* The loop's side: records, and does nothing else. */
void loop_happened(struct watch *w, unsigned events);
void loop_signalled(struct signal_watch *s);

#endif
