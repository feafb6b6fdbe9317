/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_CONNTRACK_H
#define PLATFORM_LINUX_CONNTRACK_H

#include "platform/direct.h"

/* What the kernel tracks; private to platform/linux. */

struct mnl_socket;
struct nlmsghdr;

/* Reads one connection of ctnetlink's, of any contents within its length. */
void conntrack_read(const struct nlmsghdr *h, struct net_direct_end *end);
/* Of the mark of a connection (enum stage of nft_direct.c): the application's first packet
 * is on its way; its ends were withdrawn. */
enum { CONNTRACK_ASKED = 2 << 16, CONNTRACK_OVER = 4 << 16 };
/* Whether these two have a TCP connection in the zone `kept` whose ends are still its own.
 * `bus` is of netlink_open(NETLINK_NETFILTER). 1, 0, or -errno. */
int conntrack_carries(struct mnl_socket *bus, unsigned kept,
	const struct endpoint *source, const struct endpoint *target);
/* Whether a connection with the mark `kept` has answers that go from one of these to the
 * other. The same. */
int conntrack_awaits(struct mnl_socket *bus, unsigned kept, enum network network,
	const struct endpoint *source, const struct endpoint *target);
/* Forgets all connections of a family (0: of both) with this mark; each is shown (unless
 * `each` is NULL), as it is now, just before. A wish, with a warning where it fails: they
 * run out by themselves. 0, or -errno. */
int conntrack_forget(int family, unsigned mark,
	void (*each)(const struct net_direct_end *, void *arg), void *arg);

#endif
