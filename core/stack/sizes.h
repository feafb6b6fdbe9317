/* SPDX-License-Identifier: MIT */
#ifndef STACK_SIZES_H
#define STACK_SIZES_H

#include "stack/room.h"

/*
 * How long a segment may be: what the link has, and where the device cuts, a
 * multiple of that.  We count payload; lwIP counts a segment's options, too, as
 * an MSS does (RFC 6691).
 */

/* By what the SYN said, of which lwIP knows, and by what the way to the application has. */
void sizes_begin(struct conn *c, struct tcp_pcb *pcb);
/* Which of the two lwIP goes by from now on. */
void sizes_choose(const struct conn *c, struct tcp_pcb *pcb, bool large);
/* The same for all connections of the shard that was chosen. */
void sizes_choose_all(bool large);
/* A packet did not fit through a link on its way.  Where it was a segment, its connection
 * sends in shorter ones what is on its way, and from now on. */
void sizes_narrow(struct stack *s, const struct too_big *t);

#endif
