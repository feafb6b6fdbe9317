/* SPDX-License-Identifier: MIT */
#ifndef STACK_REASSEMBLY_H
#define STACK_REASSEMBLY_H

#include "stack/packet.h"

#include "loop/loop.h"

/*
 * Fragments until they are whole.  Bounded in packets, bytes and time: at the
 * bounds the oldest packet is given up.  Fragments that overlap end their
 * packet (RFC 5722, and the same for IPv4); one that is there already is passed
 * over.  The timer runs only while there are fragments.
 */
struct reassembly;

enum {
	REASSEMBLY_PACKETS = 64,
	REASSEMBLY_BYTES = 1 << 20,
	REASSEMBLY_MS = 15000, /* RFC 1122 3.3.2 asks for 60 s; the network is one host */
};

struct reassembly *reassembly_new(struct loop *l);
void reassembly_free(struct reassembly *m);

/*
 * Takes the fragment k (copied).  1: its packet is now whole, and k is that
 * packet, borrowed until the next call.  0: not yet.  -EBADMSG: it does not fit
 * with what is there.  -ENOMEM.
 */
int reassembly_add(struct reassembly *m, struct packet *k);

#endif
