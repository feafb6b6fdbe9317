/* SPDX-License-Identifier: MIT */
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MESSAGE_FDS = 8, /* at most so many descriptors travel in one message */
	/* Bytes that lie unread, which a system may double, and where each message counts
	 * for some hundreds more than it has. */
	MESSAGE_UNREAD = 8192,
};

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
};

int
sys_message_pair(int fd[2])
{
	int unread = MESSAGE_UNREAD, r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == -1)
		return -errno;
	if (fcntl(fd[0], F_SETFD, FD_CLOEXEC) == 0 &&
		fcntl(fd[1], F_SETFD, FD_CLOEXEC) == 0 &&
		fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0 &&
		setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &unread, sizeof unread) == 0)
		return 0;
	r = -errno;
	close(fd[0]);
	close(fd[1]);
	return r;
}

ssize_t
sys_message_send(int sock, const void *p, size_t len, const int *fd, int nfd)
{
	union control control;
	struct iovec v = { (void *)p, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (nfd < 0 || nfd > MESSAGE_FDS)
		return -EINVAL;
	if (nfd > 0) {
		memset(&control, 0, sizeof control);
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE((size_t)nfd * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfd * sizeof(int));
		memcpy(CMSG_DATA(c), fd, (size_t)nfd * sizeof(int));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

/* Takes over the descriptors of a message, up to `cap`; the others are closed. */
static int
descriptors_take(struct msghdr *m, int *fd, int cap)
{
	struct cmsghdr *c;
	int got[MESSAGE_FDS];
	size_t i, n;
	int kept = 0;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > MESSAGE_FDS)
			n = MESSAGE_FDS;
		memcpy(got, CMSG_DATA(c), n * sizeof(int));
		for (i = 0; i < n; i++) {
			if (kept == cap) {
				close(got[i]);
				continue;
			}
			(void)fcntl(got[i], F_SETFD, FD_CLOEXEC);
			fd[kept++] = got[i];
		}
	}
	return kept;
}

ssize_t
sys_message_recv(int sock, void *p, size_t cap, int *fd, int *nfd)
{
	union control control;
	struct iovec v = { p, cap };
	struct msghdr m = {
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room,
	};
	int kept, room = nfd ? *nfd : 0;
	ssize_t n;

	if (nfd)
		*nfd = 0;
	do
		n = recvmsg(sock, &m, 0);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	kept = descriptors_take(&m, fd, room);
	if (nfd)
		*nfd = kept;
	if (!(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	while (kept > 0)
		close(fd[--kept]);
	if (nfd)
		*nfd = 0;
	return -EMSGSIZE;
}
