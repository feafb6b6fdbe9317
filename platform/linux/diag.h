/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_DIAG_H
#define PLATFORM_LINUX_DIAG_H

#include "base/addr.h"

#include <stdbool.h>

/* The sockets of this machine, as the kernel's socket diagnosis lists them; private to
 * platform/linux. */

enum { DIAG_PEERS = 8192 }; /* connections of one protocol that are looked at */

struct diag_peer {
	struct endpoint local, remote; /* IPv4-mapped addresses as the IPv4 ones */
	unsigned interface;            /* that the socket is bound to; 0: to none */
	uint32_t cookie[2];            /* the kernel's own name of it, in a list */
	bool inbound; /* the local port is one that this machine serves */
};

enum diag_state {
	DIAG_ANY,   /* TCP: all but those that listen */
	DIAG_ALIVE, /* and not only waited for until it is forgotten */
	DIAG_OPEN,  /* and not only asked for */
};

/* What is looked for; what is not takes no room in the list. */
struct diag_search {
	int protocol;          /* IPPROTO_TCP or IPPROTO_UDP */
	const struct ip *from; /* NULL: from any address */
	enum diag_state state;
	/* NULL: all.  It is asked amid the list, and ends none of them. */
	bool (*is_wanted)(const struct diag_peer *p, void *arg);
	void *arg;
};

struct diag_list {
	struct diag_peer *peer; /* diag_free */
	size_t n;
	size_t left_out; /* beyond DIAG_PEERS */
	uint8_t served[65536 / 8];
};

/* Connections of both families. Served are the ports of listening TCP sockets and of
 * unconnected UDP sockets. 0, or -errno. */
int diag_connections(const struct diag_search *s, struct diag_list **list);
void diag_free(struct diag_list *list);

struct mnl_socket;

/*
 * Ends the TCP connection between these two, on a socket that is bound to that
 * interface: whoever holds it gets ECONNABORTED at once, and its peer a reset,
 * where there is a way.  It is the only one of this network with these ends,
 * whoever it belongs to, and what other namespaces have is not seen.  `bus` is of
 * netlink_open(NETLINK_SOCK_DIAG).  0; -ENOENT: there is none, and a listening
 * socket on that port is none; -EOPNOTSUPP: this kernel cannot
 * (CONFIG_INET_DIAG_DESTROY); or -errno.
 */
int diag_abort(struct mnl_socket *bus, const struct diag_peer *peer);
/* Ends all connections that are wanted, however many; UDP sockets lose their peer.  How
 * many, or -errno. */
int diag_abort_all(struct mnl_socket *bus, const struct diag_search *s);
/* Whether this kernel can: 0, -EOPNOTSUPP (without CONFIG_INET_DIAG, too), or -errno. */
int diag_can_abort(struct mnl_socket *bus);

#endif
