/* SPDX-License-Identifier: MIT */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A kernel for the loop that does what a test says: it decides what is ready and
 * what time it is, and nothing ever waits.  All loops of a program share it.
 * Descriptors are numbers here, and need not be open.
 */

/* Descriptors from 0 to SCRIPT_FDS - 1. */
enum { SCRIPT_FDS = 65536 };

/* Where the clock starts; not 0, so that a time that was never set shows. */
enum { SCRIPT_START = 1000000 };

/* The clock at its start, nothing ready. No loop may be there. */
void script_reset(void);

/* Moves the clock at once, without a turn: what a loop that was kept busy sees. */
void script_advance(uint64_t ms);
uint64_t script_now(void);

/* fd becomes ready for `events`, and stays so. Hang-up and error are both events. */
void script_ready(int fd, unsigned events);
void script_unready(int fd, unsigned events);
/* What the watches of fd wait for. */
unsigned script_wanted(int fd);

/* The process gets a signal. Whether anybody watches it. */
bool script_signal(int signo);

/*
 * Turns until `ms` have passed and nothing is left to do: the clock moves from
 * one timer to the next, and no further than it was told.  False when work is
 * still left after 100,000 turns, which is a busy loop.
 */
bool script_pass(struct loop *l, uint64_t ms);
/* The same without time. */
bool script_settle(struct loop *l);

#endif
