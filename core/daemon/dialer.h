/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DIALER_H
#define DAEMON_DIALER_H

#include "daemon/build.h"
#include "daemon/command.h"
#include "daemon/rules_gate.h"

/*
 * What a command connects with: a loop of its own, the machine's resolver, what is known
 * of this clock, and the outbounds of a configuration.  Nothing on the system changes.
 */
struct dialer {
	struct loop *loop;
	struct tcp_memory *memory;
	struct names *names;
	struct setup *setup; /* NULL before dialer_setup */
	struct outbound_env env;
	struct rules_gate gate; /* of env.times */
};

/* All but the outbounds. `d` is zeroed. 0, or -1 and why; dialer_fini in both cases. The
 * configuration must outlive it. */
int dialer_init(struct dialer *d, const struct config *c, struct err *e);
/* The rules, which it takes, and the outbounds. From then on time servers may be asked. */
int dialer_setup(struct dialer *d, struct command_setup *from, struct err *e);
/* After the streams that were dialled. */
void dialer_fini(struct dialer *d);

#endif
