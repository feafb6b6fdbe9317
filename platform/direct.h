/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_DIRECT_H
#define PLATFORM_DIRECT_H

#include "base/addr.h"
#include "base/err.h"
#include "platform/tun.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Flows that the kernel carries by itself after they were decided.  The engine
 * gets the first packet of each by the device, and sends it once more by a
 * socket of net_direct_open: the table sees it, and leads what follows past the
 * device.  One table a family, so that one may be there without the other.
 */
struct net_direct {
	int family;
	char dev[TUN_NAME];
	struct cidr addrs[TUN_ADDRS]; /* the device's, of both families */
	int naddrs;
	unsigned mark; /* of what must leave outside */
	unsigned
		kept; /* the zone of such connections, and NET_DIRECT_MARK of their mark */
	gid_t gid;    /* of the sockets of net_direct_open */
};

/* What is above belongs to the table. */
enum { NET_DIRECT_MARK = 0xffff };

/* The keeper's.  0, or -1 and why: one transaction, which names what the kernel lacks. */
int net_direct_add(const struct net_direct *d, struct err *e);
/* Whether connection tracking is told to take nothing but a SYN for a new connection, which
 * the table depends on. */
bool net_direct_is_strict(void);
/* The table and the connections that it carried, which end. Undoing what is not there is a
 * success. */
int net_direct_del(int family, unsigned kept, struct err *e);
/* Whatever flows there are, their next packets come by the device again; but for those that
 * the engine is handing on at this moment. One transaction, and the table must be there. */
int net_direct_forget(const struct net_direct *d, struct err *e);
/*
 * Before a table that was taken away is put back: what its connections said
 * meanwhile the system has not seen, and would take their next segments for
 * forged ones.  From now on it does not judge them by their numbers.  A wish,
 * with a warning where it fails.
 */
void net_direct_ease(int family, unsigned kept);
/* A socket that sends whole packets, from the device's addresses alone, while the table is
 * there; or -errno. */
int net_direct_open(const struct net_direct *d);
/* While it is held it sends nothing, whoever has a copy: without the whole table packets
 * would leave with the device's address. It needs the rules of net_routes. 0, or -errno. */
int net_direct_hold(int fd, const struct net_direct *d, bool held);
/* Tells of each such connection that has ended (both families); or -errno. */
int net_direct_follow(unsigned kept);

/*
 * Applications are told when the kernel carries their connection no longer:
 * each gets ECONNABORTED at once, and not silence until it sends.  Only TCP,
 * and only sockets whose source is one of the device's addresses.
 */
/* 0, or -errno: this kernel cannot. */
int net_direct_can_end(void);
/* Ends all of a family (0: of both), while the tables still lead their resets to the peers,
 * and forgets them; with `asked` also those that are only asked for, which else ask again.
 * How many, or -errno. */
int net_direct_end_all(const struct net_direct *d, int family, bool asked);
/* Ends those that an engine carried, which has died: all that the system does not, and that
 * are not only asked for.  `kept` is 0 where it carries none. How many, or -errno. */
int net_direct_end_orphans(const struct net_direct *d);
/* Tells of connections that the system forgot although they were open, as when their
 * network is lost (both families); or -errno. */
int net_direct_losses(unsigned kept);
/* Reads some of those that there are, and ends them. How many, or -errno: -ENOBUFS where
 * some were lost, which then learn of it with what they send next. */
int net_direct_end_lost(int fd, const struct net_direct *d);

/* The engine's.  One packet with all its headers, its transport checksum whole. 0, or
 * -errno: -EPERM where a firewall refused it, -EMSGSIZE where it is too long, -EINVAL while
 * the socket is held, or where the route is a black hole. */
int net_direct_send(int fd, const struct ip *to, const struct iovec *v, int n);
/* How long a packet may be on the way there, in bytes, for one that got -EMSGSIZE; or
 * -errno. */
int net_direct_mtu(int fd, const struct ip *to);

/*
 * From its return on, what the application sends between these ends comes by
 * the device, whatever was sent for them before.  `source` is one of the
 * device's addresses; TCP or UDP.  0, or -errno: it may go past the device.
 */
int net_direct_withdraw(int fd, enum network network, const struct endpoint *source,
	const struct endpoint *target);

/* A connection that has ended is told of so much later. */
enum { NET_DIRECT_ENDED_MS = 15000 };

struct net_direct_end {
	struct endpoint source, target; /* as the application has them; echo: no ports */
	enum network network;
	bool counted;      /* the system counted its bytes */
	bool answered;     /* anything came back */
	bool open;         /* TCP: it was not at its end when it was forgotten */
	bool over;         /* its ends were withdrawn, and are another connection's */
	bool reset;        /* TCP: that was its end */
	uint64_t up, down; /* bytes, with headers */
};

/* The next one that has ended. 0, -EAGAIN: none now; -ENOBUFS: some were lost; or -errno. */
int net_direct_ended(int fd, struct net_direct_end *end);

/* The keeper's: a list of all such connections that there are (both families), as a
 * descriptor that it can be read by without being allowed to ask; or -errno. */
int net_direct_list(unsigned kept);
/* The engine's: shows each of them, as it is now. 0, or -errno: the list is not whole. */
int net_direct_listed(
	int fd, void (*each)(const struct net_direct_end *now, void *arg), void *arg);

/*
 * Rules of the machine that route by the user.  To the system the engine's
 * packets are root's, and the application's are its own, so a flow would have
 * two ways, and the translation fits one.
 */
struct net_policy {
	uid_t engine;   /* a rule about it alone is ours */
	unsigned first; /* the priority of our first rule */
};
/* A descriptor that becomes readable when any rule comes or goes; or -errno. */
int net_policy_watch(void);
/* Reads all the news that there is. */
void net_policy_seen(int fd);
/* 1: there is such a rule, of this priority; 0: there is none; or -errno. */
int net_policy_by_user(int family, const struct net_policy *ours, uint32_t *priority);

/*
 * The rule sets of this program, watched.  A descriptor that becomes readable
 * when somebody has changed any rule set; or -errno.
 */
int net_rules_watch(void);
/* A bit for the firewall and one for each family of direct flows. */
enum {
	NET_RULES_FIREWALL = 1,
	NET_RULES_DIRECT4 = 2,
	NET_RULES_DIRECT6 = 4,
	NET_RULES_ALL = 7
};
/* Reads all that there is. Which of ours somebody has changed or taken away. `made` are those that
 * the caller has made anew since the last call: what happened to them before is no news; `changed`
 * those that it has changed by one transaction each. */
unsigned net_rules_lost(int fd, unsigned made, unsigned changed);

#endif
