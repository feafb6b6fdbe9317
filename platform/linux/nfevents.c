/* SPDX-License-Identifier: MIT */
#include "platform/linux/nfevents.h"

#include "platform/posix/sock_os.h"
#include "platform/sys.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>

enum { EVENTS_QUEUED = 4 << 20 }; /* bytes, until they are lost */

int
netlink_hear(int bus, unsigned groups)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd, r, room = EVENTS_QUEUED;

	fd = sock_os_open(AF_NETLINK, SOCK_RAW, bus);
	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	r = bind(fd, (const struct sockaddr *)&at, sizeof at) == -1 ? -errno : 0;
	return sys_fd_sound(fd, r);
}

int
nfevents_open(int group)
{
	return netlink_hear(NETLINK_NETFILTER, 1u << (group - 1));
}

ssize_t
nfevents_recv(int fd, void *p, size_t cap)
{
	struct sockaddr_nl from = { .nl_pid = 1 };
	socklen_t len = sizeof from;
	ssize_t n;

	n = recvfrom(fd, p, cap, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	if (n == -1)
		return errno == EINTR ? 0 : -errno;
	return from.nl_pid == 0 && nfevents_is_whole(p, (int)n) ? n : 0;
}

/* The library takes a length beyond INT_MAX for one below zero. */
bool
nfevents_is_whole(const struct nlmsghdr *h, int left)
{
	return mnl_nlmsg_ok(h, left) && h->nlmsg_len <= (uint32_t)left;
}
