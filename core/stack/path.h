/* SPDX-License-Identifier: MIT */
#ifndef STACK_PATH_H
#define STACK_PATH_H

#include "base/addr.h"

#include <stddef.h>
#include <stdint.h>

/*
 * How wide the ways to other hosts behind this machine are, as ICMPv6 tells
 * (RFC 8201): what is longer than a link on its way is sent in pieces by who
 * sends it, which is the stack: a datagram in fragments, a stream in shorter
 * segments.  (IPv4's packets may be cut where they must be.)  What was told
 * holds for ten minutes; beyond PATHS hosts the oldest is forgotten.
 */
enum { PATHS = 16 };

struct path {
	struct ip to;
	uint16_t mtu;
	uint64_t since;
};

struct paths {
	struct path all[PATHS];
	int n;
};

/* What is narrower than IPv6 allows is taken for the least that it does. */
void paths_learn(struct paths *p, const struct ip *to, uint32_t mtu, uint64_t now);
/* The bytes that a packet to that host may have: at most `mtu`. */
size_t paths_mtu(const struct paths *p, const struct ip *to, size_t mtu, uint64_t now);

#endif
