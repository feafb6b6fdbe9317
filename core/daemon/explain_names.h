/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_EXPLAIN_NAMES_H
#define DAEMON_EXPLAIN_NAMES_H

#include "daemon/config.h"

/* The addresses of a name, by the hosts of the configuration and the resolvers of this
 * machine, waiting for the answer. How many, at most `cap`; or -1 and why. */
int explain_resolve(
	const struct config *c, const char *name, struct ip *ip, int cap, struct err *e);

#endif
