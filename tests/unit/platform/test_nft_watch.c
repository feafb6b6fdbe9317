/* SPDX-License-Identifier: MIT */
#include "platform/linux/nft_watch.h"

#include "platform/direct.h"
#include "unit/platform/netlink_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* Several messages, as one transaction tells them. */
static _Alignas(struct nlmsghdr) uint8_t news[4096];
static size_t len;

static int
begin(void **state)
{
	(void)state;
	len = 0;
	return 0;
}

static void
tell(uint16_t what, uint8_t family, const char *table)
{
	struct nfgenmsg g = { .nfgen_family = family };
	struct netlink_bytes m;

	netlink_bytes_begin(
		&m, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | what), &g, sizeof(g));
	netlink_bytes_put(&m, NFTA_TABLE_NAME, table, strlen(table) + 1);
	netlink_bytes_put(&m, NFTA_TABLE_USE, "\0\0\0\1", 4);
	(void)netlink_bytes_end(&m);
	assert_true(len + m.len <= sizeof(news));
	memcpy(news + len, m.p, m.len);
	len += m.len;
}

static unsigned
lost(unsigned before, unsigned made)
{
	struct nft_news w = { .lost = before, .made = made };

	nft_news_read(&w, news, len);
	return w.lost;
}

static unsigned
lost_but_for(unsigned changed)
{
	struct nft_news w = { .changed = changed };

	nft_news_read(&w, news, len);
	return w.lost;
}

static unsigned
lost_by(const void *p, size_t n)
{
	struct nft_news w = { 0 };

	nft_news_read(&w, p, n);
	return w.lost;
}

static void
ours_taken_away(void **state)
{
	static const uint16_t losses[] = { NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN,
		NFT_MSG_DELRULE, NFT_MSG_DELSET, NFT_MSG_DELOBJ };
	static const struct {
		uint8_t family;
		const char *table;
		unsigned bit;
	} ours[] = {
		{ NFPROTO_INET, "sluice", NET_RULES_FIREWALL },
		{ NFPROTO_IPV4, "sluice_direct", NET_RULES_DIRECT4 },
		{ NFPROTO_IPV6, "sluice_direct", NET_RULES_DIRECT6 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++)
		for (size_t k = 0; k < 3; k++) {
			len = 0;
			tell(losses[i], ours[k].family, ours[k].table);
			assert_int_equal(lost(0, 0), ours[k].bit);
			assert_int_equal(lost(0, NET_RULES_ALL), ours[k].bit);
		}
	len = 0;
	for (size_t k = 0; k < 3; k++)
		tell(NFT_MSG_DELTABLE, ours[k].family, ours[k].table);
	assert_int_equal(lost(0, 0), NET_RULES_ALL);
}

static void
others_and_other_news(void **state)
{
	(void)state;
	tell(NFT_MSG_DELTABLE, NFPROTO_INET, "sluic");
	tell(NFT_MSG_DELTABLE, NFPROTO_INET, "sluice2");
	tell(NFT_MSG_DELTABLE, NFPROTO_INET, "");
	tell(NFT_MSG_DELTABLE, NFPROTO_IPV4, "sluice");
	tell(NFT_MSG_DELRULE, NFPROTO_IPV4, "filter");
	tell(NFT_MSG_NEWRULE, NFPROTO_IPV4, "filter");
	tell(NFT_MSG_NEWTABLE, NFPROTO_IPV4, "sluice");
	tell(NFT_MSG_NEWSETELEM, NFPROTO_IPV6, "sluice");
	tell(NFT_MSG_DELSETELEM, NFPROTO_IPV4, "sluice_direct");
	assert_int_equal(lost(0, NET_RULES_ALL), 0);
	assert_int_equal(lost(NET_RULES_DIRECT6, 0), NET_RULES_DIRECT6);
}

/* What was made anew is whole, unless it is taken away once more. */
static void
made_anew(void **state)
{
	(void)state;
	tell(NFT_MSG_DELTABLE, NFPROTO_IPV4, "sluice_direct");
	tell(NFT_MSG_NEWTABLE, NFPROTO_IPV4, "sluice_direct");
	assert_int_equal(lost(0, NET_RULES_DIRECT4), 0);
	assert_int_equal(lost(NET_RULES_DIRECT4, NET_RULES_DIRECT4), 0);
	/* Somebody else's is not ours for having its name. */
	assert_int_equal(lost(0, NET_RULES_DIRECT6), NET_RULES_DIRECT4);
	tell(NFT_MSG_NEWSET, NFPROTO_IPV4, "sluice_direct");
	tell(NFT_MSG_NEWCHAIN, NFPROTO_IPV4, "sluice_direct");
	tell(NFT_MSG_NEWRULE, NFPROTO_IPV4, "sluice_direct");
	tell(NFT_MSG_NEWGEN, NFPROTO_UNSPEC, "");
	assert_int_equal(lost(0, NET_RULES_DIRECT4), 0);
	tell(NFT_MSG_DELCHAIN, NFPROTO_IPV4, "sluice_direct");
	assert_int_equal(lost(0, NET_RULES_DIRECT4), NET_RULES_DIRECT4);
}

/* By somebody else, before or after the table is made: it is not what it was. */
static void
changed(void **state)
{
	static const uint16_t changes[] = { NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN,
		NFT_MSG_NEWRULE, NFT_MSG_NEWSET, NFT_MSG_NEWOBJ, NFT_MSG_NEWSETELEM };

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		len = 0;
		tell(changes[i], NFPROTO_IPV6, "sluice_direct");
		assert_int_equal(lost(0, 0), NET_RULES_DIRECT6);
		assert_int_equal(lost(0, NET_RULES_DIRECT4), NET_RULES_DIRECT6);
	}
	len = 0;
	tell(NFT_MSG_NEWTABLE, NFPROTO_IPV4, "sluice_direct");
	tell(NFT_MSG_NEWGEN, NFPROTO_UNSPEC, "");
	tell(NFT_MSG_NEWRULE, NFPROTO_IPV4, "sluice_direct");
	assert_int_equal(lost(0, NET_RULES_DIRECT4), NET_RULES_DIRECT4);
}

static void
tell_of_change(uint8_t family)
{
	tell(NFT_MSG_DELRULE, family, "sluice_direct");
	tell(NFT_MSG_DELSET, family, "sluice_direct");
	tell(NFT_MSG_NEWSET, family, "sluice_direct");
	tell(NFT_MSG_NEWRULE, family, "sluice_direct");
	tell(NFT_MSG_NEWGEN, NFPROTO_UNSPEC, "");
}

/* One transaction of our own is; any other is somebody else's, whoever came first. */
static void
changed_by_us(void **state)
{
	(void)state;
	tell_of_change(NFPROTO_IPV4);
	assert_int_equal(lost_but_for(NET_RULES_DIRECT4), 0);
	assert_int_equal(lost_but_for(NET_RULES_DIRECT6), NET_RULES_DIRECT4);
	tell_of_change(NFPROTO_IPV6);
	assert_int_equal(lost_but_for(NET_RULES_DIRECT4), NET_RULES_DIRECT6);
	tell_of_change(NFPROTO_IPV4);
	assert_int_equal(
		lost_but_for(NET_RULES_DIRECT4 | NET_RULES_DIRECT6), NET_RULES_DIRECT4);
	len = 0;
	tell_of_change(NFPROTO_IPV4);
	tell(NFT_MSG_DELTABLE, NFPROTO_IPV4, "sluice_direct");
	assert_int_equal(lost_but_for(NET_RULES_DIRECT4), NET_RULES_DIRECT4);
}

/* What the firewall knows of connections from before it has no other home. */
static void
elements(void **state)
{
	(void)state;
	tell(NFT_MSG_DELSETELEM, NFPROTO_INET, "sluice");
	assert_int_equal(lost(0, 0), NET_RULES_FIREWALL);
	len = 0;
	tell(NFT_MSG_NEWTABLE, NFPROTO_INET, "sluice");
	tell(NFT_MSG_NEWGEN, NFPROTO_UNSPEC, "");
	tell(NFT_MSG_NEWSETELEM, NFPROTO_INET, "sluice");
	assert_int_equal(lost(0, NET_RULES_FIREWALL), 0);
	assert_int_equal(lost(0, 0), NET_RULES_FIREWALL);
}

/* A name without its end, another attribute first, a message that is cut: none is news. */
static void
malformed(void **state)
{
	struct nfgenmsg g = { .nfgen_family = NFPROTO_INET };
	struct netlink_bytes m;
	struct nlmsghdr *h = (void *)news;
	size_t n;

	(void)state;
	netlink_bytes_begin(
		&m, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, &g, sizeof(g));
	netlink_bytes_put(&m, NFTA_TABLE_NAME, "sluice", 6);
	(void)netlink_bytes_end(&m);
	assert_int_equal(lost_by(m.p, m.len), 0);
	netlink_bytes_begin(
		&m, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, &g, sizeof(g));
	netlink_bytes_put(&m, NFTA_TABLE_FLAGS, "sluice", 7);
	(void)netlink_bytes_end(&m);
	assert_int_equal(lost_by(m.p, m.len), 0);
	tell(NFT_MSG_DELTABLE, NFPROTO_INET, "sluice");
	for (n = 0; n < len; n++)
		assert_int_equal(lost_by(news, n), 0);
	/* Lengths that lie. */
	for (n = 0; n < sizeof(struct nlmsghdr); n++) {
		h->nlmsg_len = (uint32_t)n;
		assert_int_equal(lost(0, 0), 0);
	}
	h->nlmsg_len = UINT32_MAX;
	assert_int_equal(lost(0, 0), 0);
	h->nlmsg_len = UINT32_C(1) << 31;
	assert_int_equal(lost(0, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ours_taken_away, begin),
		cmocka_unit_test_setup(others_and_other_news, begin),
		cmocka_unit_test_setup(made_anew, begin),
		cmocka_unit_test_setup(changed, begin),
		cmocka_unit_test_setup(changed_by_us, begin),
		cmocka_unit_test_setup(elements, begin),
		cmocka_unit_test_setup(malformed, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
