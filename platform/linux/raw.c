/* SPDX-License-Identifier: MIT */
#include "platform/direct.h"
#include "platform/posix/sock_os.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* Sockets of this protocol take packets with their headers, and get none. */

int
net_direct_open(int family, unsigned mark)
{
	int fd, r;

	fd = sock_os_open(family == 6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0)
		return fd;
	r = sock_os_mark(fd, mark);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int
net_direct_send(int fd, const struct ip *to, const struct iovec *v, int n)
{
	struct endpoint e = { .ip = *to };
	struct sockaddr_storage sa;
	struct msghdr m = {
		.msg_name = &sa, .msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n
	};

	m.msg_namelen = sock_address_put(&sa, &e);
	if (sendmsg(fd, &m, MSG_NOSIGNAL) == -1)
		return errno == EINTR ? -EAGAIN : -errno;
	return 0;
}
