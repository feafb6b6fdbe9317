/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_NFEVENTS_H
#define PLATFORM_LINUX_NFEVENTS_H

#include <stddef.h>
#include <sys/types.h>

/* What netfilter tells of by itself; private to platform/linux. */

/* A socket of the group NFNLGRP_..., with room for many events; or -errno. */
int nfevents_open(int group);
/* One message of the kernel's, and of nobody else; its length, 0: not one, or -errno. */
ssize_t nfevents_recv(int fd, void *p, size_t cap);

#endif
