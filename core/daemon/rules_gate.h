/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_RULES_GATE_H
#define DAEMON_RULES_GATE_H

#include "flow/flow.h"
#include "outbound/times.h"

/* Lets a time server be asked where the rules send an application's datagram to it
 * directly. */
struct rules_gate {
	struct time_gate gate;
	const struct setup *setup; /* borrowed */
};

void rules_gate_init(struct rules_gate *g, const struct setup *setup);

#endif
