/* SPDX-License-Identifier: MIT */
#include "platform/linux/policy.h"

#include "platform/direct.h"
#include "platform/linux/netlink.h"
#include "platform/linux/nfevents.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum { EVENT_MAX = 8192 }; /* bytes; what they say is asked for anew */

int
net_policy_watch(void)
{
	return netlink_hear(
		NETLINK_ROUTE, RTMGRP_IPV4_RULE | 1u << (RTNLGRP_IPV6_RULE - 1));
}

void
net_policy_seen(int fd)
{
	_Alignas(struct nlmsghdr) char event[EVENT_MAX];
	ssize_t n;

	do
		n = nfevents_recv(fd, event, sizeof event);
	while (n >= 0 || n == -ENOBUFS);
}

/*
 * Our own for the engine's other sockets is none.  Before our rules, what an
 * application sends has met it already, and come to the device all the same; so
 * there it is one only where it is about root, as the engine's packets are.
 */
static bool
parts_users(const struct fib_rule_uid_range *u, uint32_t priority, bool inverted,
	const struct net_policy *ours)
{
	if ((u->start == 0 && u->end == UINT32_MAX) ||
		(u->start == ours->engine && u->end == ours->engine))
		return false;
	return inverted || u->start == 0 || priority > ours->first;
}

bool
policy_rule_read(
	const struct nlmsghdr *h, const struct net_policy *ours, uint32_t *priority)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(h);
	struct fib_rule_uid_range users = { 0, UINT32_MAX };
	const struct nlattr *a;
	uint32_t its = 0;

	if (h->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(h) < sizeof *rule)
		return false;
	mnl_attr_for_each(a, h, sizeof *rule)
	{
		size_t len = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(a) == FRA_PRIORITY && len == sizeof its)
			its = mnl_attr_get_u32(a);
		if (mnl_attr_get_type(a) == FRA_UID_RANGE && len == sizeof users)
			memcpy(&users, mnl_attr_get_payload(a), sizeof users);
	}
	if (!parts_users(&users, its, (rule->flags & FIB_RULE_INVERT) != 0, ours))
		return false;
	*priority = its;
	return true;
}

/* What is asked for, and the first that was found. */
struct search {
	const struct net_policy *ours;
	uint32_t priority;
	bool is_found;
};

static int
rule_see(const struct nlmsghdr *h, void *arg)
{
	struct search *s = arg;

	s->is_found = s->is_found || policy_rule_read(h, s->ours, &s->priority);
	return MNL_CB_OK;
}

int
net_policy_by_user(int family, const struct net_policy *ours, uint32_t *priority)
{
	struct search s = { .ours = ours };
	struct netlink_message m;
	struct fib_rule_hdr *rule;
	int r;

	rule = netlink_begin(&m, RTM_GETRULE, NLM_F_DUMP, sizeof *rule);
	rule->family = netlink_domain(family);
	r = netlink_ask(NETLINK_ROUTE, &m, rule_see, &s);
	*priority = s.priority;
	return r < 0 ? r : s.is_found;
}
