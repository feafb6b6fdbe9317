/* SPDX-License-Identifier: MIT */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "base/err.h"
#include "dns/dns.h"
#include "loop/loop.h"
#include "names/names.h"
#include "outbound/outbound.h"
#include "rules/rules.h"
#include "stack/stack.h"

/*
 * One flow's life, from its first packet to its last.  This room joins the
 * stack, the rules and the outbounds; it decides nothing itself.
 */
struct flows;

enum { SNIFF_HTTP = 1, SNIFF_TLS = 2 };

struct sniffing {
	unsigned override; /* SNIFF_ bits: destOverride; 0: off */
	bool route_only;
	const char *const *exclude; /* domainsExcluded: domain matchers in Xray's forms;
				       NULL-ended */
	struct rules *excluded;     /* made of it by sniffing_load; NULL: none */
};

/*
 * Makes `excluded`, once; flows_new and flows_use do it where it was not done
 * before.  `files` (for geosite:) may be NULL.  0, or -1 and why.
 */
int sniffing_load(struct sniffing *s, struct rules_files *files, struct err *e);

/*
 * Seconds.  `handshake` is for inbounds that have one of their own; a TUN has
 * none, and the kernel's (or 30 s for an outbound that has a server) limits the
 * opening.
 */
struct flow_policy {
	unsigned handshake;
	unsigned conn_idle; /* without a byte either way; 0 and not set: 300 */
	unsigned uplink_only, downlink_only; /* the same once the other way has ended; 0:
						as conn_idle */
	bool conn_idle_set; /* by the user: then it holds for direct flows too */
};

/* Whether a direct flow by such an outbound has a time limit; the kernel, to which it would
 * be handed back, keeps none. */
bool flow_policy_limits(const struct flow_policy *p, const struct outbound_policy *o);

/* An immutable set of decisions. Flows keep what they started with; counted. */
struct setup {
	struct rules *rules;
	struct outbound **outbound; /* the first is the default; at least one */
	size_t noutbound;
	/* The direct way to resolvers that only this machine can ask, where the rules do not
	 * speak of them; NULL: none. */
	struct outbound *local;
	struct sniffing sniffing;
	struct flow_policy policy;
	const char *inbound_tag;
	unsigned count;
	void (*free)(struct setup *); /* called at the last drop; owns all of the above */
};

struct setup *setup_hold(struct setup *s);
void setup_drop(struct setup *s); /* NULL is fine; frees sniffing.excluded too */
struct outbound *
setup_outbound(const struct setup *s, const char *tag); /* NULL tag: the first */

enum { FLOWS_MAX = 16384, ASSOCS_MAX = 4096, HANDED_MAX = 65536 };

struct flows_config {
	size_t flows_max;  /* TCP connections; 0: FLOWS_MAX */
	size_t assocs_max; /* UDP associations; 0: ASSOCS_MAX */
	size_t queued_max; /* bytes of datagrams that wait; 0: 4 MiB, which is the most */
	unsigned udp_idle; /* seconds; 0: 60 (5 for a DNS exchange that was answered) */
	int ping4, ping6;  /* sockets of sock_ping_open, borrowed; -1: none */
	/* The device's own addresses, copied. What is behind them leads back into the
	 * device, and is never sent there by a direct outbound. */
	struct cidr device[TUN_ADDRS];
	int ndevice;
	/* Flows in the kernel that are remembered; beyond, the oldest is forgotten. 0:
	 * HANDED_MAX. */
	size_t handed_max;
	bool plain; /* without the device's offload */
	/* Its `offload` and `datagrams` follow from the device, `conns_max` from
	 * flows_max. */
	struct stack_config stack;
};

/*
 * `tun` is borrowed. `setup` is held. `names` resolves the names of flows that
 * have only a name. NULL and why.
 */
struct flows *flows_new(struct loop *l, int tun, const struct flows_config *c,
	struct setup *setup, struct dns *dns, struct names *names, struct err *e);
/* A new set of decisions for new flows; held. 0, or -1 and why: the old one stays. */
int flows_use(struct flows *f, struct setup *setup, struct err *e);
/* Ends every flow (the applications see resets) and frees. Returns blocks that did not
 * come home. */
size_t flows_free(struct flows *f);

enum flows_handed {
	FLOWS_HANDED_SAFE, /* what loses nothing: TCP, QUIC, echoes */
	FLOWS_HANDED_ALL, /* all datagrams too, whose answers then come from who was asked */
};
/* New direct flows of a family are handed back to the kernel by `fd`, a socket of
 * net_direct_open; borrowed for the life of the flows. */
void flows_hand_back(struct flows *f, int family, int fd, enum flows_handed what);
/* Their ends are told by `fd`, of net_direct_follow; borrowed too.  Once `is_over` is so,
 * sluice itself ends them; NULL: it is so from flows_read_ends on. */
void flows_follow(struct flows *f, int fd, bool (*is_over)(void *arg), void *arg);
/* At the end: counts what has been told so far. */
void flows_read_ends(struct flows *f);
/* Counts what those that go on have carried, until it is called again; `list` is for
 * net_direct_listed, borrowed; -1: nothing is known of them. */
void flows_see(struct flows *f, int list);

struct flow_counters {
	size_t tcp, udp; /* now */
	uint64_t tcp_total, udp_total;
	uint64_t up, down; /* payload bytes; of flows in the kernel, with headers */
	size_t handed;     /* flows in the kernel, now; else those that are remembered */
	size_t listed;     /* TCP and UDP that was open when flows_see was called */
	size_t seen;       /* of these, with bytes */
	uint64_t handed_total;
	uint64_t refused, dropped;
	uint64_t over;             /* for which there was no room, or no memory */
	size_t tcp_most, udp_most; /* at a time */
	uint64_t broken;    /* ways by a server that did not keep to its protocol */
	uint64_t questions; /* of applications to our resolver, by datagram */
	uint64_t in, out;   /* packets of the device */
	size_t held;        /* connections that wait for their way out, now */
};
void flows_count(const struct flows *f, struct flow_counters *c);
/* One line for people: packets and what became of them, the stack's and the flows'. */
void flows_log_counters(const struct flows *f);
/* Bytes that are in use for them, here and in the stack. */
size_t flows_memory(const struct flows *f);
/* TUN_ bits: what the device does for us. */
unsigned flows_offload(const struct flows *f);
/* One line for people: what the device can do. */
void flows_log_device(const struct flows *f);

#endif
