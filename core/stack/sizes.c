/* SPDX-License-Identifier: MIT */
#include "stack/sizes.h"

#include "stack/stamps.h"

#include "lwip/priv/tcp_priv.h"

void
sizes_begin(struct conn *c, struct tcp_pcb *pcb, uint16_t mss_max)
{
	uint16_t options = stamps_len(pcb);
	uint16_t most = (uint16_t)(SEGMENT_MAX - options);

	if (pcb->mss > mss_max)
		pcb->mss = mss_max;
	c->mss = c->large = (uint16_t)(pcb->mss - options);
	if (c->stack->config.offload && c->mss < most)
		c->large = (uint16_t)(most / c->mss * c->mss);
}

void
sizes_choose(const struct conn *c, struct tcp_pcb *pcb, bool large)
{
	pcb->mss = (u16_t)((large ? c->large : c->mss) + stamps_len(pcb));
}

void
sizes_choose_all(bool large)
{
	struct tcp_pcb *pcb;

	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		if (pcb->callback_arg)
			sizes_choose(pcb->callback_arg, pcb, large);
}
