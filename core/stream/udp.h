/* SPDX-License-Identifier: MIT */
#ifndef STREAM_UDP_H
#define STREAM_UDP_H

#include "loop/loop.h"
#include "platform/sock.h"
#include "stream/packets.h"

/*
 * UDP sockets of the kernel behind the packet face: one unconnected socket a
 * family, opened at the first datagram of that family, so that mapping and
 * filtering are endpoint-independent (RFC 4787).  Targets must have an address.
 */
struct packets *
udp_open(struct loop *l, const struct sock_options *options, struct task *owner);

#endif
