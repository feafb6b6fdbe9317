/* SPDX-License-Identifier: MIT */
#include "stack/shard.h"

#include "lwip/priv/tcp_priv.h"

static struct {
	struct tcp_pcb *active, *waiting;
} shards[SHARDS];

static uint16_t chosen;
static uint64_t used[SHARDS / 64 + 1]; /* a bit for each that is not empty */

/* Puts what lwIP has of the chosen shard where the next look finds it. */
static void
settle(void)
{
	uint64_t bit = (uint64_t)1 << chosen % 64;

	shards[chosen].active = tcp_active_pcbs;
	shards[chosen].waiting = tcp_tw_pcbs;
	if (tcp_active_pcbs || tcp_tw_pcbs)
		used[chosen / 64] |= bit;
	else
		used[chosen / 64] &= ~bit;
}

/* The first that is not empty, from `from` on; SHARDS: none. */
static unsigned
next_used(unsigned from)
{
	size_t i = from / 64;
	uint64_t word = used[i] >> from % 64 << from % 64;

	while (!word && ++i < sizeof(used) / sizeof(*used))
		word = used[i];
	return word ? (unsigned)(i * 64) + (unsigned)__builtin_ctzll(word) : SHARDS;
}

void
shard_choose(uint16_t shard)
{
	if (shard == chosen)
		return;
	settle();
	chosen = shard;
	tcp_active_pcbs = shards[chosen].active;
	tcp_tw_pcbs = shards[chosen].waiting;
}

bool
shard_any(bool (*look)(const struct tcp_pcb *pcb))
{
	const struct tcp_pcb *pcb;
	unsigned i;

	settle();
	for (i = next_used(0); i < SHARDS; i = next_used(i + 1)) {
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
	unsigned i;

	settle();
	for (i = next_used(0); i < SHARDS; i = next_used(i + 1)) {
		tcp_ticks = ticks;
		calls += tick_one((uint16_t)i, slow, around);
	}
	tcp_ticks = slow ? ticks + 1 : ticks;
	if (calls % 256 == 0)
		count_on();
}

void
shard_abort(void)
{
	unsigned i;

	settle();
	for (i = next_used(0); i < SHARDS; i = next_used(i + 1)) {
		shard_choose((uint16_t)i);
		while (tcp_active_pcbs)
			tcp_abort(tcp_active_pcbs);
		while (tcp_tw_pcbs)
			tcp_abort(tcp_tw_pcbs);
	}
}
