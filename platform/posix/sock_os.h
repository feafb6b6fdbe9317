/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_POSIX_SOCK_OS_H
#define PLATFORM_POSIX_SOCK_OS_H

#include "base/addr.h"

#include <sys/socket.h>

/* The parts of sockets that POSIX leaves to each system; private to platform/. */

/* Non-blocking and close-on-exec from the start. A descriptor, or -errno. */
int sock_os_open(int domain, int type, int protocol);
int sock_os_accept(int fd, struct sockaddr *from, socklen_t *len);
/* 0, or -errno. */
int sock_os_interface(int fd, int family, const char *name);
int sock_os_mark(int fd, unsigned mark);
/* Lets ICMP errors be queued for sock_next_error. */
int sock_os_errors(int fd, int family);
/* The bind that follows names an address only; the port is chosen by connect. */
void sock_os_bind_late(int fd);

/* Lets the connect that follows wait for the first bytes, if the system has a cookie. */
int sock_os_fast_open(int fd);

/* Between our addresses and the kernel's. Both return what the other needs. */
socklen_t sock_address_put(struct sockaddr_storage *to, const struct endpoint *e);
void sock_address_get(struct endpoint *e, const struct sockaddr_storage *from);

/* Whether the answer of a call on a socket with queued ICMP errors may be one of these,
 * about something else, so that the call has to be made again. */
bool sock_may_be_stale(int error);

#endif
