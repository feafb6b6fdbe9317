/* SPDX-License-Identifier: MIT */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/heap.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The loop waits, and does everything else in a fixed order, a turn at a time:
 *
 *   poll (callbacks only set bits) - signals - urgent tasks (the TUN) - due
 *   timers - ready tasks, round robin - some of those with much to do - the
 *   end-of-turn hooks (the stack's output) - deferred frees.
 *
 * A socket reports readiness to the task that owns it, by putting that task on
 * the ready list; the task then pulls.  Nothing calls upward.  Nothing that
 * the loop knows of is freed while a turn runs, except through loop_defer.
 *
 * Time is in milliseconds of a monotonic clock, read once a turn.
 */
struct loop;

/* NULL when the system has no descriptor or memory left. */
struct loop *loop_new(void);
/* Runs what is deferred, then frees. No watch and no timer may be armed any more. */
void loop_free(struct loop *l);
/* Turns until loop_stop. */
void loop_run(struct loop *l);
/* One turn; waits at most `wait` ms (-1: as long as it takes) where nothing is ready. */
void loop_turn(struct loop *l, int wait);
void loop_stop(struct loop *l);
/* loop_run has come to its end: what ends now is ended by us, with everything. */
bool loop_is_over(const struct loop *l);
uint64_t loop_now(const struct loop *l);

/* Something that gets its turn: a flow, a carrier, a listener. */
struct task {
	struct list node; /* in the ready list, or in none */
	void (*run)(struct task *);
};

void task_init(struct task *t, void (*run)(struct task *));
/* Runs t in this turn, or in the next one when it is running now. Twice is once. */
void loop_ready(struct loop *l, struct task *t);
/*
 * Runs t behind all that are ready, and once such tasks have had LOOP_LATE_NS of a turn in
 * the next one: for who has so much to do that all others would wait for it.  loop_is_late:
 * one of them has its turn.
 */
enum { LOOP_LATE_NS = 250 * 1000 };
void loop_later(struct loop *l, struct task *t);
bool loop_is_late(const struct loop *l);
/* Takes t off the list; before its memory goes. */
void task_fini(struct task *t);

/* A descriptor that somebody waits for. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };

struct watch {
	struct loop *loop;
	struct task *owner; /* made ready when something that was wanted happened */
	int fd;             /* borrowed: close it after watch_fini */
	uint8_t wanted;     /* what was asked for and has not happened */
	uint8_t armed;      /* what the kernel knows; the loop's own */
	uint8_t happened;   /* since it was last cleared by the owner */
	uint8_t pending;    /* read while nobody wanted it (`edge`); the loop's own */
	uint8_t lasting; /* what is so from now on (`edge`), after an end or an error; an
			     owner whose errors pass clears it when it has read them */
	bool urgent;     /* before timers and flows: the TUN */
	bool edge;       /* see watch_init */
	bool one_way;    /* with `edge`, see there */
	void *handle;    /* the backend's; NULL while never armed */
};

/*
 * fd becomes non-blocking when it is first waited for.  It has one watch at a time.  A
 * regular file is always ready.  A descriptor that cannot be waited for is reported, so
 * that its owner learns why from its own read or write.
 *
 * Where the owner sets `edge` the kernel is told of fd once, and not at each wish.  It
 * then makes fd non-blocking itself, wants to read only after the kernel had no more to
 * give, and wants to write in the moment that the kernel would take no more.  It may be
 * woken in vain.  With `one_way` besides the kernel is told of reading alone until writing
 * is wanted for the first time: a socket of datagrams becomes writable with each of them
 * that has left, which nobody waits for.
 */
void watch_init(struct watch *w, struct loop *l, int fd, struct task *owner);
/* One shot: adds to what is wanted; each wish ends when it happened. An error or hang-up
 * on the descriptor counts as both. */
void watch_want(struct watch *w, unsigned events);
/* As if they had happened: the owner asks the kernel itself, with `edge` also where it
 * wants to read only later. */
void watch_ask(struct watch *w, unsigned events);
/* Forgets what was wanted. */
void watch_unwant(struct watch *w);
/* After this no event of fd reaches the owner, not even one that is on its way. */
void watch_fini(struct watch *w);

/* A point in time. Zero-initialise, set loop and fire once (timer_init). */
struct timer {
	struct heap_node node;
	struct loop *loop;
	void (*fire)(struct timer *);
	bool armed;
	bool due; /* its time has come in this turn; the loop's own */
};

void timer_init(struct timer *t, struct loop *l, void (*fire)(struct timer *));
/* Fires once, `ms` from now; arming again moves it. */
void timer_arm(struct timer *t, uint64_t ms);
void timer_stop(struct timer *t);

/* A signal of the process. `fire` runs in the loop, not in the handler. Zero, or -errno.
 */
struct signal_watch {
	struct loop *loop;
	void (*fire)(struct signal_watch *);
	int signo;
	void *handle;
};

int signal_watch_start(struct signal_watch *s, struct loop *l, int signo,
	void (*fire)(struct signal_watch *));
void signal_watch_stop(struct signal_watch *s);

/* Memory that goes at the end of the turn. The owner embeds the node; `free` gets it
 * back. */
struct deferred {
	struct deferred *next;
	void (*free)(struct deferred *);
};

void loop_defer(struct loop *l, struct deferred *d, void (*free)(struct deferred *));

/* Runs at the end of each turn, before the deferred frees, in the order of adding. */
struct turn_end {
	struct turn_end *next;
	void (*run)(struct turn_end *);
};

void loop_at_end(struct loop *l, struct turn_end *e);
void loop_not_at_end(struct loop *l, struct turn_end *e);

#endif
