/* SPDX-License-Identifier: MIT */
#include "platform/direct.h"
#include "platform/linux/conntrack.h"
#include "platform/linux/netlink.h"
#include "platform/linux/route.h"
#include "platform/linux/script.h"
#include "platform/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * How a flow gets past the device:
 *
 *   its SYN goes into the device, since a SYN is never looked up here: each
 *   connection is decided anew, whatever its ports were used for before.  The
 *   engine sends it again, marked.  From there the connection is tracked in a
 *   zone of its own, apart from the same packet on its way into the device,
 *   and when it leaves its ends are noted in the set; what the application
 *   sends next is found there, and routed again by the mark.  Answers have no
 *   zone, and belong to the connection by their own ends, which the
 *   translation made.
 *
 * Whether such a packet may leave is for the rules of the machine to say, which
 * may let out root, the engine's user or the application's and nobody else.
 * So all that the set knows was learnt where packets have left: first the
 * engine's, for a moment, then the application's own.  Where one of those does
 * not arrive there, the flow stays with the engine (enum stage).
 *
 * Entries live as long as the stack would have kept the flow, longer where
 * that costs nothing: a packet that finds none goes to the engine, which knows
 * the flow.  A TCP packet that finds one, but of which conntrack knows nothing
 * any more (its network has gone, and the translation with it), is answered
 * with a reset: sent on, it would come from another address.
 */
enum {
	DIRECT_SCRIPT = 8192,
	DIRECT_FLOWS = 131072, /* in a set; beyond, packets go by the engine */
	TCP_SECONDS = 180,     /* without data from the application */
	CLOSED_SECONDS = NET_DIRECT_ENDED_MS / 1000, /* after its FIN or reset */
	UDP_SECONDS = 60,      /* as long as the engine keeps an association */
	OPEN_SECONDS = 432000, /* as by default, whatever others have made of that */
	/* One end is closed.  The system's own TCP would wait for ever, but for the peer's
	 * keepalive: after two hours, for which RFC 5382, REQ-5 asks for four minutes more. */
	HALF_SECONDS = 7440,
	TCP_TRIED = 1, /* seconds until the application's next packet; later ones are */
	UDP_TRIED = 2, /* tried again, and what a firewall drops is lost until then */
};

/* What is known of a connection, in its mark above the 16 bits of net_direct.kept. */
enum stage {
	STAGE_KEPT = 0,         /* the application's packets leave */
	STAGE_HANDED = 1 << 16, /* one of the engine's is on its way, or was the last */
	STAGE_ASKED = CONNTRACK_ASKED, /* the application's first one is on its way */
	STAGE_REFUSED = 3 << 16, /* that did not arrive: its packets go by the engine */
	STAGE_OVER =
		CONNTRACK_OVER, /* its ends are another's, unless a SYN is handed on */
};

static const char *
word_of(int family)
{
	return family == 6 ? "ip6" : "ip";
}

/* The five words of a flow, for sets. */
static const char *
ends_of(int family)
{
	return family == 6 ? "ip6 saddr . ip6 daddr . meta l4proto . th sport . th dport"
			   : "ip saddr . ip daddr . meta l4proto . th sport . th dport";
}

static void
add_ours(struct script *s, const struct net_direct *d)
{
	char text[IP_TEXT];
	int i;

	script_add(s, "%s saddr { ", word_of(d->family));
	for (i = 0; i < d->naddrs; i++)
		if (d->addrs[i].ip.family == d->family)
			script_add(s, "%s, ", ip_format(&d->addrs[i].ip, text));
	script_add(s, "}");
}

/* The same, of a packet that has been translated; its protocol must be asked for before. */
static const char *
origin_of(int family)
{
	return family == 6
		? "ct original ip6 saddr . ct original ip6 daddr . meta l4proto . "
		  "ct original proto-src . ct original proto-dst"
		: "ct original ip saddr . ct original ip daddr . meta l4proto . "
		  "ct original proto-src . ct original proto-dst";
}

static const char *
hops_of(int family)
{
	return family == 6 ? "ip6 hoplimit" : "ip ttl";
}

/* What a socket has sent that is bound to the device (route.c), and hears nothing that comes
 * in elsewhere. */
static const char *
bound_of(int family, char text[static 64])
{
	struct ip hop = route_bound_hop(family);
	char address[IP_TEXT];

	snprintf(text, 64, "rt %s nexthop %s", word_of(family), ip_format(&hop, address));
	return text;
}

/*
 * What the engine may do with its socket: send what an application sent into
 * the device.  Were it taken over it could else speak as anybody, in any
 * protocol.
 */
static void
add_marked(struct script *s, const struct net_direct *d)
{
	script_add(s,
		"chain engine {\n"
		"meta l4proto != { tcp, udp, %s } drop\n",
		d->family == 6 ? "ipv6-icmp" : "icmp");
	add_ours(s, d);
	script_add(s,
		" goto zone\n"
		"drop\n"
		"}\n"
		"chain marked {\n"
		"meta skgid %u goto engine\n",
		(unsigned)d->gid);
	add_ours(s, d);
	script_add(s,
		" goto zone\n"
		"}\n");
}

/* What asks the set, and what takes out of it. */
static void
add_asking(struct script *s, const struct net_direct *d)
{
	const char *ends = ends_of(d->family);
	char bound[64];

	script_add(s,
		"set flows { typeof %s; flags dynamic, timeout; size %d; timeout %ds; }\n"
		"chain withdrawn {\n"
		"delete @flows { %s }\n"
		"meta l4proto != tcp drop\n"
		"goto zone\n"
		"}\n"
		"chain sent {\n"
		"tcp flags & (fin | syn | rst | ack) == syn delete @flows { %s } accept\n"
		"meta l4proto udp %s accept\n"
		"%s @flows goto zone\n"
		"}\n",
		ends, DIRECT_FLOWS, TCP_SECONDS, ends, ends, bound_of(d->family, bound),
		ends);
}

/*
 * All that is sent passes `first`, and what the applications send into the
 * device comes first there.  What has no hops left is net_direct_withdraw's;
 * its socket may have lost the mark.  A connection that had the same ends is
 * over: conntrack takes the order for the SYN of another, and forgets the one
 * that has ended, or else it gets a mark by which nothing more is handed to it.
 * Otherwise what is late of a connection that went elsewhere, and whose name no
 * engine remembers, could still leave as this one's.
 */
static void
add_first(struct script *s, const struct net_direct *d)
{
	script_add(s, "chain zone { ct original zone set %u\n }\n", d->kept);
	add_marked(s, d);
	script_add(s,
		"chain first {\n"
		"type filter hook output priority raw + 10; policy accept;\n"
		"oif \"%s\" goto sent\n"
		"%s 0 meta skgid %u goto withdrawn\n"
		"meta mark %u goto marked\n"
		"}\n",
		d->dev, hops_of(d->family), (unsigned)d->gid, d->mark);
}

/* What the engine sends has a mark when it comes here (add_again), what applications send
 * has not. */
static void
add_stages(struct script *s, const struct net_direct *d)
{
	unsigned asked = d->kept | STAGE_ASKED, refused = d->kept | STAGE_REFUSED,
		 over = d->kept | STAGE_OVER, again = net_mark_nowhere(d->mark);

	script_add(s,
		"chain over {\n"
		"ct mark set %u\n"
		"drop\n"
		"}\n"
		"chain handed {\n"
		"ct mark { %u, %u } ct mark set %u return\n"
		"ct mark %u tcp flags & syn != syn reject with tcp reset\n"
		"ct mark set %u\n"
		"}\n"
		"chain kept {\n"
		"ct mark %u meta mark != %u meta mark set %u accept\n"
		"ct state new jump begins\n"
		"meta mark %u meta mark set %u goto handed\n"
		"meta mark set %u\n"
		"ct mark %u return\n"
		"ct mark set %u\n"
		"}\n",
		over, asked, refused, refused, over, d->kept | STAGE_HANDED, d->kept,
		again, d->mark, again, d->mark, d->mark, refused, asked);
}

/* With timeouts of its own: a connection that is half closed is kept, and one that has
 * ended is told about soon. */
static void
add_routed(struct script *s, const struct net_direct *d)
{
	script_add(s,
		"ct timeout patient { protocol tcp; l3proto %s; policy = { established: %d, "
		"fin_wait: %d, close_wait: %d, time_wait: %d, close: %d }; }\n"
		"chain begins {\n"
		"tcp flags & (fin | syn | rst | ack) != syn reject with tcp reset\n"
		"meta l4proto tcp ct timeout set \"patient\"\n"
		"}\n",
		word_of(d->family), OPEN_SECONDS, HALF_SECONDS, HALF_SECONDS,
		CLOSED_SECONDS, CLOSED_SECONDS);
	add_stages(s, d);
	script_add(s,
		"chain output {\n"
		"type route hook output priority mangle + 10; policy accept;\n"
		"%s 0 meta skgid %u goto over\n"
		"ct original zone %u goto kept\n"
		"}\n"
		"chain prerouting {\n"
		"type filter hook prerouting priority mangle + 10; policy accept;\n"
		"ct original zone %u meta mark set %u\n"
		"}\n",
		hops_of(d->family), (unsigned)d->gid, d->kept, d->kept, d->mark);
}

bool
net_direct_is_strict(void)
{
	char value[16];
	struct err e;

	return net_sysctl_get("net.netfilter.nf_conntrack_tcp_loose", value, sizeof value,
		       &e) == 0 &&
		value[0] == '0';
}

/*
 * Of a connection that it has forgotten conntrack takes no packet for a new
 * one where it is told to be strict, but for a broken one.  By then it has come
 * to the engine, and is answered by what `begins` says elsewhere.
 */
static void
add_strict(struct script *s, const struct net_direct *d)
{
	if (net_direct_is_strict())
		script_add(s,
			"chain strict {\n"
			"type filter hook output priority mangle + 8; policy accept;\n"
			"meta mark %u meta skgid %u ct state invalid meta l4proto tcp "
			"reject with tcp reset\n"
			"}\n",
			d->mark, (unsigned)d->gid);
}

/*
 * For a raw socket the kernel has looked up a route without the packet's
 * source and ports; for what `kept` marks it does that with them.  Where a
 * machine has several default routes, or rules for ports, those are two ways,
 * and the translation fits one.  So what has the mark already gets it there
 * anew; until then another one, which no packet brings here, as it leads
 * nowhere.
 */
static void
add_again(struct script *s, const struct net_direct *d)
{
	script_add(s,
		"chain again {\n"
		"type filter hook output priority mangle + 9; policy accept;\n"
		"meta mark %u ct original zone %u meta mark set %u\n"
		"}\n",
		d->mark, d->kept, net_mark_nowhere(d->mark));
}

/*
 * Only what the engine hands on makes an entry; what the application sends then
 * lets it last.  So a packet that was found in the set before it was emptied,
 * or its entry taken out, makes none of it again when it leaves.  A reset that
 * the engine hands on is an end: what comes behind it comes to the engine.
 */
static void
add_leaving(struct script *s, const struct net_direct *d)
{
	const char *origin = origin_of(d->family);
	unsigned handed = d->kept | STAGE_HANDED;

	script_add(s,
		"chain unsure {\n"
		"tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n"
		"ct mark %u accept\n"
		"ct mark %u tcp flags & rst != 0 accept\n"
		"ct mark %u meta l4proto tcp update @flows { %s timeout %ds } accept\n"
		"ct mark %u meta l4proto udp update @flows { %s timeout %ds } accept\n"
		"ct mark %u accept\n"
		"ct mark set %u\n"
		"meta l4proto tcp %s @flows update @flows { %s }\n"
		"}\n",
		d->kept | STAGE_REFUSED, handed, handed, origin, TCP_TRIED, handed,
		origin, UDP_TRIED, handed, d->kept, origin, origin);
	/* Led back by somebody else's mark it would only come round again. */
	script_add(s, "chain left {\noif \"%s\" drop\n", d->dev);
	add_ours(s, d);
	script_add(s,
		" oifname != \"lo\" drop\n"
		"ct mark != %u jump unsure\n"
		"meta l4proto udp %s @flows update @flows { %s timeout %ds } accept\n"
		"tcp flags & (fin | rst) != 0 %s @flows update @flows { %s timeout %ds } "
		"accept\n"
		"tcp flags & psh != 0 %s @flows update @flows { %s }\n"
		"}\n",
		d->kept, origin, origin, UDP_SECONDS, origin, origin, CLOSED_SECONDS,
		origin, origin);
}

/*
 * What other hosts and containers send into the device has mostly got the
 * device's own address by then.  It is told apart by a hop limit of 1, and the
 * engine relays it.  So is what an application sends from a port that such a
 * translation has already, and which was therefore given another one: its
 * answers must come by the device, where it is undone.  So must those to what
 * somebody else's rule sends to another target, and to a socket that is bound to
 * the device.  Nothing leaves with the device's address, whatever went wrong
 * with its translation.
 */
static void
add_edges(struct script *s, const struct net_direct *d)
{
	const char *hops = hops_of(d->family);
	char bound[64];

	script_add(s,
		"chain forward {\n"
		"type filter hook forward priority mangle + 10; policy accept;\n"
		"oifname \"%s\" %s set 1\n"
		"}\n"
		"chain translate {\n"
		"type nat hook postrouting priority srcnat; policy accept;\n"
		"ct original zone %u masquerade\n"
		"}\n"
		"chain last {\n"
		"type filter hook postrouting priority srcnat + 200; policy accept;\n"
		"ct original zone %u goto left\n"
		"oif \"%s\" ct status snat,dnat %s set 1\n"
		"oif \"%s\" %s %s set 1\n",
		d->dev, hops, d->kept, d->kept, d->dev, hops, d->dev,
		bound_of(d->family, bound), hops);
	add_ours(s, d);
	script_add(s, " oifname != { \"%s\", \"lo\" } drop\n}\n", d->dev);
}

static const struct script_piece pieces[] = {
	{ "nf_tables", "" },
	{ "sets that rules fill (nf_tables)",
		"set s { type inet_service; flags dynamic, timeout; size 16; timeout 1s; "
		"}\n"
		"chain c { update @s { th sport }\n delete @s { th sport }\n }\n" },
	{ "connection tracking with zones (nf_conntrack, "
	  "CONFIG_NF_CONNTRACK_ZONES)",
		"chain c { ct original zone set 7\n ct mark set 7\n }\n" },
	{ "timeouts of connection tracking (CONFIG_NF_CONNTRACK_TIMEOUT)",
		"ct timeout t { protocol tcp; policy = { close: 9 }; }\n" },
	{ "address translation (nft_masq)",
		"chain c { type nat hook postrouting priority srcnat; masquerade\n }\n" },
	{ "answers of the firewall (nft_reject)",
		"chain c { type filter hook output priority 0; reject with tcp reset\n "
		"}\n" },
	{ "changes of the segment size (nft_exthdr, nft_rt)",
		"chain c { tcp flags syn tcp option maxseg size set rt mtu\n }\n" },
};

/* What is not in nft's power: questions about one connection, which no other needs. */
static int
tracking_probe(const struct net_direct *d, struct err *e)
{
	const struct endpoint nobody = { .ip.family = (uint8_t)d->family };
	struct mnl_socket *bus;
	int r = netlink_open(NETLINK_NETFILTER, &bus);

	if (r == 0) {
		r = conntrack_carries(bus, d->kept, &nobody, &nobody);
		mnl_socket_close(bus);
	}
	if (r >= 0)
		return 0;
	return err_set(e,
		"this system lacks connection tracking that can be asked "
		"(nf_conntrack_netlink): %s",
		strerror(-r));
}

int
net_direct_add(const struct net_direct *d, struct err *e)
{
	struct script *s;
	int r;

	if (tracking_probe(d, e) < 0)
		return -1;
	s = script_new(DIRECT_SCRIPT);
	if (!s)
		return err_set(e, "nft: out of memory");
	/* Whatever is left of one that somebody has taken apart goes in the same moment. */
	script_add(s,
		"add table %s sluice_direct\ndelete table %s sluice_direct\n"
		"table %s sluice_direct {\n",
		word_of(d->family), word_of(d->family), word_of(d->family));
	add_asking(s, d);
	add_first(s, d);
	add_routed(s, d);
	add_strict(s, d);
	add_again(s, d);
	add_leaving(s, d);
	add_edges(s, d);
	script_add(s, "}\n");
	r = script_run(s, e);
	script_free(s);
	if (r == -EINVAL)
		return script_name_missing(word_of(d->family), pieces,
			sizeof pieces / sizeof *pieces,
			d->family == 6 ? " for IPv6" : " for IPv4", e);
	return r == 0 ? 0 : -1;
}

/* Runs it, where there was memory for it, and frees it. */
static int
script_spend(struct script *s, struct err *e)
{
	int r = s ? script_run(s, e) : err_set(e, "nft: out of memory");

	script_free(s);
	return r == 0 ? 0 : -1;
}

int
net_direct_del(int family, unsigned kept, struct err *e)
{
	struct script *s = script_new(256);
	const char *word = word_of(family);

	/* Adding first makes the deletion succeed where the table is gone. */
	if (s)
		script_add(s,
			"add table %s sluice_direct\ndelete table %s sluice_direct\n",
			word, word);
	if (script_spend(s, e) < 0)
		return -1;
	(void)conntrack_forget(family, kept, NULL, NULL);
	return 0;
}

/*
 * Another set takes the place of this one, and of whatever still asks or fills
 * it.  Emptied it would not stay so: packets are between its rules meanwhile.
 * The rest stays: with the timeouts conntrack would forget who has them.
 */
int
net_direct_forget(const struct net_direct *d, struct err *e)
{
	static const char *const users[] = { "withdrawn", "sent", "unsure", "left" };
	struct script *s = script_new(DIRECT_SCRIPT);
	const char *word = word_of(d->family);
	size_t i;

	if (!s)
		return err_set(e, "nft: out of memory");
	for (i = 0; i < sizeof users / sizeof *users; i++)
		script_add(s, "flush chain %s sluice_direct %s\n", word, users[i]);
	script_add(s,
		"delete set %s sluice_direct flows\n"
		"table %s sluice_direct {\n",
		word, word);
	add_asking(s, d);
	add_leaving(s, d);
	script_add(s, "}\n");
	return script_spend(s, e);
}
