/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_CLAIM_H
#define PLATFORM_CLAIM_H

#include "base/err.h"
#include "platform/net.h"
#include "platform/tun.h"

/*
 * Who has this machine's traffic.  The device says so, for all of a network
 * namespace and whatever journals there are: it is in a group of interfaces
 * with the number of our table, where only root can put it, and the kernel
 * takes it away with the last process that has it.
 */

/* Before anything leads to the device. 0, or -1 and why. */
int net_claim_make(const char *dev, unsigned group, struct err *e);
/* Whether there is a device of the group: 1 and its name, 0, or -errno. */
int net_claim_find(unsigned group, char dev[static TUN_NAME]);

/* What stands that nobody but sluice makes, for when there is no journal of it. */
enum { NET_REMAINS_ROUTES = 1, NET_REMAINS_FIREWALL = 2 };
/* NET_REMAINS_ bits: rules of r->pref and r->mark, whose uid is then r->uid; a firewall
 * table. */
unsigned net_remains_find(struct net_routes *r);

#endif
