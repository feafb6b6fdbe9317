/* SPDX-License-Identifier: MIT */
#include "stream/tcp_inside.h"
#include "stream/udp.h"

#include <stdlib.h>

/*
 * At most 4,096 connections have bytes in flight in user space at once (132 MB
 * when all blocks are full); the others wait for a block.  Records above 33 KiB
 * are rare: no known peer sends one.
 */
enum { BLOCKS_MAX = 4096, BLOCKS_KEEP = 16, LARGE_MAX = 256, LARGE_KEEP = 2 };
enum { MEMORY_MIN = 4 << 20 }; /* bytes */
/* All flows, and what connections to servers are kept ready; those that ended in this turn
 * still have their struct. */
enum { STREAMS_MAX = 32768, STREAMS_KEEP = 64 };

struct tcp_memory *
tcp_memory_new(void)
{
	struct tcp_memory *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	blocks_init(&m->blocks, "bytes in flight", TCP_BLOCK, BLOCKS_MAX, BLOCKS_KEEP);
	blocks_init(&m->large, "large records", TCP_LARGE, LARGE_MAX, LARGE_KEEP);
	budget_init(&m->budget, SIZE_MAX);
	blocks_share(&m->blocks, &m->budget, TCP_BLOCK, false);
	blocks_share(&m->large, &m->budget, TCP_LARGE, false);
	pool_init(&m->streams, "connections outside", sizeof(struct tcp), STREAMS_MAX,
		STREAMS_KEEP);
	udp_pool_init(&m->packets);
	return m;
}

void
tcp_memory_limit(struct tcp_memory *m, size_t bytes)
{
	size_t large;

	m->budget.most = bytes < MEMORY_MIN ? MEMORY_MIN : bytes;
	large = m->budget.most / 8 / TCP_LARGE;
	m->large.pool.max = large < LARGE_MAX ? large : LARGE_MAX;
}

size_t
tcp_memory_structs(const struct tcp_memory *m)
{
	return m->streams.out * m->streams.size + m->packets.out * m->packets.size;
}

struct pool *
tcp_memory_packets(struct tcp_memory *m)
{
	return &m->packets;
}

struct budget *
tcp_memory_budget(struct tcp_memory *m)
{
	return &m->budget;
}

void
tcp_memory_free(struct tcp_memory *m)
{
	if (!m)
		return;
	blocks_fini(&m->blocks);
	blocks_fini(&m->large);
	pool_fini(&m->streams);
	pool_fini(&m->packets);
	free(m);
}

struct blocks *
tcp_memory_blocks(struct tcp_memory *m)
{
	return &m->blocks;
}

struct blocks *
tcp_memory_large(struct tcp_memory *m)
{
	return &m->large;
}
