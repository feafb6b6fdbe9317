/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_NET_H
#define PLATFORM_NET_H

#include "base/addr.h"
#include "base/err.h"
#include "platform/tun.h"

#include <sys/types.h>

/*
 * What root changes on the system, each change a pair: make it, and undo it.
 * All of it is the keeper's.  Undoing what is not there is a success.  0, or
 * -1 and why.
 */

int net_link_up(const char *dev, int mtu, struct err *e);
int net_address_add(const char *dev, const struct cidr *c, struct err *e);
int net_address_del(const char *dev, const struct cidr *c, struct err *e);
int net_link_exists(const char *dev);                /* 1, 0 */
int net_link_delete(const char *dev, struct err *e); /* a TUN that outlived its process */

/* The policy routes of design 7: our own table with the default route through `dev`,
 * exceptions for what belongs to the link, and the rules that lead there. */
struct net_routes {
	char dev[TUN_NAME];
	uid_t uid;      /* the engine's */
	unsigned mark;  /* of what must leave outside */
	unsigned table; /* our own */
	unsigned pref;  /* of our first rule; the others follow */
	bool v4, v6;    /* which families the TUN carries */
};
int net_routes_add(const struct net_routes *r, struct err *e);
int net_routes_del(const struct net_routes *r, struct err *e);

/* The one firewall table (design 10). */
struct net_firewall {
	char dev[TUN_NAME];
	uid_t uid;
	unsigned mark;
};
int net_firewall_add(const struct net_firewall *f, struct err *e);
int net_firewall_del(struct err *e);

/* A sysctl by its dotted name; `old` gets what it was. */
int
net_sysctl_set(const char *name, const char *value, char *old, size_t cap, struct err *e);

/* The resolver of the machine. */
enum { NET_RESOLVERS = 8, NET_SEARCH = 256 };
struct net_resolvers {
	struct endpoint at[NET_RESOLVERS];
	int n;
	char search[NET_SEARCH]; /* space-separated suffixes */
};
/* Those that the machine uses now, without ours. */
int net_resolver_read(struct net_resolvers *r);

/* How the resolver was taken over, as a text that the journal keeps and undo understands.
 */
int net_resolver_take(const char *dev, const struct ip *servers, int n,
	const char *state_dir, char *undo, size_t cap, struct err *e);
int net_resolver_restore(const char *undo, struct err *e);

/* The interface and source address by which a packet of ours to `to` would leave, asked
 * from the kernel now. 0, or -errno. */
struct net_wayout {
	char interface[TUN_NAME];
	struct ip source;
};
int net_wayout(const struct ip *to, uid_t uid, struct net_wayout *w);

#endif
