/* SPDX-License-Identifier: MIT */
#include "platform/linux/route_watch.h"

#include "platform/linux/netlink.h"
#include "platform/linux/nfevents.h"
#include "platform/linux/route.h"
#include "platform/net.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

enum { EVENTS_MAX = 32768 }; /* bytes: a message of the kernel's is shorter */

int
net_changes_watch(void)
{
	return netlink_hear(NETLINK_ROUTE,
		RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
			1u << (RTNLGRP_IPV6_RULE - 1));
}

static bool
is_of_table(const struct nlmsghdr *h, unsigned first, unsigned last)
{
	const struct nlattr *a = netlink_attr(h, sizeof(struct rtmsg), RTA_TABLE);
	unsigned table;

	if (!a || mnl_attr_validate(a, MNL_TYPE_U32) < 0)
		return false;
	table = mnl_attr_get_u32(a);
	return table >= first && table <= last;
}

/* A device that goes down takes the routes through it along without a word.  What is added
 * takes nothing away, and is what we do ourselves. */
static bool
is_loss(const struct nlmsghdr *h, unsigned index, unsigned first, unsigned last)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(h);
	size_t len = mnl_nlmsg_get_payload_len(h);

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return len >= sizeof *link && link->ifi_index == (int)index;
	case RTM_DELADDR:
		return len >= sizeof *address && address->ifa_index == index;
	case RTM_DELROUTE:
		return len >= sizeof(struct rtmsg) && is_of_table(h, first, last);
	case RTM_DELRULE:
		return true;
	default:
		return false;
	}
}

bool
route_news_lost(const void *p, size_t n, unsigned index, unsigned table)
{
	const struct nlmsghdr *h;
	bool lost = false;
	int left = (int)n;

	for (h = p; nfevents_is_whole(h, left); h = mnl_nlmsg_next(h, &left))
		lost = lost || is_loss(h, index, table, table + ROUTE_TABLES - 1);
	return lost;
}

bool
net_changes_lost(int fd, unsigned index, unsigned table)
{
	_Alignas(struct nlmsghdr) char events[EVENTS_MAX];
	bool lost = false;
	ssize_t n;

	for (;;) {
		n = nfevents_recv(fd, events, sizeof events);
		if (n > 0)
			lost = route_news_lost(events, (size_t)n, index, table) || lost;
		else if (n == -ENOBUFS)
			lost = true;
		else if (n < 0)
			return lost;
	}
}
