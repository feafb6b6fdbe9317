/* SPDX-License-Identifier: MIT */
#include "platform/posix/sock_os.h"
#include "platform/sock.h"
#include "platform/sys.h"

#include "base/bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/*
 * Echo requests over datagram ICMP sockets: the kernel chooses the identifier,
 * writes the checksum, and hands only answers to this socket's own requests
 * back.  The header is that of RFC 792 and RFC 4443 section 4.
 */
enum {
	ECHO_HEADER = 8,
	ECHO_REQUEST_4 = 8,
	ECHO_REPLY_4 = 0,
	ECHO_REQUEST_6 = 128,
	ECHO_REPLY_6 = 129,
};

int
sock_ping_open(int family, unsigned mark)
{
	int fd, r = 0;

	if (family == 4)
		fd = sock_os_open(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	else if (family == 6)
		fd = sock_os_open(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
	else
		return -EAFNOSUPPORT;
	if (fd < 0)
		return fd;
	if (mark != 0)
		r = sock_os_mark(fd, mark);
	if (r == 0)
		r = sock_os_errors(fd, family);
	return sys_fd_sound(fd, r);
}

int
sock_ping_send(int fd, const struct ip *to, uint16_t seq, const void *p, size_t len)
{
	uint8_t header[ECHO_HEADER] = { 0 };
	struct endpoint e = { .ip = *to };
	struct sockaddr_storage sa;
	struct iovec v[2] = { { header, sizeof header }, { (void *)p, len } };
	struct msghdr m = { .msg_name = &sa, .msg_iov = v, .msg_iovlen = 2 };
	int tries;

	header[0] = to->family == 6 ? ECHO_REQUEST_6 : ECHO_REQUEST_4;
	be16_put(header + 6, seq);
	m.msg_namelen = sock_address_put(&sa, &e);
	/* Twice for the same reason as sock_send_to: a queued error answers first. */
	for (tries = 0; tries < 2; tries++) {
		if (sendmsg(fd, &m, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EAGAIN)
			break;
	}
	return -errno;
}

ssize_t
sock_ping_recv(int fd, struct ip *from, uint16_t *seq, void *p, size_t cap)
{
	uint8_t header[ECHO_HEADER] = { 0 };
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	struct iovec v[2] = { { header, sizeof header }, { p, cap } };
	struct endpoint e;
	bool stale = false;
	ssize_t n;

	for (;;) {
		struct msghdr m = {
			.msg_name = &sa,
			.msg_namelen = sizeof sa,
			.msg_iov = v,
			.msg_iovlen = 2,
		};

		n = recvmsg(fd, &m, 0);
		if (n == -1 && (stale || errno == EAGAIN))
			return -errno;
		if (n == -1) {
			stale = true;
			continue;
		}
		sock_address_get(&e, &sa);
		if (n >= ECHO_HEADER && header[1] == 0 &&
			header[0] == (e.ip.family == 6 ? ECHO_REPLY_6 : ECHO_REPLY_4))
			break;
	}
	*from = e.ip;
	*seq = be16_get(header + 6);
	return n - ECHO_HEADER;
}
