/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_MISLED_H
#define PLATFORM_LINUX_MISLED_H

#include "platform/misled.h"

/* What the firewall tells of; private to platform/linux. */

struct nlmsghdr;

/* The group of nfnetlink_log by which it does. */
unsigned misled_group(unsigned mark);
/* Reads one message, of any contents within its length. Whether it is about a packet. */
bool misled_read(const struct nlmsghdr *h, struct net_misled *m);

#endif
