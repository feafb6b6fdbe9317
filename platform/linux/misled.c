/* SPDX-License-Identifier: MIT */
#include "platform/linux/misled.h"

#include "base/bytes.h"
#include "platform/linux/conntrack.h"
#include "platform/linux/diag.h"
#include "platform/linux/netlink.h"
#include "platform/linux/nfevents.h"
#include "platform/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>

enum {
	COPIED = 128,     /* bytes of each packet: headers up to the ports */
	EVENT_MAX = 4096, /* bytes of one message; these have some 300 */
	HEADER = 20,      /* of IPv4, without options */
	OFFSET = 0x1fff,  /* of a fragment, RFC 791 3.1 */
};

unsigned
misled_group(unsigned mark)
{
	return mark & UINT16_MAX;
}

static int
ack_read(int fd)
{
	_Alignas(struct nlmsghdr) char answer[EVENT_MAX];
	const struct nlmsghdr *h = (const void *)answer;
	const struct nlmsgerr *said;
	ssize_t n;

	do {
		n = nfevents_recv(fd, answer, sizeof answer);
		if (n < 0)
			return (int)n;
	} while (n == 0 || h->nlmsg_type != NLMSG_ERROR);
	if (mnl_nlmsg_get_payload_len(h) < sizeof *said)
		return -EPROTO;
	said = mnl_nlmsg_get_payload(h);
	return said->error;
}

/* Each packet is told of by itself, and at once.  What the kernel answers is there when it
 * has taken the question, maybe behind the first of them. */
static int
group_join(int fd, unsigned group)
{
	struct nfulnl_msg_config_mode mode = { .copy_range = htonl(COPIED),
		.copy_mode = NFULNL_COPY_PACKET };
	struct nfulnl_msg_config_cmd join = { NFULNL_CFG_CMD_BIND };
	struct netlink_message m;
	struct nfgenmsg *g;

	g = netlink_begin(
		&m, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK, sizeof *g);
	g->res_id = htons((uint16_t)group);
	mnl_attr_put(m.head, NFULA_CFG_CMD, sizeof join, &join);
	mnl_attr_put(m.head, NFULA_CFG_MODE, sizeof mode, &mode);
	mnl_attr_put_u32(m.head, NFULA_CFG_QTHRESH, htonl(1));
	if (send(fd, m.head, m.head->nlmsg_len, 0) == -1)
		return -errno;
	return ack_read(fd);
}

int
net_misled_watch(unsigned mark)
{
	int r, fd = netlink_hear(NETLINK_NETFILTER, 0);

	if (fd < 0)
		return fd;
	r = group_join(fd, misled_group(mark));
	return sys_fd_sound(fd, r);
}

static enum network
network_of(uint8_t proto)
{
	if (proto == IPPROTO_TCP)
		return NETWORK_TCP;
	return proto == IPPROTO_UDP ? NETWORK_UDP : NETWORK_ICMP;
}

/* The protocol behind the header, with the reader there. */
static uint8_t
header4_read(struct reader *r, struct net_misled *m)
{
	const uint8_t *h = reader_bytes(r, HEADER);

	if (h == NULL || (h[0] & 15) < HEADER / 4 || (be16_get(h + 6) & OFFSET) != 0) {
		r->bad = true;
		return 0;
	}
	m->source = (struct endpoint){ .ip = ip_make(4, h + 12) };
	m->target = (struct endpoint){ .ip = ip_make(4, h + 16) };
	reader_skip(r, (size_t)(h[0] & 15) * 4 - HEADER);
	return h[9];
}

/* What has further headers has no ports for us. */
static uint8_t
header6_read(struct reader *r, struct net_misled *m)
{
	const uint8_t *h = reader_bytes(r, 40);

	if (h == NULL)
		return 0;
	m->source = (struct endpoint){ .ip = ip_make(6, h + 8) };
	m->target = (struct endpoint){ .ip = ip_make(6, h + 24) };
	return h[6];
}

static bool
packet_read(struct reader *r, struct net_misled *m)
{
	uint8_t version = r->len > 0 ? r->p[0] >> 4 : 0, proto;

	if (version != 4 && version != 6)
		return false;
	proto = version == 6 ? header6_read(r, m) : header4_read(r, m);
	m->network = network_of(proto);
	if (m->network != NETWORK_ICMP) {
		m->source.port = reader_be16(r);
		m->target.port = reader_be16(r);
	}
	return !r->bad;
}

/* What of it is told in numbers. */
static void
number_read(const struct nlattr *a, struct net_misled *m)
{
	const struct nfulnl_msg_packet_hdr *p = mnl_attr_get_payload(a);
	size_t len = mnl_attr_get_payload_len(a);

	switch (mnl_attr_get_type(a)) {
	case NFULA_PACKET_HDR:
		if (len == sizeof *p && p->hook == NF_INET_PRE_ROUTING)
			m->how = NET_MISLED_UNSEEN;
		break;
	case NFULA_MARK:
		if (len == sizeof(uint32_t))
			m->mark = ntohl(mnl_attr_get_u32(a));
		break;
	case NFULA_UID:
		if (len != sizeof(uint32_t))
			break;
		m->is_socket = true;
		m->uid = ntohl(mnl_attr_get_u32(a));
		break;
	default:
		break;
	}
}

bool
misled_read(const struct nlmsghdr *h, struct net_misled *m)
{
	const struct nlattr *a;
	bool is_packet = false;
	struct reader r;

	memset(m, 0, sizeof *m);
	if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
		mnl_nlmsg_get_payload_len(h) < sizeof(struct nfgenmsg))
		return false;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		number_read(a, m);
		if (mnl_attr_get_type(a) != NFULA_PAYLOAD)
			continue;
		reader_init(&r, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
		is_packet = packet_read(&r, m);
	}
	return is_packet;
}

int
net_misled_next(int fd, struct net_misled *m)
{
	_Alignas(struct nlmsghdr) char event[EVENT_MAX];
	ssize_t n;

	do {
		n = nfevents_recv(fd, event, sizeof event);
		if (n < 0)
			return (int)n;
	} while (n == 0 || !misled_read((const void *)event, m));
	return 0;
}

int
net_misled_end(const struct net_misled *m)
{
	const struct diag_peer peer = { .local = m->source, .remote = m->target };
	struct mnl_socket *bus;
	int r = netlink_open(NETLINK_SOCK_DIAG, &bus);

	if (r < 0)
		return r;
	r = diag_abort(bus, &peer);
	mnl_socket_close(bus);
	return r;
}

int
net_misled_is_answer(const struct net_misled *m, unsigned kept)
{
	struct mnl_socket *bus;
	int r;

	if (m->network == NETWORK_ICMP)
		return 0;
	r = netlink_open(NETLINK_NETFILTER, &bus);
	if (r < 0)
		return r;
	r = conntrack_awaits(bus, kept, m->network, &m->source, &m->target);
	mnl_socket_close(bus);
	return r;
}
