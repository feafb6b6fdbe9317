/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_STATE_H
#define KEEPER_STATE_H

#include "base/err.h"

/* The folder for what must be known after a kill: made with mode 0700, root's alone; one
 * that is there stays as it is, and must be root's for others to read at most. 0, or -1
 * and why. */
int state_prepare(const char *dir, struct err *e);

/* One instance a folder. The lock is held as long as any process has the descriptor that
 * is returned, so an engine that has inherited it holds it too: nobody undoes anything
 * under an engine that is still there. -1 and why: another instance runs. */
int state_lock(const char *dir, struct err *e);

#endif
