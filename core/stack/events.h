/* SPDX-License-Identifier: MIT */
#ifndef STACK_EVENTS_H
#define STACK_EVENTS_H

#include "stack/room.h"

#include "lwip/tcp.h"

/* lwIP has made pcb of c's SYN; from now on it tells c what happens. */
void events_begin(struct conn *c, struct tcp_pcb *pcb, uint8_t id);

#endif
