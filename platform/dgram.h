/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_DGRAM_H
#define PLATFORM_DGRAM_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Datagrams by the batch, over sockets of sock_udp_open.  Where the system can,
 * one call takes many, datagrams of one size to one place go to the kernel as
 * one super-packet, and come from it as one.
 */
enum { DGRAM_BATCH = 64 }; /* what one call takes at most */

/* What the system can do; for the log, and for dgram_join. */
enum {
	DGRAM_MANY = 1, /* a call for several (sendmmsg, recvmmsg) */
	DGRAM_CUT = 2,  /* cuts what is sent (UDP_SEGMENT) */
	DGRAM_JOIN = 4, /* joins what has come (UDP_GRO) */
};

unsigned dgram_abilities(void);

/* A datagram to be sent; with a `segment`, several of that many bytes each, of which the
 * last may be shorter. */
struct dgram_out {
	struct endpoint to;
	const uint8_t *p;
	size_t len;
	size_t segment;
};

/* Sends them in their order. How many went, of the `n`; or -errno, why the first did not.
 * One that stands for several is without those that have gone after an error. `cuts` is
 * false from the first time on that the socket's way out does not cut. */
int dgram_send(int fd, bool *cuts, struct dgram_out *d, int n);

/* The same for what has come: `p` and `cap` are the caller's. */
struct dgram_in {
	struct endpoint from;
	uint8_t *p;
	size_t cap;
	size_t len;
	size_t segment; /* 0: one datagram */
};

/* How many there were, at least one, of the `n` that there is room for: less means that no
 * more are there. -EAGAIN: none; -errno. A datagram that is longer than its room is cut. */
int dgram_recv(int fd, struct dgram_in *d, int n);

/* From now on what comes may be joined. Silent where the system cannot. */
void dgram_join(int fd);

#endif
