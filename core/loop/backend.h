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

struct backend *backend_new(struct loop *l);
void backend_free(struct backend *b);
uint64_t backend_now(struct backend *b);
/* Tells the kernel of `w->wanted | extra`. Called only when it differs from w->armed. */
void backend_arm(struct backend *b, struct watch *w, unsigned events);
void backend_forget(struct backend *b, struct watch *w);
/* Waits at most `ms` (-1: for ever) and reports by loop_happened and loop_signalled. */
void backend_wait(struct backend *b, int64_t ms);
int backend_signal(struct backend *b, struct signal_watch *s);
void backend_unsignal(struct backend *b, struct signal_watch *s);

/* The loop's side: records, and does nothing else. */
void loop_happened(struct watch *w, unsigned events);
void loop_signalled(struct signal_watch *s);

#endif
