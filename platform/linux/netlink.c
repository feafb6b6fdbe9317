/* SPDX-License-Identifier: MIT */
#include "platform/linux/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ANSWER_MAX = 32768, /* bytes; what the kernel fills at once in a dump */
	ANSWER_WAIT = 5,    /* s; the kernel answers at once or something is very wrong */
};

void *
netlink_begin(struct netlink_message *m, uint16_t type, uint16_t flags, size_t size)
{
	m->head = mnl_nlmsg_put_header(m->room);
	m->head->nlmsg_type = type;
	m->head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->head->nlmsg_seq = 1;
	return mnl_nlmsg_put_extra_header(m->head, size);
}

uint8_t
netlink_domain(int family)
{
	return family == 6 ? AF_INET6 : AF_INET;
}

void
netlink_put_ip(struct netlink_message *m, uint16_t type, const struct ip *ip)
{
	mnl_attr_put(m->head, type, ip->family == 6 ? 16 : 4, ip->b);
}

const struct nlattr *
netlink_attr(const struct nlmsghdr *h, size_t size, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, size)
	{
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

static int
answers_read(struct mnl_socket *s, mnl_cb_t each, void *arg)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
	unsigned port = mnl_socket_get_portid(s);
	ssize_t n;
	int r;

	do {
		n = mnl_socket_recvfrom(s, answer, sizeof answer);
		if (n == -1)
			return -errno;
		r = mnl_cb_run(answer, (size_t)n, 1, port, each, arg);
		if (r == MNL_CB_ERROR)
			return -errno;
	} while (r == MNL_CB_OK);
	return 0;
}

int
netlink_open(int bus, struct mnl_socket **s)
{
	struct timeval wait = { .tv_sec = ANSWER_WAIT };
	int r = 0;

	*s = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!*s)
		return -errno;
	if (setsockopt(mnl_socket_get_fd(*s), SOL_SOCKET, SO_RCVTIMEO, &wait,
		    sizeof wait) == -1 ||
		mnl_socket_bind(*s, 0, MNL_SOCKET_AUTOPID) == -1)
		r = -errno;
	if (r < 0)
		mnl_socket_close(*s);
	return r;
}

int
netlink_say(struct mnl_socket *s, struct netlink_message *m, mnl_cb_t each, void *arg)
{
	if (mnl_socket_sendto(s, m->head, m->head->nlmsg_len) == -1)
		return -errno;
	return answers_read(s, each, arg);
}

int
netlink_ask(int bus, struct netlink_message *m, mnl_cb_t each, void *arg)
{
	struct mnl_socket *s;
	int r = netlink_open(bus, &s);

	if (r < 0)
		return r;
	r = netlink_say(s, m, each, arg);
	mnl_socket_close(s);
	return r;
}
