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

/* With the MTU and the queue of c; `dev` is the name that it has. */
int net_link_up(const char *dev, const struct tun_config *c, struct err *e);
int net_address_add(const char *dev, const struct cidr *c, struct err *e);
int net_address_del(const char *dev, const struct cidr *c, struct err *e);
/* What somebody else has undone, done again: 1: it was so, 0: it was not; -1 and why. */
int net_link_mend(const char *dev, const struct tun_config *c, struct err *e);
int net_address_mend(const char *dev, const struct cidr *c, struct err *e);
/* 0: there is no such device. */
unsigned net_link_index(const char *dev);
/* Ends the connections from an address that is no more, by ECONNABORTED (UDP sockets lose
 * their peer), while the routes still let nothing of them out: nobody else would tell
 * their applications. Does nothing where the machine has the address. */
void net_connections_end(const struct ip *from);

/*
 * The policy routes of design 7: our own table with the default route through
 * `dev`, exceptions for what belongs to the link, and the rules that lead there.
 * A family that the device does not carry is unreachable there, and so are both
 * when the device is gone: closed, not open.  Where it carries none, applications
 * are left alone.  In every case marked packets and the engine's sockets never
 * take a route of the main table into the device.  Adding leaves nothing behind
 * when it fails.
 */
struct net_routes {
	char dev[TUN_NAME];
	uid_t uid;       /* the engine's */
	unsigned mark;   /* of what must leave outside */
	unsigned table;  /* our own; the next two are, too */
	unsigned pref;   /* of our first rule; the others follow */
	bool v4, v6;     /* which families the TUN carries, */
	bool has4, has6; /* and which it has an address of; not asked for at the end */
};
int net_routes_add(const struct net_routes *r, struct err *e);
int net_routes_del(const struct net_routes *r, struct err *e);
/* What somebody else has removed of them, made again; how many there were, or -1 and why. */
int net_routes_mend(const struct net_routes *r, struct err *e);
/* A descriptor that becomes readable when links, addresses, routes or rules were changed;
 * or -errno. */
int net_changes_watch(void);
/* Reads all the news that there is. Whether anything may be missing of the device of this
 * index, the table or its rules. */
bool net_changes_lost(int fd, unsigned index, unsigned table);
/* While the routes are there, what has this mark goes nowhere, and its sender gets -EINVAL. */
unsigned net_mark_nowhere(unsigned mark);

/* The one firewall table (design 10). Connections that came in from outside before it was
 * there are found and kept outside too. Adding is one transaction, and fails when a table
 * of this name exists. */
struct net_firewall {
	char dev[TUN_NAME];
	struct cidr addrs[TUN_ADDRS]; /* the device's: nobody reaches them from outside */
	int naddrs;
	uid_t uid;
	unsigned mark;
	unsigned kept; /* of connections that net_direct looks after; 0: none */
};
int net_firewall_add(const struct net_firewall *f, struct err *e);
/* The same in the place of what is left of it, with no moment between. */
int net_firewall_mend(const struct net_firewall *f, struct err *e);
int net_firewall_del(struct err *e);

/* A sysctl by its dotted name, in which a slash stands for a dot within a part, as in that
 * of an interface; values are one line without its end, with the tabs that the kernel
 * puts between numbers. */
int net_sysctl_get(const char *name, char *value, size_t cap, struct err *e);
int net_sysctl_set(const char *name, const char *value, struct err *e);
/* A descriptor that becomes readable when anybody on this machine writes one of these; or
 * -errno.  Names that the system does not have are left out. */
int net_sysctl_watch(const char *const *names, size_t n);
/* Reads all the news that there is. */
void net_sysctl_seen(int fd);

/* The resolver of the machine. */
enum { NET_RESOLVERS = 8, NET_SEARCH = 256 };
struct net_resolvers {
	struct endpoint at[NET_RESOLVERS];
	int n;
	char search[NET_SEARCH]; /* space-separated suffixes */
};
/* Those that the machine uses now; where it asks systemd-resolved, those that this asks.
 * 0, or -errno. */
int net_resolver_read(struct net_resolvers *r);

/*
 * Taking the resolver over has two steps, since how to undo it is written down
 * in between: `plan` looks and changes nothing, `take` does it.  A plan is one
 * line of printable text, shorter than NET_PLAN, that the journal keeps; it is
 * all that `restore` needs.  What somebody else wrote over ours in the meantime
 * is left to them.
 */
enum { NET_PLAN = 256 };
int net_resolver_plan(const char *dev, const char *state_dir, char plan[static NET_PLAN],
	struct err *e);
int net_resolver_take(const char *plan, const struct ip *servers, int n, struct err *e);
int net_resolver_restore(const char *plan, struct err *e);
/* Puts back what a power failure left taken over, whose journal is gone. 1: it was so,
 * 0: it was not, -1 and why, also where it cannot be known what was there. */
int net_resolver_rescue(struct err *e);
/* Whether resolv.conf is one that net_resolver_take wrote. */
bool net_resolver_is_ours(void);
/* A descriptor that becomes readable when somebody may have written over it; or -errno. */
int net_resolver_watch(void);
/* Reads all the news that there is. */
void net_resolver_seen(int fd);

/* The interface and source address by which a packet of ours to `to` would leave, asked
 * from the kernel now. 0, or -errno. */
struct net_wayout {
	char interface[TUN_NAME];
	struct ip source;
	bool on_link; /* no gateway is between */
};
int net_wayout(const struct ip *to, uid_t uid, struct net_wayout *w);

#endif
