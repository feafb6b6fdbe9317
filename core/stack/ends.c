/* SPDX-License-Identifier: MIT */
#include "stack/ends.h"

#include <string.h>

#include "lwip/tcp.h"

void
ends_address_set(ip_addr_t *to, const struct ip *ip)
{
	uint32_t word[4];

	memcpy(word, ip->b, sizeof(word));
	if (ip->family == 4) {
		ip_addr_set_zero_ip4(to);
		ip4_addr_set_u32(ip_2_ip4(to), word[0]);
	} else {
		ip_addr_set_zero_ip6(to);
		memcpy(ip_2_ip6(to)->addr, word, sizeof(word));
	}
}

static struct ip
address_of(const ip_addr_t *a)
{
	if (IP_IS_V4(a))
		return ip_make(4, (const uint8_t *)&ip_2_ip4(a)->addr);
	return ip_make(6, (const uint8_t *)ip_2_ip6(a)->addr);
}

void
ends_get(const struct tcp_pcb *pcb, struct endpoint *app, struct endpoint *target)
{
	*app = (struct endpoint){ address_of(&pcb->remote_ip), pcb->remote_port };
	*target = (struct endpoint){ address_of(&pcb->local_ip), pcb->local_port };
}

bool
ends_are(const struct tcp_pcb *pcb, const struct endpoint *app,
	const struct endpoint *target)
{
	struct endpoint a, t;

	ends_get(pcb, &a, &t);
	return endpoint_equal(&a, app) && endpoint_equal(&t, target);
}
