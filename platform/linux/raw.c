/* SPDX-License-Identifier: MIT */
#include "platform/direct.h"
#include "platform/net.h"
#include "platform/posix/sock_os.h"
#include "platform/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

/* Sockets of this protocol take packets with their headers, and get none. */

/* The group is what tells this socket apart from all others with the mark: those that
 * answer who came in from outside have it, too. */
int
net_direct_open(const struct net_direct *d)
{
	gid_t own = (gid_t)setfsgid(d->gid);
	int fd, r;

	fd = sock_os_open(d->family == 6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_RAW);
	(void)setfsgid(own);
	if (fd < 0)
		return fd;
	r = sock_os_mark(fd, d->mark);
	return sys_fd_sound(fd, r);
}

/* The engine may not change a mark. */
int
net_direct_hold(int fd, const struct net_direct *d, bool held)
{
	return sock_os_mark(fd, held ? net_mark_nowhere(d->mark) : d->mark);
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

static int
mtu_of(int fd, int family)
{
	int level = family == 6 ? IPPROTO_IPV6 : IPPROTO_IP, mtu = 0;
	socklen_t len = sizeof(mtu);

	if (getsockopt(fd, level, family == 6 ? IPV6_MTU : IP_MTU, &mtu, &len) == -1)
		return -errno;
	return mtu;
}

/* A socket that is connected has a route, and this one's mark chooses the same as for what
 * it sends.  Afterwards it has none, since packets go anywhere by it. */
int
net_direct_mtu(int fd, const struct ip *to)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct endpoint e = { .ip = *to };
	struct sockaddr_storage sa;
	socklen_t len = sock_address_put(&sa, &e);
	int mtu;

	if (connect(fd, (struct sockaddr *)&sa, len) == -1)
		return -errno;
	mtu = mtu_of(fd, to->family);
	if (connect(fd, &none, sizeof(none)) == -1)
		return -errno;
	return mtu;
}
