/* SPDX-License-Identifier: MIT */
#ifndef DNS_SEEN_H
#define DNS_SEEN_H

#include "base/addr.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Names seen: the name by which applications last came to know an address.
 * An address that several names share (every large host does that) goes by the
 * newest one: whoever connects has mostly just asked.  Applications keep
 * addresses for longer than the TTL, so an entry lives for ten minutes at
 * least, and for a day at most.  At the maximum the oldest entry goes.  Times
 * are loop_now()'s.
 */
struct seen;

struct seen *seen_new(size_t max);
void seen_free(struct seen *s);
/* Without memory nothing is remembered. */
void seen_note(struct seen *s, uint64_t now, const struct ip *ip, const char *name,
	uint32_t ttl);
/* Borrowed until the next seen_note; NULL: not known, or too long ago. */
const char *seen_find(const struct seen *s, uint64_t now, const struct ip *ip);

#endif
