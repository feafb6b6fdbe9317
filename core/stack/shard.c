/* SPDX-License-Identifier: MIT */
#include "stack/shard.h"

#include "lwip/priv/tcp_priv.h"

static struct {
	struct tcp_pcb *active, *waiting;
} shards[SHARDS];

static uint16_t chosen;

void
shard_choose(uint16_t shard)
{
	if (shard == chosen)
		return;
	shards[chosen].active = tcp_active_pcbs;
	shards[chosen].waiting = tcp_tw_pcbs;
	chosen = shard;
	tcp_active_pcbs = shards[chosen].active;
	tcp_tw_pcbs = shards[chosen].waiting;
}

bool
shard_any(bool (*look)(const struct tcp_pcb *pcb))
{
	const struct tcp_pcb *pcb;
	uint16_t i;

	for (i = 0; i < SHARDS; i++) {
		shard_choose(i);
		if (tcp_tw_pcbs)
			return true;
		for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
			if (look(pcb))
				return true;
	}
	return false;
}

/* lwIP's clock makes one step a turn, however many lists there are. */
void
shard_tick(bool slow, void (*around)(bool before))
{
	uint32_t ticks = tcp_ticks;
	uint16_t i;

	for (i = 0; i < SHARDS; i++) {
		shard_choose(i);
		around(true);
		tcp_fasttmr();
		if (slow) {
			tcp_ticks = ticks;
			tcp_slowtmr();
		}
		around(false);
	}
}

void
shard_abort(void)
{
	uint16_t i;

	for (i = 0; i < SHARDS; i++) {
		shard_choose(i);
		while (tcp_active_pcbs)
			tcp_abort(tcp_active_pcbs);
		while (tcp_tw_pcbs)
			tcp_abort(tcp_tw_pcbs);
	}
}
