/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_NETLINK_H
#define PLATFORM_LINUX_NETLINK_H

#include "base/addr.h"

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

/* Questions to the kernel over netlink; private to platform/linux. */

/* One message that is being built; larger than any that we send. */
struct netlink_message {
	_Alignas(struct nlmsghdr) char room[1024];
	struct nlmsghdr *head;
};

/* Begins a message of `type`; the returned `size` bytes of family header are zero. */
void *
netlink_begin(struct netlink_message *m, uint16_t type, uint16_t flags, size_t size);
/* AF_INET or AF_INET6. */
uint8_t netlink_domain(int family);
/* Adds an address of either family as its bare bytes. */
void netlink_put_ip(struct netlink_message *m, uint16_t type, const struct ip *ip);

/* The first attribute of `type` behind a family header of `size` bytes; NULL: there is none. */
const struct nlattr *netlink_attr(const struct nlmsghdr *h, size_t size, uint16_t type);

/* Sends it on a socket of its own (`bus` as NETLINK_ROUTE) and reads what comes back
 * until the end; `each` (may be NULL) sees every message. 0, or -errno: the kernel's
 * answer. */
int netlink_ask(int bus, struct netlink_message *m, mnl_cb_t each, void *arg);

/* The same for many questions, one after the other, on one socket: mnl_socket_close. 0,
 * or -errno. */
int netlink_open(int bus, struct mnl_socket **s);
int
netlink_say(struct mnl_socket *s, struct netlink_message *m, mnl_cb_t each, void *arg);

#endif
