/* SPDX-License-Identifier: MIT */
#include "platform/linux/route.h"

#include "base/log.h"
#include "platform/linux/default_routes.h"
#include "platform/linux/link.h"
#include "platform/linux/netlink.h"
#include "platform/net.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

/*
 * Our table and the rules that lead to it.  In it are, for each family:
 *
 *   throw ...                the LAN's noise goes on to the main table
 *   default dev TUN          where the device carries the family
 *   unreachable default      behind it: a family that the device does not carry
 *                            must not leave beside it, and when the device is
 *                            gone because keeper and engine were killed, what
 *                            it protected stays inside until `recover` or the
 *                            next start
 *
 * The rules stand in this order.  What is not for our table jumps over it and
 * meets the machine's own rules, as without us: were it only sent to the main
 * table first, then without a default route there it would come to ours after
 * all, and an engine's connection would go round in the device for ever.
 *
 * A user may lead networks into the device by hand, in the main table.  So just
 * before that table comes, those two are asked for again (enum way): the device
 * is in a group of its own, and a route into that group is none for them.  They
 * take the machine's default route instead, of which a table of ours has a copy
 * (where nothing but the user leads into the device), since a lookup that was refused
 * does not go on to the next best route.
 *
 * What is sent by a socket that is bound to the device has a table of its own,
 * whose default route has a gateway.  To the device that is nothing, and the
 * firewall tells such packets by it.
 *
 * Rules and routes say that they are the kernel's: systemd-networkd, when it
 * begins, removes those of everybody else.
 */
enum rule {
	RULE_MARKED,   /* marked packets: to RULE_PAST */
	RULE_ENGINE,   /* the engine's sockets: to RULE_PAST */
	RULE_SPECIFIC, /* whatever the main table knows better than by default */
	RULE_OURS,     /* everything else: our table */
	RULE_PAST,     /* does nothing: where the first two jump to */
	RULE_NOWHERE,  /* beside the first: what is marked so is dropped */
	RULE_BOUND,    /* beside the engine's: for sockets bound to the device */
	RULES
};

/* As they are added, and in reverse removed: each moment is either the machine's own
 * routing or ours, and no jump is without its aim. */
static const enum rule rule_order[RULES] = { RULE_NOWHERE, RULE_PAST, RULE_MARKED,
	RULE_ENGINE, RULE_BOUND, RULE_SPECIFIC, RULE_OURS };

/* For marked packets and the engine's sockets, in this order, all at WAY_PREF. */
enum way {
	WAY_MAIN,    /* the main table, but for what leads into the device */
	WAY_DEFAULT, /* the copy of its default routes */
	WAY_NOWHERE, /* unreachable: better than round in the device */
	WAYS
};

enum whose { WHOSE_MARKED, WHOSE_ENGINE, WHOSES };

enum {
	METRIC_LAST = 0x7fffffff,
	WAY_PREF = 32765, /* the main table's rule is the next; equals stand behind */
};

static const struct cidr lan_noise[] = {
	{ { 4, { 224 } }, 4 },                 /* multicast */
	{ { 4, { 255, 255, 255, 255 } }, 32 }, /* broadcast, DHCP */
	{ { 4, { 169, 254 } }, 16 },           /* RFC 3927 */
	{ { 6, { 0xff } }, 8 },                /* multicast, neighbour discovery */
	{ { 6, { 0xfe, 0x80 } }, 10 },         /* link-local */
};

struct route {
	int family;
	unsigned char type; /* RTN_... */
	unsigned table;
	struct cidr to; /* bits 0: default */
	unsigned index; /* of the device; 0: none */
	struct ip via;  /* family 0: none */
	unsigned metric;
};

/* What is removed may be of any. */
static uint8_t
protocol_of(uint16_t type)
{
	return type == RTM_NEWROUTE || type == RTM_NEWRULE ? RTPROT_KERNEL
							   : RTPROT_UNSPEC;
}

static int
route_change(uint16_t type, uint16_t flags, const struct route *t)
{
	struct netlink_message m;
	struct rtmsg *r;

	r = netlink_begin(&m, type, (uint16_t)(flags | NLM_F_ACK), sizeof *r);
	r->rtm_family = netlink_domain(t->family);
	r->rtm_dst_len = t->to.bits;
	r->rtm_table = RT_TABLE_UNSPEC;
	r->rtm_protocol = protocol_of(type);
	r->rtm_type = t->type;
	r->rtm_scope = t->type == RTN_UNICAST && t->via.family == 0 ? RT_SCOPE_LINK
								    : RT_SCOPE_UNIVERSE;
	mnl_attr_put_u32(m.head, RTA_TABLE, t->table);
	if (t->to.bits > 0)
		netlink_put_ip(&m, RTA_DST, &t->to.ip);
	if (t->index != 0)
		mnl_attr_put_u32(m.head, RTA_OIF, t->index);
	if (t->via.family != 0) {
		r->rtm_flags = RTNH_F_ONLINK;
		netlink_put_ip(&m, RTA_GATEWAY, &t->via);
	}
	if (t->metric != 0)
		mnl_attr_put_u32(m.head, RTA_PRIORITY, t->metric);
	return netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
}

static void
protocol_put(struct netlink_message *m, uint16_t type)
{
	if (type == RTM_NEWRULE)
		mnl_attr_put_u8(m->head, FRA_PROTOCOL, protocol_of(type));
}

static void
mark_put(struct netlink_message *m, unsigned mark)
{
	mnl_attr_put_u32(m->head, FRA_FWMARK, mark);
	mnl_attr_put_u32(m->head, FRA_FWMASK, 0xffffffff);
}

static void
whose_put(struct netlink_message *m, enum whose whose, const struct net_routes *c)
{
	struct fib_rule_uid_range engine = { c->uid, c->uid };

	switch (whose) {
	case WHOSE_MARKED:
		mark_put(m, c->mark);
		break;
	case WHOSE_ENGINE:
	case WHOSES:
		mnl_attr_put(m->head, FRA_UID_RANGE, sizeof engine, &engine);
		break;
	}
}

static unsigned
defaults_table(const struct net_routes *c)
{
	return c->table + 1;
}

static unsigned
bound_table(const struct net_routes *c)
{
	return c->table + 2;
}

/* The dummy address of RFC 7600, and a link-local one: nobody's behind the device. */
struct ip
route_bound_hop(int family)
{
	return family == 6 ? (struct ip){ 6, { 0xfe, 0x80, [14] = 0x1c, 0xca } }
			   : (struct ip){ 4, { 192, 0, 0, 8 } };
}

/* The device's group has the number of our table (claim.h). */
static int
way_change(uint16_t type, uint16_t flags, int family, enum way way, enum whose whose,
	const struct net_routes *c)
{
	struct netlink_message m;
	struct fib_rule_hdr *h;

	h = netlink_begin(&m, type, (uint16_t)(flags | NLM_F_ACK), sizeof *h);
	h->family = netlink_domain(family);
	mnl_attr_put_u32(m.head, FRA_PRIORITY, WAY_PREF);
	protocol_put(&m, type);
	whose_put(&m, whose, c);
	switch (way) {
	case WAY_MAIN:
		h->action = FR_ACT_TO_TBL;
		mnl_attr_put_u32(m.head, FRA_TABLE, RT_TABLE_MAIN);
		mnl_attr_put_u32(m.head, FRA_SUPPRESS_IFGROUP, c->table);
		break;
	case WAY_DEFAULT:
		h->action = FR_ACT_TO_TBL;
		mnl_attr_put_u32(m.head, FRA_TABLE, defaults_table(c));
		break;
	case WAY_NOWHERE:
	case WAYS:
		h->action = FR_ACT_UNREACHABLE;
		break;
	}
	return netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
}

/* Without it the engine does not reach what the user led into the device, and nothing
 * else is lost. */
static void
defaults_add(int family, const struct net_routes *c)
{
	int r = default_routes_copy(family, defaults_table(c), if_nametoindex(c->dev));

	if (r < 0)
		log_warn("the IPv%d default route cannot be copied: %s", family,
			strerror(-r));
}

static int
ways_add(int family, const struct net_routes *c)
{
	int way, whose, r = 0;

	for (way = 0; r == 0 && way < WAYS; way++) {
		for (whose = 0; r == 0 && whose < WHOSES; whose++)
			r = way_change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family,
				(enum way)way, (enum whose)whose, c);
	}
	return r;
}

static int
ways_del(int family, const struct net_routes *c)
{
	int way, whose, r, worst = 0;

	for (way = WAYS - 1; way >= 0; way--) {
		for (whose = 0; whose < WHOSES; whose++) {
			r = way_change(RTM_DELRULE, 0, family, (enum way)way,
				(enum whose)whose, c);
			if (r < 0 && r != -ENOENT && r != -EAFNOSUPPORT)
				worst = r;
		}
	}
	r = default_routes_drop(family, defaults_table(c));
	return r < 0 && r != -EAFNOSUPPORT ? r : worst;
}

static unsigned
rule_pref(enum rule which, const struct net_routes *c)
{
	if (which == RULE_NOWHERE)
		which = RULE_MARKED;
	else if (which == RULE_BOUND)
		which = RULE_ENGINE;
	return c->pref + (unsigned)which;
}

static int
rule_change(uint16_t type, uint16_t flags, int family, enum rule which,
	const struct net_routes *c)
{
	struct netlink_message m;
	struct fib_rule_hdr *h;

	h = netlink_begin(&m, type, (uint16_t)(flags | NLM_F_ACK), sizeof *h);
	h->family = netlink_domain(family);
	mnl_attr_put_u32(m.head, FRA_PRIORITY, rule_pref(which, c));
	protocol_put(&m, type);
	switch (which) {
	case RULE_MARKED:
		h->action = FR_ACT_GOTO;
		mnl_attr_put_u32(m.head, FRA_GOTO, c->pref + RULE_PAST);
		whose_put(&m, WHOSE_MARKED, c);
		break;
	case RULE_ENGINE:
		h->action = FR_ACT_GOTO;
		mnl_attr_put_u32(m.head, FRA_GOTO, c->pref + RULE_PAST);
		whose_put(&m, WHOSE_ENGINE, c);
		break;
	case RULE_SPECIFIC:
		h->action = FR_ACT_TO_TBL;
		mnl_attr_put_u32(m.head, FRA_TABLE, RT_TABLE_MAIN);
		mnl_attr_put_u32(m.head, FRA_SUPPRESS_PREFIXLEN, 0);
		break;
	case RULE_OURS:
		h->action = FR_ACT_TO_TBL;
		mnl_attr_put_u32(m.head, FRA_TABLE, c->table);
		break;
	case RULE_BOUND:
		h->action = FR_ACT_TO_TBL;
		mnl_attr_put_u32(m.head, FRA_TABLE, bound_table(c));
		mnl_attr_put_strz(m.head, FRA_OIFNAME, c->dev);
		break;
	case RULE_NOWHERE:
		h->action = FR_ACT_BLACKHOLE;
		mark_put(&m, net_mark_nowhere(c->mark));
		break;
	case RULE_PAST:
	case RULES:
		h->action = FR_ACT_NOP;
		break;
	}
	return netlink_ask(NETLINK_ROUTE, &m, NULL, NULL);
}

/* One more route after n others. How many were changed, or -errno, but what `fine` names;
 * so do the following, which stop at the first failure. */
static int
route_count(int n, uint16_t type, uint16_t flags, const struct route *t, int fine)
{
	int r = -ENODEV;

	if (t->type != RTN_UNICAST || t->index != 0)
		r = route_change(type, flags, t);
	if (r < 0 && r != fine)
		return r;
	return n + (r == 0);
}

static int
noise_change(uint16_t type, uint16_t flags, int family, unsigned table, int fine)
{
	struct route t = { .family = family, .type = RTN_THROW, .table = table };
	size_t i;
	int n = 0;

	for (i = 0; n >= 0 && i < sizeof lan_noise / sizeof *lan_noise; i++) {
		t.to = lan_noise[i];
		if (t.to.ip.family == family)
			n = route_count(n, type, flags, &t, fine);
	}
	return n;
}

static int
bound_change(
	uint16_t type, uint16_t flags, int family, const struct net_routes *c, int fine)
{
	struct route t = {
		.family = family,
		.type = RTN_UNICAST,
		.table = bound_table(c),
		.index = if_nametoindex(c->dev),
		.via = route_bound_hop(family),
	};
	bool has = family == 6 ? c->has6 : c->has4;
	int n = noise_change(type, flags, family, t.table, fine);

	/* How the device was is not remembered; without it its route has gone, too. */
	if (n < 0 || (type == RTM_DELROUTE ? t.index == 0 : !has))
		return n;
	return route_count(n, type, flags, &t, fine);
}

static int
ours_change(
	uint16_t type, uint16_t flags, int family, const struct net_routes *c, int fine)
{
	struct route t = { .family = family, .type = RTN_UNREACHABLE, .table = c->table };
	bool carried = family == 6 ? c->v6 : c->v4;
	int n = noise_change(type, flags, family, t.table, fine);

	t.metric = METRIC_LAST;
	if (n >= 0)
		n = route_count(n, type, flags, &t, fine);
	t.type = RTN_UNICAST;
	t.metric = 0;
	t.index = if_nametoindex(c->dev);
	if (n < 0 || !carried || (type == RTM_DELROUTE && t.index == 0))
		return n;
	return route_count(n, type, flags, &t, fine);
}

/* All routes of a family. */
static int
routes_change(
	uint16_t type, uint16_t flags, int family, const struct net_routes *c, int fine)
{
	int n = ours_change(type, flags, family, c, fine);
	int r = n < 0 ? n : bound_change(type, flags, family, c, fine);

	return r < 0 ? r : n + r;
}

/* Where nothing is led into the device, only the engine's own way out is ours. */
static bool
is_wanted(enum rule which, const struct net_routes *c)
{
	return c->v4 || c->v6 || (which != RULE_SPECIFIC && which != RULE_OURS);
}

static int
family_add(int family, const struct net_routes *c, struct err *e)
{
	bool carried = family == 6 ? c->v6 : c->v4;
	int i, r;

	r = routes_change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, family, c, -EEXIST);
	if (r == -EAFNOSUPPORT && !carried)
		return 0; /* a kernel without the family has nothing to leak */
	if (r < 0)
		return err_set(e, "%s: the IPv%d routes cannot be set: %s", c->dev,
			family, strerror(-r));
	/* Where the device is led to by our own table, the main table's routes are the
	 * machine's: without a default route there is no way out, and that is the truth. */
	if (!c->v4 && !c->v6)
		defaults_add(family, c);
	r = ways_add(family, c);
	if (r < 0)
		return err_set(e, "the IPv%d rules for the engine cannot be set: %s",
			family, strerror(-r));
	for (i = 0; i < RULES; i++) {
		if (!is_wanted(rule_order[i], c))
			continue;
		r = rule_change(
			RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family, rule_order[i], c);
		if (r < 0)
			return err_set(e, "the IPv%d routing rule %u cannot be set: %s",
				family, rule_pref(rule_order[i], c), strerror(-r));
	}
	return 0;
}

static int
family_del(int family, const struct net_routes *c)
{
	int i, r, worst = 0;

	for (i = RULES - 1; i >= 0; i--) {
		r = rule_change(RTM_DELRULE, 0, family, rule_order[i], c);
		if (r < 0 && r != -ENOENT && r != -EAFNOSUPPORT)
			worst = r;
	}
	r = ways_del(family, c);
	if (r < 0)
		worst = r;
	r = routes_change(RTM_DELROUTE, 0, family, c, -ESRCH);
	return r < 0 && r != -EAFNOSUPPORT ? r : worst;
}

/* The first route shows whether the table is free; while it is not, nothing is undone,
 * since nothing there is ours. */
static int
table_claim(const struct net_routes *c, struct err *e)
{
	struct route t = { .family = 4, .type = RTN_THROW, .table = c->table };
	int r;

	t.to = lan_noise[0];
	r = route_change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &t);
	if (r == -EEXIST)
		return err_set(e,
			"routing table %u is in use already, by another instance or "
			"another program; `sluice recover` removes what a killed one left",
			c->table);
	if (r < 0)
		return err_set(e, "routing table %u cannot be filled: %s", c->table,
			strerror(-r));
	return 0;
}

/* Above all that connections are marked with here (enum stage of nft_direct.c): chains of
 * others copy the marks of connections to packets. */
unsigned
net_mark_nowhere(unsigned mark)
{
	return mark | 1u << 31;
}

int
net_routes_add(const struct net_routes *c, struct err *e)
{
	struct err unused;

	if (table_claim(c, e) < 0)
		return -1;
	if (family_add(4, c, e) == 0 && family_add(6, c, e) == 0)
		return 0;
	(void)net_routes_del(c, &unused);
	return -1;
}

int
net_routes_del(const struct net_routes *c, struct err *e)
{
	int r4 = family_del(4, c), r6 = family_del(6, c);
	int r = r4 < 0 ? r4 : r6;

	if (r == 0)
		return 0;
	return err_set(e, "the IPv%d routes of table %u cannot be removed: %s",
		r4 < 0 ? 4 : 6, c->table, strerror(-r));
}

/* All rules of one kind have one number, and what is added comes behind its equals. */
static int
ways_mend(int family, const struct net_routes *c)
{
	int way, whose, r, n = 0;

	for (way = 0; way < WAYS; way++) {
		for (whose = 0; whose < WHOSES; whose++) {
			r = way_change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family,
				(enum way)way, (enum whose)whose, c);
			if (r < 0 && r != -EEXIST)
				return r;
			n += r == 0;
		}
	}
	if (n == 0 || n == WAYS * WHOSES)
		return n;
	r = ways_del(family, c);
	if (r == 0)
		r = ways_add(family, c);
	return r < 0 ? r : n;
}

/* In the order in which they are added, so that no jump is without its aim; the ways last:
 * without them nothing leaves in clear. */
static int
rules_mend(int family, const struct net_routes *c)
{
	int i, r, n = 0;

	for (i = 0; i < RULES; i++) {
		if (!is_wanted(rule_order[i], c))
			continue;
		r = rule_change(
			RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family, rule_order[i], c);
		if (r < 0 && r != -EEXIST)
			return r;
		n += r == 0;
	}
	r = ways_mend(family, c);
	return r < 0 ? r : n + r;
}

static int
family_mend(int family, const struct net_routes *c)
{
	bool carried = family == 6 ? c->v6 : c->v4;
	int r, n;

	n = routes_change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, family, c, -EEXIST);
	if (n == -EAFNOSUPPORT && !carried)
		return 0;
	if (n < 0)
		return n;
	r = rules_mend(family, c);
	if (r >= 0 && !c->v4 && !c->v6)
		defaults_add(family, c);
	return r < 0 ? r : n + r;
}

int
net_routes_mend(const struct net_routes *c, struct err *e)
{
	int r4 = family_mend(4, c), r6 = family_mend(6, c);
	int r = r4 < 0 ? r4 : r6;

	/* Where it failed, the next try does: this is news itself, and would call for one at
	 * once. */
	if (r6 > 0)
		link_routes_renew();
	if (r >= 0)
		return r4 + r6;
	return err_set(e, "the IPv%d routes and rules of table %u: %s", r4 < 0 ? 4 : 6,
		c->table, strerror(-r));
}
