/* SPDX-License-Identifier: MIT */
#include "platform/direct.h"
#include "platform/linux/policy.h"
#include "platform/linux/route_watch.h"
#include "unit/platform/netlink_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

enum { DEVICE = 7, OTHER = 2, TABLE = 7370, ENGINE = 998 };

static bool
is_lost(struct netlink_bytes *m)
{
	(void)netlink_bytes_end(m);
	return route_news_lost(m->p, m->len, DEVICE, TABLE);
}

static bool
link_lost(uint16_t type, int index)
{
	const struct ifinfomsg i = { .ifi_index = index };
	struct netlink_bytes m;

	netlink_bytes_begin(&m, type, &i, sizeof(i));
	return is_lost(&m);
}

static bool
address_lost(uint16_t type, unsigned index)
{
	const struct ifaddrmsg a = { .ifa_family = 2, .ifa_index = index };
	struct netlink_bytes m;

	netlink_bytes_begin(&m, type, &a, sizeof(a));
	return is_lost(&m);
}

static bool
route_lost(uint16_t type, uint32_t table)
{
	const struct rtmsg r = { .rtm_family = 2 };
	struct netlink_bytes m;

	netlink_bytes_begin(&m, type, &r, sizeof(r));
	netlink_bytes_put(&m, RTA_TABLE, &table, sizeof(table));
	return is_lost(&m);
}

static void
what_may_be_missing(void **state)
{
	(void)state;
	assert_true(link_lost(RTM_NEWLINK, DEVICE));
	assert_true(link_lost(RTM_DELLINK, DEVICE));
	assert_true(address_lost(RTM_DELADDR, DEVICE));
	assert_true(route_lost(RTM_DELROUTE, TABLE));
	assert_true(route_lost(RTM_DELROUTE, TABLE + 1));
	assert_true(route_lost(RTM_DELROUTE, TABLE + 2));
}

static void
what_is_of_others_or_added(void **state)
{
	(void)state;
	assert_false(link_lost(RTM_NEWLINK, OTHER));
	assert_false(link_lost(RTM_DELLINK, OTHER));
	assert_false(address_lost(RTM_DELADDR, OTHER));
	assert_false(address_lost(RTM_NEWADDR, DEVICE));
	assert_false(route_lost(RTM_DELROUTE, TABLE - 1));
	assert_false(route_lost(RTM_DELROUTE, TABLE + 3));
	assert_false(route_lost(RTM_DELROUTE, RT_TABLE_MAIN));
	assert_false(route_lost(RTM_NEWROUTE, TABLE));
}

/* Only what is known to be ours counts, and none that is not whole. */
static void
what_is_cut_short(void **state)
{
	const struct ifinfomsg i = { .ifi_index = DEVICE };
	const struct rtmsg r = { .rtm_family = 2 };
	const uint16_t half = TABLE;
	struct netlink_bytes m;

	(void)state;
	netlink_bytes_begin(&m, RTM_DELLINK, &i, 8);
	assert_false(is_lost(&m));
	netlink_bytes_begin(&m, RTM_DELROUTE, &r, sizeof(r));
	assert_false(is_lost(&m));
	netlink_bytes_put(&m, RTA_TABLE, &half, sizeof(half));
	assert_false(is_lost(&m));
	netlink_bytes_begin(&m, RTM_DELLINK, &i, sizeof(i));
	assert_true(is_lost(&m));
	assert_false(route_news_lost(m.p, m.len - 1, DEVICE, TABLE));
}

struct seen {
	bool parts;
	uint32_t priority;
};

static struct seen
rule(uint32_t priority, uint32_t flags, uint32_t from, uint32_t to)
{
	const struct net_policy ours = { .engine = ENGINE, .first = TABLE };
	const struct fib_rule_uid_range users = { from, to };
	const struct fib_rule_hdr h = { .family = 2, .flags = flags };
	struct seen seen = { .priority = 1 };
	struct netlink_bytes m;

	netlink_bytes_begin(&m, RTM_NEWRULE, &h, sizeof(h));
	netlink_bytes_put(&m, FRA_PRIORITY, &priority, sizeof(priority));
	netlink_bytes_put(&m, FRA_UID_RANGE, &users, sizeof(users));
	seen.parts = policy_rule_read(netlink_bytes_end(&m), &ours, &seen.priority);
	return seen;
}

static void
rules_that_part_users(void **state)
{
	const struct seen behind = rule(TABLE + 1, 0, 1000, 1000);

	(void)state;
	assert_true(behind.parts);
	assert_int_equal(behind.priority, TABLE + 1);
	assert_true(rule(100, 0, 0, 99).parts);
	assert_true(rule(100, FIB_RULE_INVERT, 1000, 1000).parts);
}

static void
rules_that_do_not(void **state)
{
	const struct seen before = rule(100, 0, 1000, 1000);

	(void)state;
	assert_false(before.parts);
	assert_int_equal(before.priority, 1);
	assert_false(rule(TABLE + 1, 0, 0, UINT32_MAX).parts);
	assert_false(rule(TABLE + 1, 0, ENGINE, ENGINE).parts);
}

/* Without its flags nobody knows whom it parts. */
static void
a_rule_that_is_cut_short(void **state)
{
	const struct net_policy ours = { .engine = ENGINE, .first = TABLE };
	const struct fib_rule_hdr h = { .family = 2 };
	struct netlink_bytes m;
	uint32_t priority;

	(void)state;
	netlink_bytes_begin(&m, RTM_NEWRULE, &h, 8);
	assert_false(policy_rule_read(netlink_bytes_end(&m), &ours, &priority));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_be_missing),
		cmocka_unit_test(what_is_of_others_or_added),
		cmocka_unit_test(what_is_cut_short),
		cmocka_unit_test(rules_that_part_users),
		cmocka_unit_test(rules_that_do_not),
		cmocka_unit_test(a_rule_that_is_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
