/* SPDX-License-Identifier: MIT */
#include "platform/linux/conntrack.h"

#include "base/log.h"
#include "platform/direct.h"
#include "platform/linux/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

static void
marked_begin(struct netlink_message *m, uint16_t what, uint16_t flags, int family,
	unsigned mark)
{
	struct nfgenmsg *g;

	g = netlink_begin(
		m, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | what), flags, sizeof *g);
	g->nfgen_family = family == 6 ? AF_INET6 : AF_INET;
	/* Of version 0 a deletion would look at no family. */
	g->version = 1;
	mnl_attr_put_u32(m->head, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(m->head, CTA_MARK_MASK, htonl(NET_DIRECT_MARK));
}

void
conntrack_flush(int family, unsigned mark)
{
	struct netlink_message m;
	int r;

	marked_begin(&m, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family, mark);
	r = netlink_ask(NETLINK_NETFILTER, &m, NULL, NULL);
	if (r < 0 && r != -ENOENT)
		log_warn(
			"the IPv%d connections that the kernel carried are not ended: %s",
			family, strerror(-r));
}

/* An attribute of exactly `len` bytes, or nothing. */
static const void *
bytes_of(const struct nlattr *a, size_t len)
{
	return mnl_attr_get_payload_len(a) == len ? mnl_attr_get_payload(a) : NULL;
}

static uint16_t
port_of(const struct nlattr *a)
{
	const void *p = bytes_of(a, 2);
	uint16_t n = 0;

	if (p)
		memcpy(&n, p, sizeof n);
	return ntohs(n);
}

static void
ip_read(struct ip *ip, const struct nlattr *a, int family)
{
	const void *p = bytes_of(a, family == 6 ? 16 : 4);

	if (p)
		*ip = ip_make(family, p);
}

static int
address_read(const struct nlattr *a, void *arg)
{
	struct net_direct_end *end = arg;

	switch (mnl_attr_get_type(a)) {
	case CTA_IP_V4_SRC:
		ip_read(&end->source.ip, a, 4);
		break;
	case CTA_IP_V4_DST:
		ip_read(&end->target.ip, a, 4);
		break;
	case CTA_IP_V6_SRC:
		ip_read(&end->source.ip, a, 6);
		break;
	case CTA_IP_V6_DST:
		ip_read(&end->target.ip, a, 6);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int
ports_read(const struct nlattr *a, void *arg)
{
	struct net_direct_end *end = arg;
	const uint8_t *p;

	switch (mnl_attr_get_type(a)) {
	case CTA_PROTO_NUM:
		p = bytes_of(a, 1);
		end->network = NETWORK_ICMP;
		if (p && *p == IPPROTO_TCP)
			end->network = NETWORK_TCP;
		else if (p && *p == IPPROTO_UDP)
			end->network = NETWORK_UDP;
		break;
	case CTA_PROTO_SRC_PORT:
		end->source.port = port_of(a);
		break;
	case CTA_PROTO_DST_PORT:
		end->target.port = port_of(a);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int
tuple_read(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == CTA_TUPLE_IP)
		return mnl_attr_parse_nested(a, address_read, arg);
	if (mnl_attr_get_type(a) == CTA_TUPLE_PROTO)
		return mnl_attr_parse_nested(a, ports_read, arg);
	return MNL_CB_OK;
}

static int
counter_read(const struct nlattr *a, void *arg)
{
	const void *p = bytes_of(a, 8);
	uint64_t *n = arg;

	if (mnl_attr_get_type(a) == CTA_COUNTERS_BYTES && p) {
		memcpy(n, p, sizeof *n);
		*n = be64toh(*n);
	}
	return MNL_CB_OK;
}

static int
tcp_read(const struct nlattr *a, void *arg)
{
	struct net_direct_end *end = arg;
	const uint8_t *p = bytes_of(a, 1);

	if (mnl_attr_get_type(a) == CTA_PROTOINFO_TCP_STATE && p)
		end->open = *p >= TCP_CONNTRACK_SYN_SENT &&
			*p <= TCP_CONNTRACK_CLOSE_WAIT;
	return MNL_CB_OK;
}

static int
protocol_read(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == CTA_PROTOINFO_TCP)
		return mnl_attr_parse_nested(a, tcp_read, arg);
	return MNL_CB_OK;
}

static int
connection_read(const struct nlattr *a, void *arg)
{
	struct net_direct_end *end = arg;

	switch (mnl_attr_get_type(a)) {
	case CTA_TUPLE_ORIG:
		return mnl_attr_parse_nested(a, tuple_read, end);
	case CTA_PROTOINFO:
		return mnl_attr_parse_nested(a, protocol_read, end);
	case CTA_STATUS:
		if (bytes_of(a, 4))
			end->answered = (ntohl(mnl_attr_get_u32(a)) & IPS_SEEN_REPLY) !=
				0;
		break;
	case CTA_COUNTERS_ORIG:
		end->counted = true;
		return mnl_attr_parse_nested(a, counter_read, &end->up);
	case CTA_COUNTERS_REPLY:
		return mnl_attr_parse_nested(a, counter_read, &end->down);
	default:
		break;
	}
	return MNL_CB_OK;
}

void
conntrack_read(const struct nlmsghdr *h, struct net_direct_end *end)
{
	memset(end, 0, sizeof *end);
	(void)mnl_attr_parse(h, sizeof(struct nfgenmsg), connection_read, end);
}

struct walk {
	void (*each)(const struct net_direct_end *, void *arg);
	void *arg;
};

static int
connection_see(const struct nlmsghdr *h, void *arg)
{
	const struct walk *w = arg;
	struct net_direct_end now;

	conntrack_read(h, &now);
	w->each(&now, w->arg);
	return MNL_CB_OK;
}

int
conntrack_each(int family, unsigned mark,
	void (*each)(const struct net_direct_end *, void *arg), void *arg)
{
	struct walk w = { each, arg };
	struct netlink_message m;

	marked_begin(&m, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family, mark);
	return netlink_ask(NETLINK_NETFILTER, &m, connection_see, &w);
}

struct easing {
	struct mnl_socket *to; /* changes go by another socket than the list comes by */
	int worst;             /* -errno */
};

/* Datagrams have no such flags, and the kernel looks at none then. */
static int
connection_ease(const struct nlmsghdr *h, void *arg)
{
	const struct nf_ct_tcp_flags liberal = { IP_CT_TCP_FLAG_BE_LIBERAL,
		IP_CT_TCP_FLAG_BE_LIBERAL };
	struct nlattr *protocol, *tcp;
	struct easing *e = arg;
	struct netlink_message m;
	const struct nlattr *a;
	struct nfgenmsg *g;
	int r;

	g = netlink_begin(
		&m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, NLM_F_ACK, sizeof *g);
	*g = *(const struct nfgenmsg *)mnl_nlmsg_get_payload(h);
	mnl_attr_for_each(a, h, sizeof *g)
	{
		if (mnl_attr_get_type(a) == CTA_TUPLE_ORIG &&
			mnl_attr_get_payload_len(a) < sizeof m.room / 2)
			mnl_attr_put(m.head, a->nla_type, mnl_attr_get_payload_len(a),
				mnl_attr_get_payload(a));
	}
	protocol = mnl_attr_nest_start(m.head, CTA_PROTOINFO);
	tcp = mnl_attr_nest_start(m.head, CTA_PROTOINFO_TCP);
	mnl_attr_put(m.head, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof liberal, &liberal);
	mnl_attr_put(m.head, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof liberal, &liberal);
	mnl_attr_nest_end(m.head, tcp);
	mnl_attr_nest_end(m.head, protocol);
	r = netlink_say(e->to, &m, NULL, NULL);
	if (r < 0 && r != -ENOENT)
		e->worst = r;
	return MNL_CB_OK;
}

void
net_direct_ease(int family, unsigned kept)
{
	struct netlink_message m;
	struct easing e = { 0 };
	int r = netlink_open(NETLINK_NETFILTER, &e.to);

	if (r == 0) {
		marked_begin(&m, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family, kept);
		r = netlink_ask(NETLINK_NETFILTER, &m, connection_ease, &e);
		mnl_socket_close(e.to);
	}
	if (r == 0)
		r = e.worst;
	if (r < 0)
		log_warn(
			"the IPv%d connections that the kernel carries may stand still: %s",
			family, strerror(-r));
}
