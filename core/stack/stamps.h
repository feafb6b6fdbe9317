/* SPDX-License-Identifier: MIT */
#ifndef STACK_STAMPS_H
#define STACK_STAMPS_H

#include "stack/packet.h"

/*
 * Timestamps (RFC 7323 3), for those that speak of them in their SYN.  Without
 * them a kernel uses no port in TIME_WAIT again, and who connects often to one
 * address has none left after a minute.
 */

struct loop;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/* Whose time they tell. */
void stamps_begin(struct loop *loop);
/* Bytes that they take of each segment. */
uint8_t stamps_len(const struct tcp_pcb *pcb);
/* What the next segment echoes is from g, where that is its turn. */
void stamps_take(struct tcp_pcb *pcb, const struct segment *g);
/* Writes them at `options`, where the header has room left for them; what follows. */
uint32_t *stamps_write(const struct pbuf *p, struct tcp_hdr *h, const struct tcp_pcb *pcb,
	uint32_t *options);

#endif
