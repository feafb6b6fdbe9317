/* SPDX-License-Identifier: MIT */
#include "platform/net.h"

#include "base/log.h"
#include "platform/linux/conntrack.h"
#include "platform/linux/diag.h"
#include "platform/linux/misled.h"
#include "platform/linux/script.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ELEMENT_TEXT = 2 * IP_TEXT + 32, /* one connection in a set */
	SCRIPT_MAX = 8192 + 2 * DIAG_PEERS * ELEMENT_TEXT,
	ASKED_MAX = 65536,   /* datagram clients from outside, of each family */
	ASKED_SECONDS = 180, /* without a datagram of theirs; conntrack's own limit */
	EPHEMERAL = 32768,   /* the first port that the kernel chooses by itself */
};

/* What has one of the device's addresses for its `end`, saddr or daddr, is dropped. */
static void
add_drops(struct script *s, const struct net_firewall *f, const char *end)
{
	char text[IP_TEXT];
	int i;

	for (i = 0; i < f->naddrs; i++)
		script_add(s, "%s %s %s drop\n",
			f->addrs[i].ip.family == 6 ? "ip6" : "ip", end,
			ip_format(&f->addrs[i].ip, text));
}

static void
add_sets(struct script *s)
{
	static const char *const names[] = { "inbound", "outbound" };
	size_t i;

	for (i = 0; i < 2; i++) {
		script_add(s,
			"set %s4 { typeof meta l4proto . ip saddr . th sport . ip daddr . "
			"th dport; size %d; }\n",
			names[i], 2 * DIAG_PEERS);
		script_add(s,
			"set %s6 { typeof meta l4proto . ip6 saddr . th sport . ip6 daddr "
			". th dport; size %d; }\n",
			names[i], 2 * DIAG_PEERS);
	}
}

static unsigned
ephemeral_first(void)
{
	char text[64];
	struct err e;
	long n;

	if (net_sysctl_get("net.ipv4.ip_local_port_range", text, sizeof text, &e) < 0)
		return EPHEMERAL;
	n = strtol(text, NULL, 10);
	return n > 0 && n <= UINT16_MAX ? (unsigned)n : EPHEMERAL;
}

/*
 * A datagram server on all addresses names no source for its answer, so the
 * kernel takes the device's, and conntrack does not know the answer for one.
 * Hence it is noted who asked which port at which address, and the answer gets
 * that address before conntrack sees it.  Only for ports that the kernel gives
 * to nobody who asks by himself: else whoever can forge a datagram from a name
 * server could open a way beside the device for the questions to it.  Resolvers
 * draw lower ports themselves, so nothing from a name server's port is a question.
 */
static void
add_asked(struct script *s, const struct net_firewall *f)
{
	static const char *const ip[] = { "ip", "ip6" };
	size_t i;

	/* Not one map: the nft program fails at IPv6 keys of several parts there. */
	for (i = 0; i < 2; i++)
		script_add(s,
			"set asked_%s { typeof %s saddr . udp sport . udp dport; "
			"flags dynamic, timeout; size %d; timeout %ds; }\n"
			"map address_%s { typeof %s saddr : %s daddr; "
			"flags dynamic, timeout; size %d; timeout %ds; }\n",
			ip[i], ip[i], ASKED_MAX, ASKED_SECONDS, ip[i], ip[i], ip[i],
			ASKED_MAX, ASKED_SECONDS);
	script_add(s,
		"chain asked {\n"
		"meta l4proto != udp return\n"
		"ct direction reply return\n"
		"fib daddr type != local return\n"
		"udp sport 53 return\n"
		"udp dport >= %u return\n",
		ephemeral_first());
	for (i = 0; i < 2; i++)
		script_add(s,
			"update @asked_%s { %s saddr . udp sport . udp dport }\n"
			"update @address_%s { %s saddr : %s daddr }\n",
			ip[i], ip[i], ip[i], ip[i], ip[i]);
	script_add(s,
		"}\n"
		"chain answered {\n");
	for (i = 0; i < 2; i++)
		script_add(s,
			"%s daddr . udp dport . udp sport @asked_%s %s "
			"saddr set %s daddr map @address_%s\n",
			ip[i], ip[i], ip[i], ip[i], ip[i]);
	script_add(s,
		"}\n"
		"chain answer {\n"
		"type filter hook output priority raw; policy accept;\n"
		"oif \"%s\" udp sport < %u goto answered\n"
		"}\n",
		f->dev, ephemeral_first());
}

/*
 * What leaves: the engine's packets and all that belongs to a connection that
 * was marked, by way of a mark that makes the kernel look for the route again.
 * The engine's own know theirs by the uid: for them only the connection is
 * marked, unless a chain of somebody else's has put a mark on them before.
 * Those do so at `mangle`; at the same priority who comes first is a matter of
 * who was there first.  DHCP clients renew with the server itself, wherever it
 * is.
 */
static void
add_output(struct script *s, const struct net_firewall *f)
{
	unsigned uid = (unsigned)f->uid, m = f->mark;

	script_add(s,
		"chain output {\n"
		"type route hook output priority mangle + 5; policy accept;\n");
	if (f->kept != 0)
		script_add(s, "ct mark & 65535 == %u accept\n", f->kept);
	script_add(s,
		"meta skuid %u meta mark 0 ct mark set %u accept\n"
		"ct mark %u meta mark set %u accept\n"
		"meta skuid %u meta mark set %u\n",
		uid, m, m, m, uid, m);
	script_add(s,
		"meta l4proto . ip saddr . th sport . ip daddr . th dport @inbound4 "
		"meta mark set %u\n"
		"meta l4proto . ip6 saddr . th sport . ip6 daddr . th dport @inbound6 "
		"meta mark set %u\n"
		"udp sport 68 udp dport 67 meta mark set %u\n"
		"udp sport 546 udp dport 547 meta mark set %u\n"
		"meta mark %u ct mark set %u\n"
		"}\n",
		m, m, m, m, m, m);
}

/* Tells the keeper of a packet (net_misled_next), where this kernel can. */
static void
add_tell(struct script *s, const struct net_firewall *f, bool tells, const char *which,
	const char *then)
{
	if (tells)
		script_add(s, "%s log group %u %s\n", which, misled_group(f->mark), then);
}

/*
 * Should a rule or a mark of somebody else's lead any of that into the device
 * after all, it ends there: it would only come round again.  TCP does not
 * listen to who drops its packets, so of the engine's connections the keeper
 * is told.  What the kernel carries and has another's mark ends as the
 * translation sees where it goes, but for the application's first packet:
 * where only those are led astray, the flow goes by the engine (enum stage of
 * nft_direct.c).  With our own mark it is our routing rules that are gone, for
 * a moment: what is lost then is sent again.
 *
 * The engine's sockets are asked for first, since somebody may have taken our
 * mark from the connection as well.  Everybody else's packets have to go into
 * the device, so to let them is no way out for any program, with whatever marks.
 */
static void
add_into_device(struct script *s, const struct net_firewall *f, bool tells)
{
	char engines[64];

	snprintf(engines, sizeof engines, "meta l4proto tcp meta skuid %u",
		(unsigned)f->uid);
	script_add(s, "chain led_back {\n");
	add_tell(s, f, tells, engines, "drop");
	add_tell(s, f, tells, "limit rate 1/second burst 5 packets", "");
	if (f->kept != 0)
		script_add(s,
			"meta mark != %u ct mark & 65535 == %u ct mark != %u return\n",
			f->mark, f->kept, f->kept | CONNTRACK_ASKED);
	script_add(s,
		"drop\n"
		"}\n"
		"chain into_device {\n"
		"meta skuid %u goto led_back\n"
		"ct mark 0 meta mark != %u accept\n"
		"meta mark %u goto led_back\n"
		"ct mark %u goto led_back\n",
		(unsigned)f->uid, f->mark, f->mark, f->mark);
	if (f->kept != 0)
		script_add(s, "ct mark & 65535 == %u goto led_back\n", f->kept);
	script_add(s,
		"}\n"
		"chain postrouting {\n"
		"type filter hook postrouting priority mangle; policy accept;\n"
		"oif \"%s\" goto into_device\n"
		"}\n",
		f->dev);
}

/*
 * Where somebody takes our routes or rules away, they are put back a moment
 * later.  Until then nothing that began inside goes on in clear: it would have
 * the device's address, with which nothing leaves but by the device.
 */
static void
add_fence(struct script *s, const struct net_firewall *f)
{
	script_add(s,
		"chain last {\n"
		"type filter hook postrouting priority srcnat + 200; policy accept;\n"
		"oif { \"%s\", \"lo\" } accept\n",
		f->dev);
	add_drops(s, f, "saddr");
	script_add(s, "}\n");
}

/*
 * Whose connection tracking knows nothing, as somebody keeps their packets
 * from it (`notrack`), or the questions to these answers.  A strict reverse
 * path filter would look for their way back in our table, hence the mark.  An
 * answer to what the kernel carries could be translated back by tracking
 * alone: the keeper is told of what has none, and looks whether it is one.
 */
static void
add_unseen(struct script *s, const struct net_firewall *f, bool tells)
{
	script_add(s,
		"chain unseen {\n"
		"fib daddr type != local return\n"
		"meta mark 0 meta mark set %u\n",
		f->mark);
	add_tell(s, f, tells,
		"ct state untracked meta l4proto { tcp, udp } limit rate 20/second burst 20 "
		"packets",
		"");
	script_add(s, "}\n");
}

/*
 * What arrives: a connection that begins outside and is meant for this machine
 * is marked, so that its replies leave there; a mark that others have put on its
 * packets is left to those who ask for it.  What the machine forwards, from
 * its containers say, is not: it takes the way of the machine's own
 * applications.  A TCP packet proves that only when it is a SYN; any
 * other one of which conntrack has not heard belongs to a connection that is
 * older than this table: of those, the ones that came in are in the sets.  The
 * same for UDP: the answer to a question that was asked before the start must
 * not open a way around the device for the questions that follow.
 */
static void
add_prerouting(struct script *s, const struct net_firewall *f)
{
	unsigned m = f->mark;

	script_add(s,
		"chain began_outside {\n"
		"meta l4proto . ip daddr . th dport . ip saddr . th sport @inbound4 "
		"ct mark set %u return\n"
		"meta l4proto . ip6 daddr . th dport . ip6 saddr . th sport @inbound6 "
		"ct mark set %u return\n"
		"ct state != new return\n"
		"fib daddr type != local return\n"
		"meta l4proto tcp tcp flags & (fin | syn | rst | ack) != syn return\n"
		"meta l4proto . ip daddr . th dport . ip saddr . th sport @outbound4 return\n"
		"meta l4proto . ip6 daddr . th dport . ip6 saddr . th sport @outbound6 return\n"
		"ct mark set %u\n"
		"}\n"
		"chain inside {\n"
		"ct mark %u meta mark set %u\n"
		"}\n"
		"chain outside {\n"
		"jump asked\n"
		"meta mark 0 meta mark set %u\n"
		"}\n"
		"chain prerouting {\n"
		"type filter hook prerouting priority mangle + 5; policy accept;\n",
		m, m, m, m, m, m);
	/* Direct flows in the kernel began inside. */
	if (f->kept != 0)
		script_add(s, "ct mark & 65535 == %u accept\n", f->kept);
	script_add(s, "iifname { \"%s\", \"lo\" } goto inside\n", f->dev);
	/* Who shares a link with us could else send into connections that run inside. */
	add_drops(s, f, "daddr");
	script_add(s,
		"ct mark != %u jump began_outside\n"
		"ct mark %u goto outside\n"
		"goto unseen\n"
		"}\n",
		m, m);
}

/*
 * Chains of others ask for the route back to a packet's source long before
 * conntrack, as firewalls do for IPv6, which has no rp_filter.  For the answers
 * to what left outside that is the machine's own only by the mark, and whose
 * answers they are cannot be known yet.  So until then all that comes in has
 * it: what would have come in without us does so.
 */
static void
add_way_back(struct script *s, const struct net_firewall *f)
{
	script_add(s,
		"chain before_tracking {\n"
		"type filter hook prerouting priority raw - 1; policy accept;\n"
		"iifname != { \"%s\", \"lo\" } meta mark 0 meta mark set %u\n"
		"}\n"
		"chain tracking {\n"
		"type filter hook prerouting priority -201; policy accept;\n"
		"iifname != { \"%s\", \"lo\" } meta mark %u meta mark set 0\n"
		"}\n",
		f->dev, f->mark, f->dev, f->mark);
}

/* -1: there is no such setting. */
static int
rp_filter_of(const char *dev)
{
	char part[IF_NAMESIZE], name[64 + IF_NAMESIZE], value[16], *p;
	struct err e;

	/* VLANs have dots in their names. */
	snprintf(part, sizeof part, "%s", dev);
	while ((p = strchr(part, '.')) != NULL)
		*p = '/';
	snprintf(name, sizeof name, "net.ipv4.conf.%s.rp_filter", part);
	if (net_sysctl_get(name, value, sizeof value, &e) < 0)
		return -1;
	return value[0] - '0';
}

/* Of `all` and an interface's own the larger one counts. */
static bool
is_any_strict(void)
{
	bool is = rp_filter_of("default") == 1;
	struct if_nameindex *all, *i;

	if (rp_filter_of("all") > 0)
		return rp_filter_of("all") == 1;
	all = if_nameindex();
	for (i = all; i && i->if_index != 0; i++)
		is = is || rp_filter_of(i->if_name) == 1;
	if (all)
		if_freenameindex(all);
	return is;
}

/*
 * A strict reverse path filter looks up the way back by the mark that the last
 * chain has left, and nobody is told of what it drops.  So where there is one,
 * ours is the last: what came in without us for this machine does so.
 */
static void
add_strict_way_back(struct script *s, const struct net_firewall *f)
{
	if (is_any_strict())
		script_add(s,
			"chain routing {\n"
			"type filter hook prerouting priority 1000; policy accept;\n"
			"meta nfproto ipv4 meta mark != %u iifname != { \"%s\", \"lo\" } "
			"fib daddr type local meta mark set %u\n"
			"}\n",
			f->mark, f->dev, f->mark);
}

static void
add_peers(struct script *s, const struct diag_list *l, int protocol, int family,
	bool inbound)
{
	char local[IP_TEXT], remote[IP_TEXT];
	const struct diag_peer *p;
	size_t i;

	for (i = 0; i < l->n; i++) {
		p = &l->peer[i];
		if (p->local.ip.family != family || p->remote.ip.family != family ||
			p->inbound != inbound || ip_is_loopback(&p->local.ip))
			continue;
		script_add(s, "add element inet sluice %s%d { %d . %s . %u . %s . %u }\n",
			inbound ? "inbound" : "outbound", family, protocol,
			ip_format(&p->local.ip, local), p->local.port,
			ip_format(&p->remote.ip, remote), p->remote.port);
	}
}

static int
protocol_keep(struct script *s, int protocol)
{
	struct diag_search search = { .protocol = protocol };
	struct diag_list *l;
	int r;

	r = diag_connections(&search, &l);
	if (r < 0)
		return r;
	add_peers(s, l, protocol, 4, true);
	add_peers(s, l, protocol, 6, true);
	if (protocol == IPPROTO_UDP) {
		add_peers(s, l, protocol, 4, false);
		add_peers(s, l, protocol, 6, false);
	}
	if (l->left_out > 0)
		log_warn(
			"%zu connections are more than can be looked at: those that came "
			"in from outside before the start may end now",
			l->left_out);
	diag_free(l);
	return 0;
}

/* Connections from before the table. Without the kernel's socket list (CONFIG_INET_DIAG)
 * they end and nothing else is lost, so that is a warning. */
static void
connections_keep(struct script *s)
{
	struct err e;
	int r;

	s->len = 0;
	s->text[0] = '\0';
	r = protocol_keep(s, IPPROTO_TCP);
	if (r == 0)
		r = protocol_keep(s, IPPROTO_UDP);
	if (r < 0)
		log_warn("the open connections cannot be listed (%s): those that came in "
			 "from outside before the start may end now",
			strerror(-r));
	if (s->len > 0 && script_run(s, &e) < 0)
		log_warn("connections that came in before the start may end now: %s",
			e.text);
}

static const struct script_piece pieces[] = {
	{ NULL, "" },
	{ "sets that rules fill (nf_tables)",
		"set s { type inet_service; flags dynamic, timeout; size 16; timeout 1s; "
		"}\n"
		"chain c { update @s { th sport }\n }\n" },
	{ "connection tracking (nf_conntrack, nft_ct)",
		"chain c { type filter hook prerouting priority mangle; ct mark set 7\n "
		"}\n" },
	{ "lookups of routes by the firewall (nft_fib_inet)",
		"chain c { type filter hook prerouting priority mangle; fib daddr type "
		"local accept\n }\n" },
	{ "chains that choose routes (nf_tables)",
		"chain c { type route hook output priority mangle; }\n" },
};

/* Adding first makes the deletion succeed where the table is gone. */
static const char unmade[] = "add table inet sluice\ndelete table inet sluice\n";

/* `first` says what becomes of a table that is there. */
static int
table_add(struct script *s, const struct net_firewall *f, const char *first, bool tells,
	struct err *e)
{
	s->len = 0;
	script_add(s, "%stable inet sluice {\n", first);
	add_sets(s);
	add_output(s, f);
	add_into_device(s, f, tells);
	add_fence(s, f);
	add_asked(s, f);
	add_way_back(s, f);
	add_strict_way_back(s, f);
	add_unseen(s, f, tells);
	add_prerouting(s, f);
	script_add(s, "}\n");
	return script_run(s, e);
}

/* Without news of what others mislead (CONFIG_NFT_LOG, CONFIG_NETFILTER_NETLINK_LOG) the
 * rest works all the same.  Where they are there, what was refused may pass now. */
static int
table_add_again(
	struct script *s, const struct net_firewall *f, const char *first, struct err *e)
{
	bool tells = !script_is_missing("inet", "chain c { log group 7\n }\n");
	int r = table_add(s, f, first, tells, e);

	if (r == -EINVAL)
		return script_name_missing(
			"inet", pieces, sizeof pieces / sizeof *pieces, "", e);
	if (r == 0 && !tells)
		log_warn("this kernel's firewall cannot tell of packets (nfnetlink_log): "
			 "should rules of others lead sluice's own astray, nobody says "
			 "so");
	return r;
}

static int
firewall_add(const struct net_firewall *f, const char *first, struct err *e)
{
	struct script *s = script_new(SCRIPT_MAX);
	int r;

	if (!s)
		return err_set(e, "nft: out of memory");
	r = table_add(s, f, first, true, e);
	if (r == -EINVAL)
		r = table_add_again(s, f, first, e);
	/* Now the table sees every connection that begins, so the list is complete. */
	if (r == 0)
		connections_keep(s);
	script_free(s);
	return r == 0 ? 0 : -1;
}

int
net_firewall_add(const struct net_firewall *f, struct err *e)
{
	int r = firewall_add(f, "create table inet sluice\n", e);

	if (r < 0 && strstr(e->text, "File exists"))
		(void)err_set(e,
			"the nft table `inet sluice` exists already, and was not made by "
			"sluice, which has to call its own so; rename it, or remove it "
			"(nft delete table inet sluice)");
	return r;
}

int
net_firewall_mend(const struct net_firewall *f, struct err *e)
{
	return firewall_add(f, unmade, e);
}

int
net_firewall_del(struct err *e)
{
	struct script *s = script_new(sizeof unmade + 1);
	int r;

	if (!s)
		return err_set(e, "nft: out of memory");
	script_add(s, "%s", unmade);
	r = script_run(s, e);
	script_free(s);
	return r == 0 ? 0 : -1;
}
