/* SPDX-License-Identifier: MIT */
/*
 * What netfilter tells of by itself: connections that ended, and rule sets that
 * were changed.  The first byte says which of the two the rest is.
 */
#include "fuzz/fuzz.h"
#include "platform/direct.h"
#include "platform/linux/conntrack.h"
#include "platform/linux/nft_watch.h"

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
		}
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
	if (p[0] & 1)
		rules(copy, len - 1);
	else
		connection(copy, len - 1);
	free(copy);
	return 0;
}
