/* SPDX-License-Identifier: MIT */
#include "platform/claim.h"

#include "platform/linux/netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
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

static uint32_t
number_of(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a = netlink_attr(h, sizeof(struct fib_rule_hdr), type);

	return a && mnl_attr_get_payload_len(a) == sizeof(uint32_t) ? mnl_attr_get_u32(a)
								    : 0;
}

struct remains {
	struct net_routes *routes;
	bool marked; /* the rule for marked packets is there */
};

/* The first two of rule_order (route.c) that jump: by the mark, and by the uid. */
static int
rule_see(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(h);
	struct fib_rule_uid_range users;
	const struct nlattr *a;
	struct remains *found = arg;
	uint32_t pref;

	if (h->nlmsg_type != RTM_NEWRULE || rule->action != FR_ACT_GOTO)
		return MNL_CB_OK;
	pref = number_of(h, FRA_PRIORITY);
	if (pref == found->routes->pref &&
		number_of(h, FRA_FWMARK) == found->routes->mark)
		found->marked = true;
	a = netlink_attr(h, sizeof *rule, FRA_UID_RANGE);
	if (pref == found->routes->pref + 1 && a &&
		mnl_attr_get_payload_len(a) == sizeof users) {
		memcpy(&users, mnl_attr_get_payload(a), sizeof users);
		found->routes->uid = users.start;
	}
	return MNL_CB_OK;
}

static bool
rules_remain(struct net_routes *routes, int family)
{
	struct remains found = { .routes = routes };
	struct netlink_message m;
	struct fib_rule_hdr *rule;

	rule = netlink_begin(&m, RTM_GETRULE, NLM_F_DUMP, sizeof *rule);
	rule->family = netlink_domain(family);
	return netlink_ask(NETLINK_ROUTE, &m, rule_see, &found) == 0 && found.marked;
}

/* By a chain as well: a table of this name may be somebody else's. */
static bool
firewall_remains(void)
{
	struct netlink_message m;
	struct nfgenmsg *g;

	g = netlink_begin(
		&m, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_ACK, sizeof *g);
	g->nfgen_family = NFPROTO_INET;
	g->version = NFNETLINK_V0;
	mnl_attr_put_strz(m.head, NFTA_CHAIN_TABLE, "sluice");
	mnl_attr_put_strz(m.head, NFTA_CHAIN_NAME, "led_back");
	return netlink_ask(NETLINK_NETFILTER, &m, NULL, NULL) == 0;
}

unsigned
net_remains_find(struct net_routes *r)
{
	unsigned found = 0;

	if (rules_remain(r, 4) || rules_remain(r, 6))
		found |= NET_REMAINS_ROUTES;
	if (firewall_remains())
		found |= NET_REMAINS_FIREWALL;
	return found;
}
