/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_CONNTRACK_H
#define PLATFORM_LINUX_CONNTRACK_H

#include "platform/direct.h"

/* What the kernel tracks; private to platform/linux. */

struct nlmsghdr;

/* Reads one connection of ctnetlink's, of any contents within its length. */
void conntrack_read(const struct nlmsghdr *h, struct net_direct_end *end);
/* Shows all connections of a family with this mark, as they are now. 0, or -errno. */
int conntrack_each(int family, unsigned mark,
	void (*each)(const struct net_direct_end *, void *arg), void *arg);
/* Forgets all of them. A wish: they run out by themselves. */
void conntrack_flush(int family, unsigned mark);

#endif
