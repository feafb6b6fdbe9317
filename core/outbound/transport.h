/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_TRANSPORT_H
#define OUTBOUND_TRANSPORT_H

#include "outbound/outbound.h"

/* The address family that won when both were tried, for a while. One a destination. */
struct way_family {
	int family;     /* 0: none yet */
	uint64_t until; /* on the loop's clock */
};

/*
 * What TCP Fast Open needs to know of a server, whose SYN may take the first bytes along
 * only to an address that was up the last time: bytes can go to one server alone.
 */
struct way_fast {
	struct ip proven; /* was connected to, and nothing failed since; family 0: none */
	uint64_t pause;   /* on the loop's clock: no bytes with a SYN until then */
	uint64_t lost; /* when one with bytes was lost, and none has come since; or 0 */
};

/*
 * The bottom of what an outbound dials: a TCP connection to an address, or to that of
 * a name's addresses which answers first (RFC 8305).  Looks like one stream: open
 * covers the lookup and every attempt.
 */
struct way {
	struct endpoint to; /* family 0: look the name up, for this port */
	const char *name;   /* copied; NULL where there is an address */
	unsigned families;  /* LOOKUP_ bits; 0: both */
	struct ip
		otherwise; /* where to go when the name has no address; family 0: nowhere */
	const struct sock_options *sock; /* belongs to the outbound */
	struct way_family *family;       /* so does this; NULL: nothing is remembered */
	struct way_fast *fast; /* and this; NULL: no SYN waits for the first bytes */
};

/* Holds the outbound. NULL only without memory. */
struct stream *
transport_new(struct outbound *o, const struct way *way, struct task *owner);
/* Where a stream of transport_new that is open leads: the address that won. */
const struct endpoint *transport_peer(const struct stream *s);
/* It is open, but its SYN leaves, or has left, with the first bytes; and until now nobody
 * has answered to it (tcp_is_unproven). */
bool transport_is_unproven(struct stream *s);
/* It is open, and as good as a new one: the kernel, which is asked, has nothing to be read,
 * no end and no error, and would connect from the same address now. */
bool transport_is_fresh(const struct stream *s);

#endif
