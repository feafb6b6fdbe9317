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

/* With lwIP's own pointers put back where the next look finds them. */
static void
settle(void)
{
	shards[chosen].active = tcp_active_pcbs;
	shards[chosen].waiting = tcp_tw_pcbs;
}

bool
shard_any(bool (*look)(const struct tcp_pcb *pcb))
{
	const struct tcp_pcb *pcb;
	uint16_t i;

	settle();
	for (i = 0; i < SHARDS; i++) {
		if (shards[i].waiting)
			return true;
		for (pcb = shards[i].active; pcb; pcb = pcb->next)
			if (look(pcb))
				return true;
	}
	return false;
}

static unsigned
tick_one(uint16_t shard, bool slow, void (*around)(bool before))
{
	shard_choose(shard);
	around(true);
	tcp_fasttmr();
	if (slow)
		tcp_slowtmr();
	around(false);
	return slow ? 2 : 1;
}

/* A call of lwIP's that only counts. */
static void
count_on(void)
{
	struct tcp_pcb *active = tcp_active_pcbs;

	tcp_active_pcbs = NULL;
	tcp_fasttmr();
	tcp_active_pcbs = active;
}

/*
 * lwIP's clock makes one step a turn, however many lists there are.  It counts
 * its calls in a byte, and passes over a connection that it has seen at the
 * same count: a turn of 256 calls would find each list at its old count for
 * ever.  When lists come and go one may be passed over once, which is a timer
 * that is late by one turn.
 */
void
shard_tick(bool slow, void (*around)(bool before))
{
	uint32_t ticks = tcp_ticks;
	unsigned calls = 0;
	uint16_t i;

	settle();
	for (i = 0; i < SHARDS; i++) {
		if (!shards[i].active && !shards[i].waiting)
			continue;
		tcp_ticks = ticks;
		calls += tick_one(i, slow, around);
	}
	tcp_ticks = slow ? ticks + 1 : ticks;
	if (calls % 256 == 0)
		count_on();
}

void
shard_abort(void)
{
	uint16_t i;

	settle();
	for (i = 0; i < SHARDS; i++) {
		if (!shards[i].active && !shards[i].waiting)
			continue;
		shard_choose(i);
		while (tcp_active_pcbs)
			tcp_abort(tcp_active_pcbs);
		while (tcp_tw_pcbs)
			tcp_abort(tcp_tw_pcbs);
	}
}
