/* SPDX-License-Identifier: MIT */
#ifndef LOOP_TURN_H
#define LOOP_TURN_H

#include "loop/loop.h"

/* The loop's own parts, shared by its files and nobody else. */

/* A program watches a handful of signals. */
enum { SIGNALS_MAX = 16 };

struct loop {
	struct backend *backend;
	uint64_t now;
	bool turning; /* `now` is this turn's, and must not move */
	bool stopped;
	bool over; /* stopped, and the last turn has been */

	struct {
		struct signal_watch *watch; /* NULL: the place is free */
		bool happened;
	} signals[SIGNALS_MAX];

	struct list urgent, ready, later;
	bool late;                   /* one of `later` runs */
	struct task *running_urgent; /* NULL outside its run */
	struct heap timers, due;
	struct turn_end *ends, *next_end;
	struct deferred *deferred, **deferred_end;
};

void loop_fire_signals(struct loop *l);
void loop_fire_timers(struct loop *l);
/* What is armed fires at this time; UINT64_MAX when nothing is armed. */
uint64_t loop_next_timer(const struct loop *l);

#endif
