/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_CONNTRACK_H
#define PLATFORM_LINUX_CONNTRACK_H

#include "platform/direct.h"

/* What the kernel tracks; private to platform/linux. */

struct nlmsghdr;

/* Reads one connection of ctnetlink's, of any contents within its length. */
void conntrack_read(const struct nlmsghdr *h, struct net_direct_end *end);
/* Forgets all connections of a family (0: of both) with this mark; each is shown (unless
 * `each` is NULL), as it is now, just before. A wish, with a warning where it fails: they
 * run out by themselves. 0, or -errno. */
int conntrack_forget(int family, unsigned mark,
	void (*each)(const struct net_direct_end *, void *arg), void *arg);

#endif
