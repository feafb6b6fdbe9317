/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_NFEVENTS_H
#define PLATFORM_LINUX_NFEVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct nlmsghdr;

/* What the kernel tells of by itself; private to platform/linux. */

/* A socket of these groups (a bit each) of a bus, with room for many events; or -errno. */
int netlink_hear(int bus, unsigned groups);
/* The same of netfilter's group NFNLGRP_... */
int nfevents_open(int group);
/* One message of the kernel's, and of nobody else; its length, 0: not one, or -errno. */
ssize_t nfevents_recv(int fd, void *p, size_t cap);
/* Whether the message at h is within the `left` bytes there. */
bool nfevents_is_whole(const struct nlmsghdr *h, int left);

#endif
