/* SPDX-License-Identifier: MIT */
#ifndef STACK_EVENTS_H
#define STACK_EVENTS_H

#include "stack/room.h"

#include "lwip/tcp.h"

/* lwIP has made pcb of c's SYN; from now on it tells c what happens. */
void events_begin(struct conn *c, struct tcp_pcb *pcb, uint8_t id);
/* The handshake of the connection `arg` is complete. */
err_t events_accept(void *arg, struct tcp_pcb *pcb, err_t err);

#endif
