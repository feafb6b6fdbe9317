/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_MISLED_H
#define PLATFORM_MISLED_H

#include "base/addr.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Packets that rules of somebody else's misled, as the firewall of
 * net_firewall_add sees it and tells of it.  The keeper's.
 */
enum net_misled_how {
	NET_MISLED_BACK,  /* had to leave outside, and was led into the device; dropped */
	NET_MISLED_UNSEEN /* came in, and was kept from connection tracking */
};

struct net_misled {
	enum net_misled_how how;
	enum network network; /* ICMP: or anything else, without ports */
	struct endpoint source, target;
	unsigned mark; /* as it was there */
	bool is_socket; /* it came from a socket of this machine's, which is this user's: */
	uid_t uid;
};

/* Of the firewall with this mark, while one listens. A descriptor, or -errno. */
int net_misled_watch(unsigned mark);
/* The next one. 0, -EAGAIN: none now; -ENOBUFS: some were lost; or -errno. */
int net_misled_next(int fd, struct net_misled *m);
/* Ends the TCP connection that it is of, whose owner gets ECONNABORTED. 0, or -errno. */
int net_misled_end(const struct net_misled *m);
/* Whether it answers what is sent in a connection of net_direct's: 1, 0, or -errno. */
int net_misled_is_answer(const struct net_misled *m, unsigned kept);

#endif
