/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_NFT_WATCH_H
#define PLATFORM_LINUX_NFT_WATCH_H

#include <stddef.h>

/*
 * News of rule sets, `n` bytes of netlink messages at p, which is aligned for
 * them: what `lost` (NET_RULES_ bits) is after them.  A table of `made` is
 * whole again where it is made; of the others that is somebody else's doing.
 */
unsigned nft_events_apply(unsigned lost, unsigned made, const void *p, size_t n);

#endif
