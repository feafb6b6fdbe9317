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
/* Before and after lwIP's timers, for the shard that was chosen: a timer may cut a segment
 * that no longer fits into the window, and finds one impossible that is longer than it
 * believes possible.  A window that has been too small for some time is believed. */
void sizes_tick(bool before);
/* After lwIP has sent what it would.  Where the window is half of the largest that there
 * was, as much of what waits goes as fits (RFC 9293 3.8.6.2.1). */
void sizes_fit(const struct conn *c, struct tcp_pcb *pcb);
/* A packet did not fit through a link on its way.  Where it was a segment, its connection
 * sends in shorter ones what is on its way, and from now on. */
void sizes_narrow(struct stack *s, const struct too_big *t);

#endif
