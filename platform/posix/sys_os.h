/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_POSIX_SYS_OS_H
#define PLATFORM_POSIX_SYS_OS_H

#include <sys/types.h>
#include <time.h>

/* What POSIX leaves to each system; private to platform/. */

extern const clockid_t sys_clock_awake; /* stands still during suspend */
extern const clockid_t sys_clock_all;   /* goes on */

/* Closes every descriptor from `first` on; in a child before it runs a program. */
void sys_os_close_from(int first);

/* Who is at the other end of a local socket. 0, or -errno. */
int sys_os_peer(int fd, uid_t *uid);

#endif
