/* SPDX-License-Identifier: MIT */
#ifndef STACK_SHARD_H
#define STACK_SHARD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * lwIP walks one list of its connections, and one of those that wait to be
 * forgotten, at every packet.  Here both are one of many: the lists of the
 * shard that was chosen last are what lwIP sees as its own.
 */

struct tcp_pcb;

/* A prime. */
enum { SHARDS = 4093 };

/* Which shard a connection with this hash of its endpoints is in. */
static inline uint16_t
shard_of(uint64_t hash)
{
	return (uint16_t)(hash % SHARDS);
}

/* From now on lwIP looks for, adds and removes connections in this shard. */
void shard_choose(uint16_t shard);
/* Whether a connection waits to be forgotten, or `look` says true of one. */
bool shard_any(bool (*look)(const struct tcp_pcb *pcb));
/* One turn of lwIP's timers: the fast ones, and where `slow` the slow ones too.
 * `around` is called before and after them for each list. */
void shard_tick(bool slow, void (*around)(bool before));
/* Ends all connections without a word. */
void shard_abort(void);

#endif
