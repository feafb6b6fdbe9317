/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of: connections that ended, rule sets that were changed,
 * devices, addresses, routes and rules that were, rules of routing, and packets
 * that the firewall was told to tell of.  The first byte says which of the five
 * the rest is.
 */
#include "fuzz/fuzz.h"
#include "platform/direct.h"
#include "platform/linux/conntrack.h"
#include "platform/linux/misled.h"
#include "platform/linux/nft_watch.h"
#include "platform/linux/policy.h"
#include "platform/linux/route_watch.h"

#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

static void
connection(struct nlmsghdr *h, size_t len)
{
	struct net_direct_end end;

	/* As it was received: one message, of which nothing is missing. */
	h->nlmsg_len = (uint32_t)len;
	conntrack_read(h, &end);
	must(end.source.ip.family == 0 || end.source.ip.family == 4 ||
		end.source.ip.family == 6);
	must(end.network == NETWORK_TCP || end.network == NETWORK_UDP ||
		end.network == NETWORK_ICMP);
	must(end.counted || end.up == 0);
}

/* What was lost before is lost after, but for what was made anew; and no more is being made
 * than was. */
static void
rules(const void *p, size_t len)
{
	unsigned lost, made;

	for (lost = 0; lost <= NET_RULES_ALL; lost++)
		for (made = 0; made <= NET_RULES_ALL; made++) {
			struct nft_news w = { .lost = lost, .made = made };

			nft_news_read(&w, p, len);
			must((w.lost & ~made & lost) == (lost & ~made));
			must((w.lost & ~(unsigned)NET_RULES_ALL) == 0);
			must(w.made == made && (w.making & ~made) == 0);
			must(w.changed == 0 && w.changing == 0);
		}
}

/* What was missing after the first of the news is so after all of them. */
static void
routes(const void *p, size_t len)
{
	enum { INDEX = 7, TABLE = 7370 };

	must(!route_news_lost(p, len / 2, INDEX, TABLE) ||
		route_news_lost(p, len, INDEX, TABLE));
}

static void
policy(struct nlmsghdr *h, size_t len)
{
	const struct net_policy ours = { .engine = 998, .first = 7370 },
				all = { .engine = 998, .first = 0 };
	uint32_t found = 1, of_all = 1;
	bool parts;

	h->nlmsg_len = (uint32_t)len;
	parts = policy_rule_read(h, &ours, &found);
	must(parts || found == 1);
	/* Where none comes before ours, more rules count, and never fewer. */
	must(!parts || (policy_rule_read(h, &all, &of_all) && of_all == found));
}

static void
misled(struct nlmsghdr *h, size_t len)
{
	struct net_misled m;

	h->nlmsg_len = (uint32_t)len;
	if (!misled_read(h, &m))
		return;
	must(m.source.ip.family == 4 || m.source.ip.family == 6);
	must(m.target.ip.family == m.source.ip.family);
	must(m.network != NETWORK_ICMP || (m.source.port == 0 && m.target.port == 0));
	must(m.is_socket || m.uid == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	void *copy;

	if (len < 1 + sizeof(struct nlmsghdr))
		return 0;
	/* The reader goes by the aligned length, as the kernel's messages have it. */
	copy = calloc(1, NLMSG_ALIGN(len - 1));
	must(copy != NULL);
	memcpy(copy, p + 1, len - 1);
	switch (p[0] & 7) {
	case 0:
		connection(copy, len - 1);
		break;
	case 1:
		rules(copy, len - 1);
		break;
	case 2:
		routes(copy, len - 1);
		break;
	case 4:
		misled(copy, len - 1);
		break;
	default:
		policy(copy, len - 1);
	}
	free(copy);
	return 0;
}
