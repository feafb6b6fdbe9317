/* SPDX-License-Identifier: MIT */
#include "platform/linux/conntrack.h"

#include "base/log.h"
#include "platform/direct.h"
#include "platform/linux/netlink.h"
#include "platform/linux/nfevents.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum {
	EVENT_MAX = 4096, /* bytes of one message; those of conntrack have some 300 */
	EVENTS_QUEUED = 4 << 20 /* bytes, until they are lost */
};

void
conntrack_flush(int family, unsigned mark)
{
	struct netlink_message m;
	struct nfgenmsg *g;
	int r;

	g = netlink_begin(&m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
		NLM_F_ACK, sizeof *g);
	g->nfgen_family = family == 6 ? AF_INET6 : AF_INET;
	g->version = NFNETLINK_V0;
	mnl_attr_put_u32(m.head, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(m.head, CTA_MARK_MASK, 0xffffffff);
	r = netlink_ask(NETLINK_NETFILTER, &m, NULL, NULL);
	if (r < 0 && r != -ENOENT)
		log_warn(
			"the IPv%d connections that the kernel carried are not ended: %s",
			family, strerror(-r));
}

/* Only connections with the mark `kept` wake the engine: the kernel looks for it. */
static int
filter_set(int fd, unsigned kept)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_IMM,
			sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg)),
		BPF_STMT(BPF_LDX | BPF_IMM, CTA_MARK),
		BPF_STMT(
			BPF_LD | BPF_B | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_NLATTR)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct nlattr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kept, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == -1)
		return -errno;
	return 0;
}

int
net_direct_follow(unsigned kept)
{
	int fd = nfevents_open(NFNLGRP_CONNTRACK_DESTROY), r;

	if (fd < 0)
		return fd;
	r = filter_set(fd, kept);
	if (r == 0)
		return fd;
	close(fd);
	return r;
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

int
net_direct_ended(int fd, struct net_direct_end *end)
{
	_Alignas(struct nlmsghdr) char event[EVENT_MAX];
	const struct nlmsghdr *h = (const void *)event;
	ssize_t n;

	do {
		n = nfevents_recv(fd, event, sizeof event);
		if (n < 0)
			return (int)n;
	} while (n == 0 ||
		h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE));
	memset(end, 0, sizeof *end);
	(void)mnl_attr_parse(h, sizeof(struct nfgenmsg), connection_read, end);
	return 0;
}
