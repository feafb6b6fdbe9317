/* SPDX-License-Identifier: MIT */
#ifndef STACK_HOOKS_H
#define STACK_HOOKS_H

#include <stdint.h>

struct ip_addr;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/* What lwIP calls in port.c while it builds a segment. */

/* Initial sequence numbers that cannot be guessed (RFC 6528). */
uint32_t port_isn(void);
/* Sees every outgoing segment with the connection that it is of. */
uint32_t *port_segment(
	struct pbuf *p, struct tcp_hdr *h, const struct tcp_pcb *pcb, uint32_t *options);

#define LWIP_HOOK_TCP_ISN(local, lport, remote, rport) port_isn()
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, h, pcb, o)    port_segment(p, h, pcb, o)

#endif
