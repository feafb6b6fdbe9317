/* SPDX-License-Identifier: MIT */
#include "platform/linux/default_routes.h"

#include "platform/linux/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>

enum { DEFAULTS_MAX = 16 /* default routes of a family; the others are not copied */ };

/* Default routes of one table, as messages that change the same ones in another. */
struct defaults {
	unsigned from, to;
	unsigned but; /* index of the device whose routes are left out */
	uint16_t type, flags;
	struct netlink_message route[DEFAULTS_MAX];
	int n;
};

static bool
is_one_of(const struct nlmsghdr *h, const struct defaults *d)
{
	const struct rtmsg *r = mnl_nlmsg_get_payload(h);
	const struct nlattr *table = netlink_attr(h, sizeof *r, RTA_TABLE);
	const struct nlattr *out = netlink_attr(h, sizeof *r, RTA_OIF);

	return h->nlmsg_type == RTM_NEWROUTE && r->rtm_dst_len == 0 &&
		r->rtm_type == RTN_UNICAST && table &&
		mnl_attr_get_u32(table) == d->from &&
		!(out && mnl_attr_get_u32(out) == d->but);
}

/* All of the kernel's own words, but for the table and what only ages. */
static int
default_copy(const struct nlmsghdr *h, void *arg)
{
	struct defaults *d = arg;
	struct netlink_message *m = &d->route[d->n];
	const struct nlattr *a;
	struct rtmsg *r;

	if (d->n == DEFAULTS_MAX || h->nlmsg_len > sizeof m->room - 64 ||
		!is_one_of(h, d))
		return MNL_CB_OK;
	r = netlink_begin(m, d->type, (uint16_t)(d->flags | NLM_F_ACK), sizeof *r);
	*r = *(const struct rtmsg *)mnl_nlmsg_get_payload(h);
	r->rtm_table = RT_TABLE_UNSPEC;
	/* What is removed may be of any. */
	r->rtm_protocol = d->type == RTM_NEWROUTE ? RTPROT_KERNEL : RTPROT_UNSPEC;
	r->rtm_flags &= RTNH_F_ONLINK;
	mnl_attr_for_each(a, h, sizeof *r)
	{
		if (mnl_attr_get_type(a) != RTA_TABLE &&
			mnl_attr_get_type(a) != RTA_CACHEINFO)
			mnl_attr_put(m->head, a->nla_type, mnl_attr_get_payload_len(a),
				mnl_attr_get_payload(a));
	}
	mnl_attr_put_u32(m->head, RTA_TABLE, d->to);
	d->n++;
	return MNL_CB_OK;
}

/* First read as a whole, then changed: a dump does not outlast a change. */
static int
defaults_change(int family, struct defaults *d, int fine)
{
	struct netlink_message m;
	struct rtmsg *r;
	int i, error, worst;

	r = netlink_begin(&m, RTM_GETROUTE, NLM_F_DUMP, sizeof *r);
	r->rtm_family = netlink_domain(family);
	worst = netlink_ask(NETLINK_ROUTE, &m, default_copy, d);
	for (i = 0; i < d->n; i++) {
		error = netlink_ask(NETLINK_ROUTE, &d->route[i], NULL, NULL);
		if (error < 0 && error != fine)
			worst = error;
	}
	return worst;
}

int
default_routes_drop(int family, unsigned table)
{
	struct defaults d = { .from = table, .to = table, .type = RTM_DELROUTE };

	return defaults_change(family, &d, -ESRCH);
}

int
default_routes_copy(int family, unsigned table, unsigned but)
{
	struct defaults d = { .from = RT_TABLE_MAIN,
		.to = table,
		.but = but,
		.type = RTM_NEWROUTE,
		.flags = NLM_F_CREATE | NLM_F_APPEND };

	return defaults_change(family, &d, -EEXIST);
}
