/* SPDX-License-Identifier: MIT */
#include "platform/sock.h"

#include "base/bytes.h"
#include "platform/posix/sock_os.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

int
sock_os_open(int domain, int type, int protocol)
{
	int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	return fd == -1 ? -errno : fd;
}

int
sock_os_accept(int fd, struct sockaddr *from, socklen_t *len)
{
	int r = accept4(fd, from, len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return r == -1 ? -errno : r;
}

int
sock_os_interface(int fd, int family, const char *name)
{
	(void)family;
	/* Since Linux 5.7 a process without privileges may do this once per socket. */
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name,
		    (socklen_t)(strlen(name) + 1)) == -1)
		return -errno;
	return 0;
}

int
sock_os_mark(int fd, unsigned mark)
{
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == -1)
		return -errno;
	return 0;
}

int
sock_os_errors(int fd, int family)
{
	int one = 1, r;

	if (family == 6)
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof one);
	else
		r = setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one);
	return r == -1 ? -errno : 0;
}

void
sock_os_bind_late(int fd)
{
	int one = 1;

	/* Without it every bound socket takes a port of the whole machine; where the
	 * kernel does not know it nothing else is lost. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
}

int
sock_os_fast_open(int fd)
{
	int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof one) == -1
		? -errno
		: 0;
}

bool
sock_fast_lost(int fd)
{
	struct tcp_info t = { 0 };
	socklen_t len = sizeof t;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &len) == 0 &&
		t.tcpi_fastopen_client_fail == TFO_SYN_RETRANSMITTED;
}

static const struct sock_extended_err *
error_find(struct msghdr *m)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err)))
			continue;
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
			(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			return (const struct sock_extended_err *)(void *)CMSG_DATA(c);
	}
	return NULL;
}

/* Ping sockets have no port; their errors carry the echo request that failed. */
static void
ping_sequence(int fd, struct endpoint *from, const uint8_t *p, ssize_t n)
{
	int protocol = 0;
	socklen_t len = sizeof protocol;

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == -1)
		return;
	if ((protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && n >= 8)
		from->port = be16_get(p + 6);
}

int
sock_next_error(int fd, struct endpoint *from, int *error)
{
	union {
		struct cmsghdr align;
		char room[512];
	} control;
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	uint8_t start[64]; /* of the packet that the error is about */
	struct iovec v = { start, sizeof start };
	struct msghdr m = {
		.msg_name = &sa,
		.msg_namelen = sizeof sa,
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room,
	};
	const struct sock_extended_err *why;
	ssize_t n;

	n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (n == -1)
		return errno == EINTR ? -EAGAIN : -errno;
	why = error_find(&m);
	if (!why)
		return -EAGAIN;
	sock_address_get(from, &sa);
	ping_sequence(fd, from, start, n);
	*error = (int)why->ee_errno;
	return 0;
}
