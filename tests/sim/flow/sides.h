/* SPDX-License-Identifier: MIT */
#ifndef SIM_FLOW_SIDES_H
#define SIM_FLOW_SIDES_H

#include "sim/flow/sim.h"

/* What sim.c needs of its two sides: app.c (with the device) and far.c. */
void sides_begin(void);
/* Everything that was borrowed must have been freed. */
void sides_end(void);
bool sides_have_packets(void);

void kernel_begin(void);

void fars_begin(void);
void fars_end(void);

struct stream *far_dial(struct outbound *o, const struct target *to, struct task *owner);
struct packets *far_bind(struct outbound *o, const struct target *to, struct task *owner);
void far_outbound_free(struct outbound *o);

#endif
