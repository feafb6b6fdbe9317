/* SPDX-License-Identifier: MIT */
#include "platform/sock.h"

#include "platform/posix/sock_os.h"
#include "platform/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum { LOW_WATER_LEAST = 16 * 1024 }; /* bytes; fewer are worth no waiting */

static int
domain_of(int family)
{
	return family == 6 ? AF_INET6 : AF_INET;
}

socklen_t
sock_address_put(struct sockaddr_storage *to, const struct endpoint *e)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *in = (struct sockaddr_in *)to;

	memset(to, 0, sizeof *to);
	if (e->ip.family == 6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(e->port);
		memcpy(&in6->sin6_addr, e->ip.b, 16);
		return sizeof *in6;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(e->port);
	memcpy(&in->sin_addr, e->ip.b, 4);
	return sizeof *in;
}

void
sock_address_get(struct endpoint *e, const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;

	memset(e, 0, sizeof *e);
	if (from->ss_family == AF_INET6) {
		e->ip = ip_make(6, (const uint8_t *)&in6->sin6_addr);
		e->port = ntohs(in6->sin6_port);
	} else if (from->ss_family == AF_INET) {
		e->ip = ip_make(4, (const uint8_t *)&in->sin_addr);
		e->port = ntohs(in->sin_port);
	}
}

static int
switch_on(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof one) == -1 ? -errno : 0;
}

static int
bind_to(int fd, const struct endpoint *at)
{
	struct sockaddr_storage sa;
	socklen_t len = sock_address_put(&sa, at);

	return bind(fd, (struct sockaddr *)&sa, len) == -1 ? -errno : 0;
}

static int
options_set(int fd, int family, int type, const struct sock_options *o)
{
	struct endpoint source = { .port = 0 };
	int r = 0;

	if (o->interface[0] != '\0')
		r = sock_os_interface(fd, family, o->interface);
	if (r == 0 && o->mark != 0)
		r = sock_os_mark(fd, o->mark);
	if (r == 0 && o->source.family == family) {
		if (type == SOCK_STREAM)
			sock_os_bind_late(fd);
		source.ip = o->source;
		r = bind_to(fd, &source);
	}
	return r;
}

/* What every new socket of ours has in common. */
static int
open_with(int family, int type, const struct sock_options *o)
{
	int fd, r = 0;

	if (family != 4 && family != 6)
		return -EAFNOSUPPORT;
	fd = sock_os_open(domain_of(family), type, 0);
	if (fd < 0)
		return fd;
	if (family == 6)
		r = switch_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (r == 0 && o)
		r = options_set(fd, family, type, o);
	return sys_fd_sound(fd, r);
}

/* `fast`: sock_os_fast_open is wanted, and does not have to be. */
static int
connect_begin(
	const struct endpoint *to, const struct sock_options *o, bool fast, bool *held)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, r = 0;

	*held = false;
	fd = open_with(to->ip.family, SOCK_STREAM, o);
	if (fd < 0)
		return fd;
	if (o && o->nodelay)
		r = switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
	fast = fast && sock_os_fast_open(fd) == 0;
	len = sock_address_put(&sa, to);
	if (r == 0 && connect(fd, (struct sockaddr *)&sa, len) == 0)
		*held = fast;
	else if (r == 0 && errno != EINPROGRESS && errno != EINTR)
		r = -errno;
	return sys_fd_sound(fd, r);
}

int
sock_tcp_connect(const struct endpoint *to, const struct sock_options *o)
{
	bool held;

	return connect_begin(to, o, false, &held);
}

int
sock_tcp_connect_fast(const struct endpoint *to, const struct sock_options *o, bool *held)
{
	int fd = connect_begin(to, o, o->fast != SOCK_FAST_NEVER, held);

	if (fd < 0 || !*held || o->fast == SOCK_FAST_DATA)
		return fd;
	/* There is a cookie, and nothing left to ask for. */
	close(fd);
	return connect_begin(to, o, false, held);
}

int
sock_fast_check(void)
{
	int fd = sock_os_open(AF_INET, SOCK_STREAM, 0), r;

	if (fd < 0)
		return fd;
	r = sock_os_fast_open(fd);
	close(fd);
	return r;
}

int
sock_tcp_error(int fd)
{
	socklen_t len = sizeof(int);
	int why = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) == -1)
		return -errno;
	return -why;
}

int
sock_tcp_connected(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	int r;

	if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0)
		return 0;
	if (errno != ENOTCONN)
		return -errno;
	r = sock_tcp_error(fd);
	return r < 0 ? r : -EAGAIN;
}

bool
sock_is_silent(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK) == -1 && errno == EAGAIN;
}

/* Nothing is sent: what the system has chosen is read off a socket for datagrams. */
int
sock_source(const struct endpoint *to, const struct sock_options *o, struct ip *from)
{
	struct sockaddr_storage sa;
	struct endpoint e;
	socklen_t len;
	int fd, r;

	fd = open_with(to->ip.family, SOCK_DGRAM, o);
	if (fd < 0)
		return fd;
	len = sock_address_put(&sa, to);
	if (connect(fd, (struct sockaddr *)&sa, len) == -1)
		r = -errno;
	else
		r = sock_local(fd, &e);
	close(fd);
	if (r == 0)
		*from = e.ip;
	return r;
}

int
sock_udp_open(int family, const struct sock_options *o)
{
	int fd, r;

	fd = open_with(family, SOCK_DGRAM, o);
	if (fd < 0)
		return fd;
	r = sock_os_errors(fd, family);
	return sys_fd_sound(fd, r);
}

int
sock_tcp_listen(const struct endpoint *at, int backlog)
{
	int fd, r;

	fd = open_with(at->ip.family, SOCK_STREAM, NULL);
	if (fd < 0)
		return fd;
	r = switch_on(fd, SOL_SOCKET, SO_REUSEADDR);
	if (r == 0)
		r = bind_to(fd, at);
	if (r == 0 && listen(fd, backlog) == -1)
		r = -errno;
	return sys_fd_sound(fd, r);
}

int
sock_accept(int fd, struct endpoint *from)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	int r;

	memset(&sa, 0, sizeof sa);
	r = sock_os_accept(fd, (struct sockaddr *)&sa, &len);
	if (r >= 0 && from)
		sock_address_get(from, &sa);
	return r;
}

ssize_t
sock_read(int fd, void *p, size_t cap)
{
	ssize_t n;

	do
		n = read(fd, p, cap);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

ssize_t
sock_writev(int fd, const struct iovec *v, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)v };
	ssize_t r;

	m.msg_iovlen = (size_t)n;
	do
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (r == -1 && errno == EINTR);
	/* A SYN that was held has left without any of this: its cookie is gone. */
	if (r == -1 && errno == EINPROGRESS)
		return -EAGAIN;
	return r == -1 ? -errno : r;
}

/* Linux makes the window as small as the mark where the buffer is small. */
int
sock_low_water(int fd, int bytes)
{
	socklen_t len = sizeof(int);
	int room;

	if (bytes > 1) {
		if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, &len) == -1)
			return -errno;
		bytes = bytes < room / 4 ? bytes : room / 4;
		if (bytes < LOW_WATER_LEAST)
			return -ENOBUFS;
	}
	return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) == -1
		? -errno
		: 0;
}

int
sock_shut_write(int fd)
{
	return shutdown(fd, SHUT_WR) == -1 ? -errno : 0;
}

/*
 * With queued ICMP errors the kernel also reports the last of them once from
 * the next call, whichever destination that call is about.  Such a report
 * takes the place of the real answer, so the call is made a second time; the
 * error itself stays in the queue for sock_next_error.
 */
bool
sock_may_be_stale(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
		error == EHOSTDOWN || error == ENOPROTOOPT || error == EPROTO ||
		error == EMSGSIZE || error == EACCES || error == EOPNOTSUPP ||
		error == EINTR;
}

ssize_t
sock_send_to(int fd, const struct endpoint *to, const void *p, size_t len)
{
	struct sockaddr_storage sa;
	socklen_t salen = sock_address_put(&sa, to);
	ssize_t n;

	n = sendto(fd, p, len, MSG_NOSIGNAL, (struct sockaddr *)&sa, salen);
	if (n == -1 && sock_may_be_stale(errno))
		n = sendto(fd, p, len, MSG_NOSIGNAL, (struct sockaddr *)&sa, salen);
	return n == -1 ? -errno : n;
}

ssize_t
sock_recv_from(int fd, struct endpoint *from, void *p, size_t cap)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;
	ssize_t n;

	n = recvfrom(fd, p, cap, 0, (struct sockaddr *)&sa, &len);
	if (n == -1 && sock_may_be_stale(errno)) {
		len = sizeof sa;
		n = recvfrom(fd, p, cap, 0, (struct sockaddr *)&sa, &len);
	}
	if (n == -1)
		return -errno;
	if (from)
		sock_address_get(from, &sa);
	return n;
}

int
sock_local(int fd, struct endpoint *e)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1)
		return -errno;
	sock_address_get(e, &sa);
	return 0;
}

void
sock_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
