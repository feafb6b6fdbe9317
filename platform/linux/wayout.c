/* SPDX-License-Identifier: MIT */
#include "platform/net.h"

#include "platform/linux/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

struct answer {
	unsigned index;
	struct ip source;
	bool has_gateway;
};

static int
attribute_read(const struct nlattr *a, void *arg)
{
	struct answer *w = arg;
	size_t len = mnl_attr_get_payload_len(a);

	if (mnl_attr_get_type(a) == RTA_OIF && len == sizeof(uint32_t))
		w->index = mnl_attr_get_u32(a);
	if (mnl_attr_get_type(a) == RTA_PREFSRC && (len == 4 || len == 16))
		w->source = ip_make(len == 4 ? 4 : 6, mnl_attr_get_payload(a));
	if (mnl_attr_get_type(a) == RTA_GATEWAY || mnl_attr_get_type(a) == RTA_VIA)
		w->has_gateway = true;
	return MNL_CB_OK;
}

static int
answer_read(const struct nlmsghdr *h, void *arg)
{
	if (h->nlmsg_type == RTM_NEWROUTE)
		(void)mnl_attr_parse(h, sizeof(struct rtmsg), attribute_read, arg);
	return MNL_CB_OK;
}

int
net_wayout(const struct ip *to, uid_t uid, struct net_wayout *w)
{
	struct answer found = { 0 };
	struct netlink_message m;
	char name[IF_NAMESIZE];
	struct rtmsg *r;
	int error;

	r = netlink_begin(&m, RTM_GETROUTE, NLM_F_ACK, sizeof *r);
	r->rtm_family = netlink_domain(to->family);
	r->rtm_dst_len = to->family == 6 ? 128 : 32;
	netlink_put_ip(&m, RTA_DST, to);
	mnl_attr_put_u32(m.head, RTA_UID, uid);
	error = netlink_ask(NETLINK_ROUTE, &m, answer_read, &found);
	if (error < 0)
		return error;
	if (found.index == 0 || !if_indextoname(found.index, name))
		return -ENETUNREACH;
	memset(w, 0, sizeof *w);
	memcpy(w->interface, name, strnlen(name, sizeof w->interface - 1));
	w->source = found.source;
	w->on_link = !found.has_gateway;
	return 0;
}
