/* SPDX-License-Identifier: MIT */
#include "platform/net.h"

#include "platform/linux/nfevents.h"

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
	const struct nlattr *a;
	unsigned table;

	mnl_attr_for_each(a, h, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(a) != RTA_TABLE ||
			mnl_attr_validate(a, MNL_TYPE_U32) < 0)
			continue;
		table = mnl_attr_get_u32(a);
		return table >= first && table <= last;
	}
	return false;
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
net_changes_lost(int fd, unsigned index, unsigned table)
{
	_Alignas(struct nlmsghdr) char events[EVENTS_MAX];
	const struct nlmsghdr *h;
	bool lost = false;
	ssize_t n;
	int left;

	for (;;) {
		n = nfevents_recv(fd, events, sizeof events);
		if (n < 0 && n != -ENOBUFS)
			return lost;
		lost = lost || n == -ENOBUFS;
		left = n < 0 ? 0 : (int)n;
		for (h = (const void *)events; nfevents_is_whole(h, left);
			h = mnl_nlmsg_next(h, &left))
			lost = lost || is_loss(h, index, table, table + 1);
	}
}
