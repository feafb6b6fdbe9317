/* SPDX-License-Identifier: MIT */
#include "platform/linux/diag.h"

#include "platform/linux/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct diag_list *list;
	int protocol;
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

static bool
is_server(const struct inet_diag_msg *d, int protocol)
{
	/* A UDP socket without a peer is in the state CLOSE. */
	return protocol == IPPROTO_TCP ? d->idiag_state == TCP_LISTEN
				       : d->idiag_state == TCP_CLOSE;
}

static int
socket_see(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *d = mnl_nlmsg_get_payload(h);
	struct walk *w = arg;
	struct diag_list *l = w->list;
	struct diag_peer *p;
	uint16_t port;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		mnl_nlmsg_get_payload_len(h) < sizeof *d)
		return MNL_CB_OK;
	port = ntohs(d->id.idiag_sport);
	if (w->ports) {
		if (is_server(d, w->protocol))
			l->served[port / 8] |= (uint8_t)(1u << port % 8);
		return MNL_CB_OK;
	}
	if (is_server(d, w->protocol))
		return MNL_CB_OK;
	if (l->n == DIAG_PEERS) {
		l->left_out++;
		return MNL_CB_OK;
	}
	p = &l->peer[l->n++];
	p->local = endpoint_of(d->idiag_family, d->id.idiag_src, d->id.idiag_sport);
	p->remote = endpoint_of(d->idiag_family, d->id.idiag_dst, d->id.idiag_dport);
	p->inbound = (l->served[port / 8] >> port % 8 & 1) != 0;
	return MNL_CB_OK;
}

static int
family_walk(int domain, struct walk *w)
{
	struct netlink_message m;
	struct inet_diag_req_v2 *q;

	q = netlink_begin(&m, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof *q);
	q->sdiag_family = (uint8_t)domain;
	q->sdiag_protocol = (uint8_t)w->protocol;
	q->idiag_states = ~0u;
	return netlink_ask(NETLINK_SOCK_DIAG, &m, socket_see, w);
}

int
diag_connections(int protocol, struct diag_list **list)
{
	struct diag_list *l = calloc(1, sizeof *l);
	struct walk w = { .list = l, .protocol = protocol, .ports = true };
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
