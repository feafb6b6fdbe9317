/* SPDX-License-Identifier: MIT */
#include "platform/direct.h"
#include "platform/linux/conntrack.h"
#include "platform/linux/diag.h"
#include "platform/linux/netlink.h"
#include "platform/linux/nfevents.h"
#include "platform/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

enum {
	EVENT_MAX = 4096, /* bytes of one message; those of conntrack have some 300 */
	LOST_TURN = 256,  /* connections that are ended in a turn */
};

/* Where in the message an attribute is, to the accumulator; 0: nowhere. */
#define FIND(how, attribute)                      \
	BPF_STMT(BPF_LDX | BPF_IMM, (attribute)), \
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned)(SKF_AD_OFF + (how)))
#define FIRST \
	BPF_STMT(BPF_LD | BPF_IMM, sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg))
/* Our bits of the connection's mark; without one, `over` steps are left out. */
#define MARK(over)                                                         \
	FIRST, FIND(SKF_AD_NLATTR, CTA_MARK),                              \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, (over) + 3, 0),     \
		BPF_STMT(BPF_MISC | BPF_TAX, 0),                           \
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct nlattr)), \
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NET_DIRECT_MARK)

static int
filter_set(int fd, struct sock_filter *code, size_t n)
{
	struct sock_fprog program = { (unsigned short)n, code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == -1)
		return -errno;
	return 0;
}

static int
events_open(struct sock_filter *code, size_t n)
{
	int fd = nfevents_open(NFNLGRP_CONNTRACK_DESTROY), r;

	if (fd < 0)
		return fd;
	r = filter_set(fd, code, n);
	return sys_fd_sound(fd, r);
}

/* Only connections with the mark `kept` wake the engine: the kernel looks for it. */
int
net_direct_follow(unsigned kept)
{
	struct sock_filter code[] = {
		MARK(1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kept, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};

	return events_open(code, sizeof code / sizeof *code);
}

/* Of those only TCP that was open, or half: the many that end as they should do not wake
 * the keeper. Who only asked for a connection asks again, and is decided anew. */
int
net_direct_losses(unsigned kept)
{
	struct sock_filter code[] = {
		MARK(14),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kept, 0, 13),
		FIRST,
		FIND(SKF_AD_NLATTR, CTA_PROTOINFO),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 9, 0),
		FIND(SKF_AD_NLATTR_NEST, CTA_PROTOINFO_TCP),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 0),
		FIND(SKF_AD_NLATTR_NEST, CTA_PROTOINFO_TCP_STATE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, sizeof(struct nlattr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, TCP_CONNTRACK_SYN_RECV, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, TCP_CONNTRACK_CLOSE_WAIT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};

	return events_open(code, sizeof code / sizeof *code);
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
	conntrack_read(h, end);
	return 0;
}

/* Ends. */

struct aborts {
	const struct net_direct *direct;
	struct mnl_socket *bus;
	struct mnl_socket *tracked; /* orphans: to ask conntrack by */
	bool asked;                 /* those too that are only asked for */
	int n;
};

static int
aborts_begin(struct aborts *a, const struct net_direct *d)
{
	*a = (struct aborts){ .direct = d };
	return netlink_open(NETLINK_SOCK_DIAG, &a->bus);
}

static bool
is_device(const struct net_direct *d, const struct ip *ip)
{
	for (int i = 0; i < d->naddrs; i++)
		if (ip_equal(&d->addrs[i].ip, ip))
			return true;
	return false;
}

/* Nobody else's connection, whatever mark it has. */
static void
connection_abort(const struct net_direct_end *end, void *arg)
{
	const struct diag_peer peer = { .local = end->source, .remote = end->target };
	struct aborts *a = arg;

	if (end->network == NETWORK_TCP && (end->answered || a->asked) && !end->over &&
		is_device(a->direct, &end->source.ip) && diag_abort(a->bus, &peer) == 0)
		a->n++;
}

int
net_direct_can_end(void)
{
	struct aborts a;
	int r = aborts_begin(&a, NULL);

	if (r < 0)
		return r;
	r = diag_can_abort(a.bus);
	mnl_socket_close(a.bus);
	return r;
}

int
net_direct_end_all(const struct net_direct *d, int family, bool asked)
{
	struct aborts a;
	int r = aborts_begin(&a, d);

	if (r < 0)
		return r;
	a.asked = asked;
	r = conntrack_forget(family, d->kept, connection_abort, &a);
	mnl_socket_close(a.bus);
	return r < 0 ? r : a.n;
}

/* Where it cannot be told, the application learns of it when it sends. */
static bool
is_orphan(const struct diag_peer *p, void *arg)
{
	const struct aborts *a = arg;
	unsigned kept = a->direct->kept;

	return !is_device(a->direct, &p->remote.ip) &&
		(kept == 0 ||
			conntrack_carries(a->tracked, kept, &p->local, &p->remote) == 0);
}

static int
orphans_abort(struct aborts *a, const struct ip *from)
{
	const struct diag_search s = { IPPROTO_TCP, from, DIAG_OPEN, is_orphan, a };
	int r = diag_abort_all(a->bus, &s);

	if (r > 0)
		a->n += r;
	return r;
}

int
net_direct_end_orphans(const struct net_direct *d)
{
	struct aborts a;
	int r = aborts_begin(&a, d);

	if (r < 0)
		return r;
	r = netlink_open(NETLINK_NETFILTER, &a.tracked);
	if (r == 0) {
		for (int i = 0; i < d->naddrs && r >= 0; i++)
			r = orphans_abort(&a, &d->addrs[i].ip);
		mnl_socket_close(a.tracked);
	}
	mnl_socket_close(a.bus);
	return r < 0 ? r : a.n;
}

int
net_direct_end_lost(int fd, const struct net_direct *d)
{
	struct net_direct_end end;
	struct aborts a;
	int r = aborts_begin(&a, d);

	if (r < 0)
		return r;
	for (int i = 0; i < LOST_TURN && r == 0; i++) {
		r = net_direct_ended(fd, &end);
		if (r == 0)
			connection_abort(&end, &a);
	}
	mnl_socket_close(a.bus);
	return r < 0 && r != -EAGAIN ? r : a.n;
}
