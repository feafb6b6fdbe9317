/* SPDX-License-Identifier: MIT */
#include "platform/claim.h"

#include "platform/linux/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

int
net_claim_make(const char *dev, unsigned group, struct err *e)
{
	struct netlink_message m;
	struct ifinfomsg *i;
	int r = -ENODEV;

	i = netlink_begin(&m, RTM_NEWLINK, NLM_F_ACK, sizeof *i);
	i->ifi_index = (int)if_nametoindex(dev);
	mnl_attr_put_u32(m.head, IFLA_GROUP, group);
	if (i->ifi_index != 0)
		r = netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
	return r == 0 ? 0
		      : err_set(e, "%s: its group cannot be set: %s", dev, strerror(-r));
}

struct search {
	unsigned group;
	char *name;
};

static int
link_see(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *group, *name;
	struct search *s = arg;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	group = netlink_attr(h, sizeof(struct ifinfomsg), IFLA_GROUP);
	name = netlink_attr(h, sizeof(struct ifinfomsg), IFLA_IFNAME);
	if (group && name && mnl_attr_get_u32(group) == s->group)
		snprintf(s->name, TUN_NAME, "%s", mnl_attr_get_str(name));
	return MNL_CB_OK;
}

int
net_claim_find(unsigned group, char dev[static TUN_NAME])
{
	struct search s = { group, dev };
	struct netlink_message m;
	int r;

	dev[0] = '\0';
	(void)netlink_begin(&m, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	r = netlink_ask(NETLINK_ROUTE, &m, link_see, &s);
	return r < 0 ? r : dev[0] != '\0';
}
