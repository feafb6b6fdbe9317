/* SPDX-License-Identifier: MIT */
#ifndef STREAM_UDP_H
#define STREAM_UDP_H

#include "base/pool.h"
#include "loop/loop.h"
#include "platform/sock.h"
#include "stream/packets.h"

/*
 * UDP sockets of the kernel behind the packet face: one unconnected socket a
 * family, opened at the first datagram of that family, so that mapping and
 * filtering are endpoint-independent (RFC 4787).  What goes to a target without an address
 * is lost.
 * `options` may be NULL, and lives as long as what is opened.  The memory that `recv`
 * reads into must hold any datagram once several were received at a time: the kernel
 * may then join them.
 */
struct packets *udp_open(struct loop *l, struct pool *from,
	const struct sock_options *options, struct task *owner);
/* The pool that it takes its structs from. */
void udp_pool_init(struct pool *p);

#endif
