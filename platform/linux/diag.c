/* SPDX-License-Identifier: MIT */
#include "platform/linux/diag.h"

#include "platform/linux/netlink.h"
#include "platform/net.h"
#include "platform/posix/sock_os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
	const struct diag_search *search;
	struct diag_list *list;
	bool ports; /* first the served ports, then the connections */
};

static struct endpoint
endpoint_of(int family, const uint32_t *address, uint16_t port)
{
	struct endpoint e;

	e.ip = ip_unmapped(ip_make(family == AF_INET6 ? 6 : 4, (const uint8_t *)address));
	e.port = ntohs(port);
	return e;
}

static void
peer_see(const struct inet_diag_msg *d, struct walk *w)
{
	uint16_t port = ntohs(d->id.idiag_sport);
	struct diag_list *l = w->list;
	struct diag_peer p = {
		.local = endpoint_of(d->idiag_family, d->id.idiag_src, d->id.idiag_sport),
		.remote = endpoint_of(
			d->idiag_family, d->id.idiag_dst, d->id.idiag_dport),
		.interface = d->id.idiag_if,
		.inbound = (l->served[port / 8] >> port % 8 & 1) != 0,
	};

	memcpy(p.cookie, d->id.idiag_cookie, sizeof p.cookie);
	if (w->search->is_wanted && !w->search->is_wanted(&p, w->search->arg))
		return;
	if (l->n == DIAG_PEERS)
		l->left_out++;
	else
		l->peer[l->n++] = p;
}

static int
socket_see(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *d = mnl_nlmsg_get_payload(h);
	struct walk *w = arg;
	uint16_t port;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		mnl_nlmsg_get_payload_len(h) < sizeof *d)
		return MNL_CB_OK;
	port = ntohs(d->id.idiag_sport);
	if (w->ports)
		w->list->served[port / 8] |= (uint8_t)(1u << port % 8);
	else
		peer_see(d, w);
	return MNL_CB_OK;
}

static uint32_t
states_of(const struct walk *w)
{
	/* A UDP socket without a peer is in the state CLOSE. */
	uint32_t served = 1u << (w->search->protocol == IPPROTO_TCP ? TCP_LISTEN
								    : TCP_CLOSE);

	if (w->ports)
		return served;
	if (w->search->state == DIAG_ANY)
		return ~served;
	if (w->search->state == DIAG_ALIVE)
		return ~(served | 1u << TCP_TIME_WAIT);
	return 1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 |
		1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING;
}

/* The kernel's own filter: a program of one step, which goes to the end where the source
 * is this address, an IPv4-mapped one too, and beyond it where it is not. */
static void
source_put(struct netlink_message *m, const struct ip *from)
{
	uint8_t address = from->family == 6 ? 16 : 4;
	struct inet_diag_bc_op op = { .code = INET_DIAG_BC_S_COND };
	struct inet_diag_hostcond is = { .port = -1 };
	uint8_t step[sizeof op + sizeof is + 16];

	op.yes = (uint8_t)(sizeof op + sizeof is + address);
	op.no = op.yes + 4;
	is.family = netlink_domain(from->family);
	is.prefix_len = (uint8_t)(address * 8);
	memcpy(step, &op, sizeof op);
	memcpy(step + sizeof op, &is, sizeof is);
	memcpy(step + sizeof op + sizeof is, from->b, address);
	mnl_attr_put(m->head, INET_DIAG_REQ_BYTECODE, op.yes, step);
}

static int
family_walk(int domain, struct walk *w)
{
	struct netlink_message m;
	struct inet_diag_req_v2 *q;

	q = netlink_begin(&m, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof *q);
	q->sdiag_family = (uint8_t)domain;
	q->sdiag_protocol = (uint8_t)w->search->protocol;
	q->idiag_states = states_of(w);
	if (w->search->from && !w->ports)
		source_put(&m, w->search->from);
	return netlink_ask(NETLINK_SOCK_DIAG, &m, socket_see, w);
}

int
diag_connections(const struct diag_search *s, struct diag_list **list)
{
	struct diag_list *l = calloc(1, sizeof *l);
	struct walk w = { .search = s, .list = l };
	int r = 0, pass;

	if (!l)
		return -ENOMEM;
	l->peer = calloc(DIAG_PEERS, sizeof *l->peer);
	if (!l->peer)
		r = -ENOMEM;
	for (pass = 0; pass < 2 && r == 0; pass++) {
		w.ports = pass == 0;
		r = family_walk(AF_INET, &w);
		if (r == 0)
			r = family_walk(AF_INET6, &w);
		if (r == -EAFNOSUPPORT)
			r = 0;
	}
	if (r == 0) {
		*list = l;
		return 0;
	}
	diag_free(l);
	return r;
}

void
diag_free(struct diag_list *l)
{
	if (!l)
		return;
	free(l->peer);
	free(l);
}

/* With a cookie that matches any socket. */
static struct inet_diag_req_v2 *
exact_begin(struct netlink_message *m, uint16_t type, int protocol,
	const struct diag_peer *peer)
{
	const struct endpoint *local = &peer->local, *remote = &peer->remote;
	size_t size = local->ip.family == 6 ? 16 : 4;
	struct inet_diag_req_v2 *q;

	q = netlink_begin(m, type, NLM_F_ACK, sizeof *q);
	q->sdiag_family = netlink_domain(local->ip.family);
	q->sdiag_protocol = (uint8_t)protocol;
	q->idiag_states = ~0u;
	q->id.idiag_sport = htons(local->port);
	q->id.idiag_dport = htons(remote->port);
	memcpy(q->id.idiag_src, local->ip.b, size);
	memcpy(q->id.idiag_dst, remote->ip.b, size);
	q->id.idiag_if = peer->interface;
	memset(q->id.idiag_cookie, 0xff, sizeof q->id.idiag_cookie);
	return q;
}

struct found {
	uint16_t remote_port; /* network order */
	uint32_t *cookie;
	bool is_one;
};

/* Where there is no such connection the kernel tells of a socket that listens. */
static int
found_see(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *d = mnl_nlmsg_get_payload(h);
	struct found *f = arg;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		mnl_nlmsg_get_payload_len(h) < sizeof *d ||
		d->idiag_state == TCP_LISTEN || d->id.idiag_dport != f->remote_port)
		return MNL_CB_OK;
	memcpy(f->cookie, d->id.idiag_cookie, sizeof d->id.idiag_cookie);
	f->is_one = true;
	return MNL_CB_OK;
}

/* The one that has this cookie, and no other. */
static int
known_abort(struct mnl_socket *bus, int protocol, const struct diag_peer *peer)
{
	struct inet_diag_req_v2 *q;
	struct netlink_message m;

	q = exact_begin(&m, SOCK_DESTROY, protocol, peer);
	memcpy(q->id.idiag_cookie, peer->cookie, sizeof peer->cookie);
	return netlink_say(bus, &m, NULL, NULL);
}

int
diag_abort(struct mnl_socket *bus, const struct diag_peer *peer)
{
	struct diag_peer known = *peer;
	struct found f = { htons(peer->remote.port), known.cookie, false };
	struct netlink_message m;
	int r;

	(void)exact_begin(&m, SOCK_DIAG_BY_FAMILY, IPPROTO_TCP, peer);
	r = netlink_say(bus, &m, found_see, &f);
	if (r < 0 || !f.is_one)
		return r < 0 ? r : -ENOENT;
	return known_abort(bus, IPPROTO_TCP, &known);
}

/* Those that the list had no room for come in the next one. */
int
diag_abort_all(struct mnl_socket *bus, const struct diag_search *s)
{
	struct diag_list *l;
	size_t left_out, i;
	int r, n = 0, before;

	do {
		r = diag_connections(s, &l);
		if (r != 0)
			return r;
		before = n;
		for (i = 0; i < l->n; i++)
			if (known_abort(bus, s->protocol, &l->peer[i]) == 0)
				n++;
		left_out = l->left_out;
		diag_free(l);
	} while (left_out > 0 && n > before);
	return n;
}

int
diag_can_abort(struct mnl_socket *bus)
{
	const struct diag_peer nobody = { .local.ip.family = 4 };
	struct inet_diag_req_v2 *q;
	struct netlink_message m;
	int r;

	/* Those of no state; else "no such connection" could be "no such question". */
	q = netlink_begin(&m, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof *q);
	q->sdiag_family = AF_INET;
	q->sdiag_protocol = IPPROTO_TCP;
	r = netlink_say(bus, &m, NULL, NULL);
	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r;
	(void)exact_begin(&m, SOCK_DESTROY, IPPROTO_TCP, &nobody);
	r = netlink_say(bus, &m, NULL, NULL);
	return r == -ENOENT ? 0 : r;
}

/* As what is bound to an address finds out. */
static bool
is_here(const struct ip *ip)
{
	struct endpoint e = { .ip = *ip };
	struct sockaddr_storage sa;
	socklen_t len = sock_address_put(&sa, &e);
	int fd = sock_os_open(sa.ss_family, SOCK_DGRAM, 0);
	bool here;

	if (fd < 0)
		return true;
	here = bind(fd, (struct sockaddr *)&sa, len) == 0 || errno != EADDRNOTAVAIL;
	close(fd);
	return here;
}

void
net_connections_end(const struct ip *from)
{
	struct diag_search s = {
		.protocol = IPPROTO_TCP, .from = from, .state = DIAG_ALIVE
	};
	struct mnl_socket *bus;

	if (is_here(from) || netlink_open(NETLINK_SOCK_DIAG, &bus) < 0)
		return;
	(void)diag_abort_all(bus, &s);
	s.protocol = IPPROTO_UDP;
	(void)diag_abort_all(bus, &s);
	mnl_socket_close(bus);
}
