/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SIGNALS_H
#define KEEPER_SIGNALS_H

#include "base/err.h"

/*
 * The signals of the keeper.  None that can be heard ends it on the spot, with
 * the system as it is: they ask it to end, or are of no use to it, which it
 * says.  Signals are a process's own, and so is what stands here.
 */

/* A descriptor that is readable when one has come, until signals_close; or -1 and why. */
int signals_open(struct err *e);
/* As they were by default, also in the child that will be the engine. */
void signals_default(void);
/* In both, afterwards; harmless where they are not open. */
void signals_close(void);
/* Reads what has come, and says so of what means nothing here. How often the keeper was
 * asked to end so far. */
int signals_read(void);

#endif
