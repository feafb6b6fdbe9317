/* SPDX-License-Identifier: MIT */
/* Preloaded, it makes of this kernel one that ends no sockets of others, where KERNEL_LACKS
 * is "ends", or does not even list them: "lists"; or cannot be asked for the connections
 * that it tracks: "tracking". */
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refusal; /* what the next acknowledgement says instead */

static bool
is_of(int fd, int bus)
{
	int protocol = -1, domain = -1;
	socklen_t len = sizeof protocol;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		domain == AF_NETLINK &&
		getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
		protocol == bus;
}

static int
refusal_of(int fd, const struct nlmsghdr *h)
{
	const char *lacks = getenv("KERNEL_LACKS");

	if (!lacks)
		return 0;
	if (strcmp(lacks, "tracking") == 0)
		return is_of(fd, NETLINK_NETFILTER) &&
				h->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK
			? -EINVAL
			: 0;
	if (!is_of(fd, NETLINK_SOCK_DIAG))
		return 0;
	if (strcmp(lacks, "lists") == 0)
		return -ENOENT;
	return h->nlmsg_type == SOCK_DESTROY ? -EOPNOTSUPP : 0;
}

/* What is refused goes as nothing that is acknowledged. */
ssize_t
sendto(int fd, const void *p, size_t len, int flags, const struct sockaddr *to,
	socklen_t n)
{
	struct nlmsghdr nothing = { .nlmsg_len = sizeof nothing,
		.nlmsg_type = NLMSG_NOOP };

	refusal = refusal_of(fd, p);
	if (refusal == 0)
		return syscall(SYS_sendto, fd, p, len, flags, to, n);
	nothing.nlmsg_seq = ((const struct nlmsghdr *)p)->nlmsg_seq;
	nothing.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (syscall(SYS_sendto, fd, &nothing, sizeof nothing, flags, to, n) == -1)
		return -1;
	return (ssize_t)len;
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = syscall(SYS_recvmsg, fd, m, flags);

	if (n > 0 && refusal != 0 &&
		(is_of(fd, NETLINK_SOCK_DIAG) || is_of(fd, NETLINK_NETFILTER))) {
		struct nlmsgerr *answer = NLMSG_DATA(m->msg_iov->iov_base);

		answer->error = refusal;
		refusal = 0;
	}
	return n;
}
