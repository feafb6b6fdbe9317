/* SPDX-License-Identifier: MIT */
#include "platform/net.h"

#include "platform/linux/link.h"
#include "platform/linux/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* Our device has no neighbours, so it needs no address of its own making and sends no
 * solicitations. A wish: a kernel without IPv6 refuses it. */
static void
no_link_local(unsigned index)
{
	struct netlink_message m;
	struct ifinfomsg *i;
	struct nlattr *families, *inet6;

	i = netlink_begin(&m, RTM_NEWLINK, NLM_F_ACK, sizeof *i);
	i->ifi_index = (int)index;
	families = mnl_attr_nest_start(m.head, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(m.head, AF_INET6);
	mnl_attr_put_u8(m.head, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(m.head, inet6);
	mnl_attr_nest_end(m.head, families);
	(void)netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
}

/* The kernel gives every device a multicast route, and the last device would get what
 * has no interface of its own, if the others go away for a moment. Multicast is the
 * LAN's. */
static void
no_multicast_route(unsigned index)
{
	const struct ip all = { .family = 6, .b = { 0xff } };
	struct netlink_message m;
	struct rtmsg *r;

	/* Of a device that has gone it would be any other's. */
	if (index == 0)
		return;
	r = netlink_begin(&m, RTM_DELROUTE, NLM_F_ACK, sizeof *r);
	r->rtm_family = AF_INET6;
	r->rtm_table = RT_TABLE_LOCAL;
	r->rtm_dst_len = 8;
	netlink_put_ip(&m, RTA_DST, &all);
	mnl_attr_put_u32(m.head, RTA_OIF, index);
	(void)netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
}

int
net_link_up(const char *dev, const struct tun_config *c, struct err *e)
{
	unsigned index = if_nametoindex(dev);
	struct netlink_message m;
	struct ifinfomsg *i;
	int r;

	if (index == 0)
		return err_set(e, "%s: there is no such interface", dev);
	no_link_local(index);
	i = netlink_begin(&m, RTM_NEWLINK, NLM_F_ACK, sizeof *i);
	i->ifi_index = (int)index;
	i->ifi_flags = IFF_UP;
	i->ifi_change = IFF_UP;
	mnl_attr_put_u32(m.head, IFLA_MTU, (uint32_t)c->mtu);
	mnl_attr_put_u32(m.head, IFLA_TXQLEN, (uint32_t)c->queue);
	r = netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
	if (r < 0)
		return err_set(e, "%s: cannot be brought up with an MTU of %d: %s", dev,
			c->mtu, strerror(-r));
	no_multicast_route(index);
	return 0;
}

/* Its flags, IFF_; 0: it has none, or there is no such device. */
static int
flags_read(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	unsigned *flags = arg;

	if (h->nlmsg_type == RTM_NEWLINK)
		*flags = i->ifi_flags;
	return MNL_CB_OK;
}

static bool
is_up(unsigned index)
{
	struct netlink_message m;
	struct ifinfomsg *i;
	unsigned flags = 0;

	i = netlink_begin(&m, RTM_GETLINK, NLM_F_ACK, sizeof *i);
	i->ifi_index = (int)index;
	return netlink_ask(NETLINK_ROUTE, &m, flags_read, &flags) == 0 &&
		(flags & IFF_UP) != 0;
}

unsigned
net_link_index(const char *dev)
{
	return if_nametoindex(dev);
}

int
net_link_mend(const char *dev, const struct tun_config *c, struct err *e)
{
	unsigned index = if_nametoindex(dev);

	if (!is_up(index))
		return net_link_up(dev, c, e) < 0 ? -1 : 1;
	/* Somebody else may have brought it up. */
	no_multicast_route(index);
	return 0;
}

static int
address_change(uint16_t type, uint16_t flags, unsigned index, const struct cidr *c)
{
	struct netlink_message m;
	struct ifaddrmsg *a;

	a = netlink_begin(&m, type, (uint16_t)(flags | NLM_F_ACK), sizeof *a);
	a->ifa_family = netlink_domain(c->ip.family);
	a->ifa_prefixlen = c->bits;
	a->ifa_index = index;
	netlink_put_ip(&m, IFA_LOCAL, &c->ip);
	netlink_put_ip(&m, IFA_ADDRESS, &c->ip);
	/* No route of the prefix in the main table: the engine's own sockets look there,
	 * and would find the way back into the device. Nobody else can have the address
	 * on a point-to-point device, so it is usable at once. */
	mnl_attr_put_u32(m.head, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	return netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
}

/* All routes become new ones when any address goes: here one that nobody has (RFC 6666). */
void
link_routes_renew(void)
{
	const struct cidr nobody = { { 6, { 0x01, [15] = 1 } }, 128 };
	unsigned index = if_nametoindex("lo");

	(void)address_change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, &nobody);
	(void)address_change(RTM_DELADDR, 0, index, &nobody);
}

static int
switch_on_ipv6(const char *dev, struct err *e)
{
	char name[64];

	snprintf(name, sizeof name, "net.ipv6.conf.%.15s.disable_ipv6", dev);
	return net_sysctl_set(name, "0", e);
}

/* 0, -EEXIST, or -1 and why. */
static int
address_put(const char *dev, const struct cidr *c, struct err *e)
{
	char text[CIDR_TEXT];
	unsigned index = if_nametoindex(dev);
	int r;

	if (index == 0)
		return err_set(e, "%s: there is no such interface", dev);
	r = address_change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, c);
	/* IPv6 is off for new devices; this one is ours, and goes with us. */
	if (r == -EACCES && c->ip.family == 6 && switch_on_ipv6(dev, e) == 0)
		r = address_change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, c);
	if (r == 0)
		return 0;
	cidr_format(c, text);
	if (c->ip.family == 6 && (r == -EACCES || r == -EOPNOTSUPP || r == -EAFNOSUPPORT))
		return err_set(e,
			"%s: address %s: this kernel has no IPv6; leave the address out",
			dev, text);
	(void)err_set(e, "%s: address %s: %s", dev, text, strerror(-r));
	return r == -EEXIST ? r : -1;
}

int
net_address_add(const char *dev, const struct cidr *c, struct err *e)
{
	return address_put(dev, c, e) == 0 ? 0 : -1;
}

int
net_address_mend(const char *dev, const struct cidr *c, struct err *e)
{
	int r = address_put(dev, c, e);

	if (r < 0)
		return r == -EEXIST ? 0 : -1;
	/* It comes with the first address. */
	no_multicast_route(if_nametoindex(dev));
	return 1;
}

int
net_address_del(const char *dev, const struct cidr *c, struct err *e)
{
	char text[CIDR_TEXT];
	unsigned index = if_nametoindex(dev);
	int r;

	if (index == 0)
		return 0;
	r = address_change(RTM_DELADDR, 0, index, c);
	if (r == 0 || r == -EADDRNOTAVAIL || r == -ENODEV)
		return 0;
	return err_set(e, "%s: address %s cannot be removed: %s", dev,
		cidr_format(c, text), strerror(-r));
}
