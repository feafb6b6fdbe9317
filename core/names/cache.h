/* SPDX-License-Identifier: MIT */
#ifndef NAMES_CACHE_H
#define NAMES_CACHE_H

#include "base/addr.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What resolvers have answered, by name and type, until its time is over.  At
 * the maximum the oldest entry goes.  Times are loop_now()'s.
 */
struct cache;

struct cache *cache_new(size_t max);
void cache_free(struct cache *c);
/*
 * How many addresses are known, at *ip (borrowed until the next put or flush);
 * 0: it is known that there are none; -EAGAIN: nothing is known.
 */
int cache_find(struct cache *c, uint64_t now, const char *name, uint16_t type,
	const struct ip **ip);
/* Remembers n addresses, or with n = 0 that there are none, for `ttl` seconds; replaces
 * what was known. Without memory nothing is remembered. */
void cache_put(struct cache *c, uint64_t now, const char *name, uint16_t type,
	const struct ip *ip, size_t n, uint32_t ttl);
void cache_flush(struct cache *c);

/* The bounds of a TTL: 1 s to a day, and to 15 minutes for what does not exist. */
uint32_t cache_ttl(uint32_t ttl, size_t n);

#endif
