/* SPDX-License-Identifier: MIT */
#include "platform/linux/conntrack.h"

#include "base/log.h"
#include "platform/direct.h"
#include "platform/linux/netlink.h"
#include "platform/linux/nfevents.h"
#include "platform/posix/sock_os.h"
#include "platform/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

enum { LIST_PART = 32768 }; /* bytes; what the kernel fills at once */

/* Asks for all connections of a family (0: of both) with this mark. */
static void
marked_begin(struct netlink_message *m, int family, unsigned mark)
{
	struct nfgenmsg *g;

	g = netlink_begin(
		m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_DUMP, sizeof *g);
	g->nfgen_family = AF_UNSPEC;
	if (family != 0)
		g->nfgen_family = netlink_domain(family);
	mnl_attr_put_u32(m->head, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(m->head, CTA_MARK_MASK, htonl(NET_DIRECT_MARK));
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

	if (mnl_attr_get_type(a) == CTA_PROTOINFO_TCP_STATE && p) {
		end->open = *p >= TCP_CONNTRACK_SYN_SENT &&
			*p <= TCP_CONNTRACK_CLOSE_WAIT;
		end->reset = *p == TCP_CONNTRACK_CLOSE;
	}
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
	case CTA_MARK:
		if (bytes_of(a, 4))
			end->over = (ntohl(mnl_attr_get_u32(a)) & ~NET_DIRECT_MARK) ==
				CONNTRACK_OVER;
		break;
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

/* A question about the connection of which these are the ends, as the packets of one
 * direction have them. */
static void
ends_put(struct netlink_message *m, uint16_t direction, enum network network,
	const struct endpoint *source, const struct endpoint *target, unsigned zone)
{
	bool six = source->ip.family == 6;
	struct nlattr *tuple, *part;
	struct nfgenmsg *g;

	g = netlink_begin(
		m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_ACK, sizeof *g);
	g->nfgen_family = netlink_domain(source->ip.family);
	tuple = mnl_attr_nest_start(m->head, direction);
	part = mnl_attr_nest_start(m->head, CTA_TUPLE_IP);
	netlink_put_ip(m, six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, &source->ip);
	netlink_put_ip(m, six ? CTA_IP_V6_DST : CTA_IP_V4_DST, &target->ip);
	mnl_attr_nest_end(m->head, part);
	part = mnl_attr_nest_start(m->head, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(m->head, CTA_PROTO_NUM,
		network == NETWORK_TCP ? IPPROTO_TCP : IPPROTO_UDP);
	mnl_attr_put_u16(m->head, CTA_PROTO_SRC_PORT, htons(source->port));
	mnl_attr_put_u16(m->head, CTA_PROTO_DST_PORT, htons(target->port));
	mnl_attr_nest_end(m->head, part);
	if (zone != 0)
		mnl_attr_put_u16(m->head, CTA_TUPLE_ZONE, htons((uint16_t)zone));
	mnl_attr_nest_end(m->head, tuple);
}

static int
over_see(const struct nlmsghdr *h, void *arg)
{
	struct net_direct_end now;

	conntrack_read(h, &now);
	*(bool *)arg = now.over;
	return MNL_CB_OK;
}

int
conntrack_carries(struct mnl_socket *bus, unsigned kept, const struct endpoint *source,
	const struct endpoint *target)
{
	struct netlink_message m;
	bool over = false;
	int r;

	ends_put(&m, CTA_TUPLE_ORIG, NETWORK_TCP, source, target, kept);
	r = netlink_say(bus, &m, over_see, &over);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : !over;
}

static int
mark_see(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *a = netlink_attr(h, sizeof(struct nfgenmsg), CTA_MARK);

	if (a && bytes_of(a, 4))
		*(unsigned *)arg = ntohl(mnl_attr_get_u32(a)) & NET_DIRECT_MARK;
	return MNL_CB_OK;
}

int
conntrack_awaits(struct mnl_socket *bus, unsigned kept, enum network network,
	const struct endpoint *source, const struct endpoint *target)
{
	struct netlink_message m;
	unsigned mark = 0;
	int r;

	ends_put(&m, CTA_TUPLE_REPLY, network, source, target, 0);
	r = netlink_say(bus, &m, mark_see, &mark);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : mark == kept;
}

/* What is done to each connection of a list. */
struct walk {
	struct mnl_socket *to; /* changes go by another socket than the list comes by */
	void (*each)(const struct net_direct_end *, void *arg); /* NULL: none */
	void *arg;
	int worst; /* -errno */
};

static void
walk_say(struct walk *w, struct netlink_message *m)
{
	int r = netlink_say(w->to, m, NULL, NULL);

	if (r < 0 && r != -ENOENT)
		w->worst = r;
}

static int
walk_marked(struct walk *w, int family, unsigned mark, mnl_cb_t see)
{
	struct netlink_message m;
	int r = netlink_open(NETLINK_NETFILTER, &w->to);

	if (r < 0)
		return r;
	marked_begin(&m, family, mark);
	r = netlink_ask(NETLINK_NETFILTER, &m, see, w);
	mnl_socket_close(w->to);
	return r < 0 ? r : w->worst;
}

/* Begins a message about the very connection of `h`. Whether it can be named: a deletion
 * that names none is one of all that the machine has. */
static bool
change_begin(struct netlink_message *m, uint16_t what, const struct nlmsghdr *h)
{
	const struct nlattr *a;
	struct nfgenmsg *g;
	bool is_named = false;

	g = netlink_begin(
		m, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | what), NLM_F_ACK, sizeof *g);
	*g = *(const struct nfgenmsg *)mnl_nlmsg_get_payload(h);
	mnl_attr_for_each(a, h, sizeof *g)
	{
		uint16_t type = mnl_attr_get_type(a), len = mnl_attr_get_payload_len(a);

		if (len >= sizeof m->room / 4 ||
			(type != CTA_TUPLE_ORIG && type != CTA_ID))
			continue;
		mnl_attr_put(m->head, a->nla_type, len, mnl_attr_get_payload(a));
		is_named = is_named || type == CTA_TUPLE_ORIG;
	}
	return is_named;
}

static int
connection_forget(const struct nlmsghdr *h, void *arg)
{
	struct net_direct_end now;
	struct netlink_message m;
	struct walk *w = arg;

	conntrack_read(h, &now);
	if (w->each)
		w->each(&now, w->arg);
	if (change_begin(&m, IPCTNL_MSG_CT_DELETE, h))
		walk_say(w, &m);
	return MNL_CB_OK;
}

/*
 * One by one, and not by one deletion of all with this mark.  For that the
 * kernel walks through what all namespaces track, gives way to others after
 * each place in the table, and holds all the while two locks that every rule
 * set and every such question on the machine waits for: on a busy one that
 * takes many seconds, and nothing can interrupt who waits.
 */
int
conntrack_forget(int family, unsigned mark,
	void (*each)(const struct net_direct_end *, void *arg), void *arg)
{
	struct walk w = { .each = each, .arg = arg };
	int r = walk_marked(&w, family, mark, connection_forget);

	if (r < 0)
		log_warn("not all connections that the kernel carried are ended: %s",
			strerror(-r));
	return r;
}

/* Asking takes a capability, and reading on none: so one process asks, and another one
 * reads. */
int
net_direct_list(unsigned kept)
{
	int fd = sock_os_open(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), r;
	struct netlink_message m;

	if (fd < 0)
		return fd;
	marked_begin(&m, 0, kept);
	r = send(fd, m.head, m.head->nlmsg_len, 0) == -1 ? -errno : 0;
	return sys_fd_sound(fd, r);
}

struct listing {
	void (*each)(const struct net_direct_end *, void *arg);
	void *arg;
};

static int
connection_show(const struct nlmsghdr *h, void *arg)
{
	const struct listing *l = arg;
	struct net_direct_end now;

	if (h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
		return MNL_CB_OK;
	conntrack_read(h, &now);
	l->each(&now, l->arg);
	return MNL_CB_OK;
}

/* The kernel puts the next part there while one is read, so there is no waiting. */
int
net_direct_listed(
	int fd, void (*each)(const struct net_direct_end *, void *arg), void *arg)
{
	_Alignas(struct nlmsghdr) char part[LIST_PART];
	struct listing l = { each, arg };
	int r = MNL_CB_OK;
	ssize_t n;

	while (r == MNL_CB_OK) {
		n = nfevents_recv(fd, part, sizeof part);
		if (n < 0)
			return (int)n;
		if (n > 0)
			r = mnl_cb_run(part, (size_t)n, 0, 0, connection_show, &l);
	}
	return r == MNL_CB_ERROR ? -errno : 0;
}

/* Datagrams have no such flags, and the kernel looks at none then. */
static int
connection_ease(const struct nlmsghdr *h, void *arg)
{
	const struct nf_ct_tcp_flags liberal = { IP_CT_TCP_FLAG_BE_LIBERAL,
		IP_CT_TCP_FLAG_BE_LIBERAL };
	struct nlattr *protocol, *tcp;
	struct netlink_message m;

	if (!change_begin(&m, IPCTNL_MSG_CT_NEW, h))
		return MNL_CB_OK;
	protocol = mnl_attr_nest_start(m.head, CTA_PROTOINFO);
	tcp = mnl_attr_nest_start(m.head, CTA_PROTOINFO_TCP);
	mnl_attr_put(m.head, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof liberal, &liberal);
	mnl_attr_put(m.head, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof liberal, &liberal);
	mnl_attr_nest_end(m.head, tcp);
	mnl_attr_nest_end(m.head, protocol);
	walk_say(arg, &m);
	return MNL_CB_OK;
}

void
net_direct_ease(int family, unsigned kept)
{
	struct walk w = { 0 };
	int r = walk_marked(&w, family, kept, connection_ease);

	if (r < 0)
		log_warn(
			"the IPv%d connections that the kernel carries may stand still: %s",
			family, strerror(-r));
}
