/* SPDX-License-Identifier: MIT */
#ifndef STACK_HOOKS_H
#define STACK_HOOKS_H

#include <stdint.h>

struct ip_addr;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/* What lwIP calls while it builds a segment. */

/* Initial sequence numbers that cannot be guessed (RFC 6528). */
uint32_t port_isn(void);
/* How many bytes of options a segment has, where lwIP itself would write `len`. */
uint8_t port_options(const struct tcp_pcb *pcb, uint8_t len);
/* Sees every outgoing segment with the connection that it is of, and writes what lwIP has
 * left of the options. */
uint32_t *port_segment(
	struct pbuf *p, struct tcp_hdr *h, const struct tcp_pcb *pcb, uint32_t *options);

#define LWIP_HOOK_TCP_ISN(local, lport, remote, rport) port_isn()
#define LWIP_HOOK_TCP_OUT_TCPOPT_LENGTH(pcb, len)      port_options(pcb, len)
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, h, pcb, o)    port_segment(p, h, pcb, o)

#endif
