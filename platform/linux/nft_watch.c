/* SPDX-License-Identifier: MIT */
#include "platform/linux/nft_watch.h"

#include "platform/direct.h"
#include "platform/linux/nfevents.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

enum { EVENTS_MAX = 32768 }; /* bytes: several changes of one transaction come together */

int
net_rules_watch(void)
{
	return nfevents_open(NFNLGRP_NFTABLES);
}

/* Which of our tables a message is about. The first attribute is the table's name in each
 * of those that are looked at. */
static unsigned
event_table(const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a = mnl_nlmsg_get_payload_offset(h, sizeof *g);
	const char *name;

	if (!mnl_attr_ok(a, (int)(h->nlmsg_len - MNL_ALIGN(sizeof *h) - sizeof *g)) ||
		mnl_attr_get_type(a) != 1 ||
		mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0)
		return 0;
	name = mnl_attr_get_str(a);
	if (g->nfgen_family == NFPROTO_INET && strcmp(name, "sluice") == 0)
		return NET_RULES_FIREWALL;
	if (strcmp(name, "sluice_direct") != 0)
		return 0;
	return g->nfgen_family == NFPROTO_IPV6 ? NET_RULES_DIRECT6 : NET_RULES_DIRECT4;
}

static void
event_change(struct nft_news *w, unsigned table)
{
	w->changing |= table & w->changed;
	w->changed &= ~table;
	w->lost |= table & ~w->changing;
}

/*
 * What the kernel itself does to sets, as packets pass and time does, is no
 * news.  What is missing in the sets of direct flows the engine notes again.
 */
static void
event_read(struct nft_news *w, const struct nlmsghdr *h)
{
	unsigned table = event_table(h);

	switch (h->nlmsg_type) {
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE:
		w->making |= table & w->made;
		w->lost = (w->lost | table) & ~(table & w->made);
		break;
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ:
		event_change(w, table & ~w->making);
		break;
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELCHAIN:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSET:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELOBJ:
		event_change(w, table);
		break;
	/* Connections from before the table are added to it when it is there. */
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM:
		w->lost |= table & ~w->made;
		break;
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM:
		w->lost |= table & NET_RULES_FIREWALL;
		break;
	/* The end of each transaction. */
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN:
		w->making = w->changing = 0;
		break;
	default:
		break;
	}
}

void
nft_news_read(struct nft_news *w, const void *p, size_t n)
{
	const struct nlmsghdr *h;
	int left = (int)n;

	for (h = p; nfevents_is_whole(h, left); h = mnl_nlmsg_next(h, &left))
		if (h->nlmsg_len >= MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg))
			event_read(w, h);
}

unsigned
net_rules_lost(int fd, unsigned made, unsigned changed)
{
	_Alignas(struct nlmsghdr) char events[EVENTS_MAX];
	struct nft_news w = { .made = made, .changed = changed };
	ssize_t n;

	for (;;) {
		n = nfevents_recv(fd, events, sizeof events);
		if (n > 0)
			nft_news_read(&w, events, (size_t)n);
		else if (n == -ENOBUFS)
			w.lost = NET_RULES_ALL;
		else if (n < 0)
			return w.lost;
	}
}
