/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_RESOLVE_H
#define DAEMON_RESOLVE_H

#include "base/err.h"
#include "loop/loop.h"
#include "names/names.h"

/*
 * For commands, which have nothing else to do: waits for the addresses of a
 * name, turning the loop.  How many, at most `cap`, or -1 and why.
 */
int resolve_wait(struct loop *l, struct names *n, const char *name, struct ip *ip,
	int cap, struct err *e);

#endif
