/* SPDX-License-Identifier: MIT */
#ifndef STACK_OUTPUT_H
#define STACK_OUTPUT_H

#include "stack/room.h"

#include "lwip/netif.h"

/* The packets of lwIP are s's from now on. */
void output_begin(struct stack *s);
/* lwIP has returned: it sends for nobody. */
void output_rest(void);
/* From now on segments that only acknowledge wait for the end of the turn; and no longer. */
void output_hold(bool holds);
/* What lwIP sends by. ERR_MEM makes it keep a segment; port_resume sends it. */
err_t output_ip4(struct netif *n, struct pbuf *p, const ip4_addr_t *to);
err_t output_ip6(struct netif *n, struct pbuf *p, const ip6_addr_t *to);

#endif
