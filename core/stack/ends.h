/* SPDX-License-Identifier: MIT */
#ifndef STACK_ENDS_H
#define STACK_ENDS_H

#include "base/addr.h"

#include <stdbool.h>

#include "lwip/ip_addr.h"

/* The two ends of a connection, which lwIP has in words of its own. */

struct tcp_pcb;

void ends_address_set(ip_addr_t *to, const struct ip *ip);
void ends_get(const struct tcp_pcb *pcb, struct endpoint *app, struct endpoint *target);
bool ends_are(const struct tcp_pcb *pcb, const struct endpoint *app,
	const struct endpoint *target);

#endif
