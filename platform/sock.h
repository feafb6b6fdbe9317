/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_SOCK_H
#define PLATFORM_SOCK_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Sockets of the kernel, all non-blocking and close-on-exec.  Results are a
 * descriptor or a count, or -errno (-EAGAIN: would block).
 */
enum sock_fast {
	SOCK_FAST_NEVER, /* an ordinary SYN */
	SOCK_FAST_ASK,   /* the same, which asks for a cookie where the kernel has none */
	SOCK_FAST_DATA,  /* where it has one, the SYN waits for the first bytes */
};

struct sock_options {
	char interface[16]; /* "": the routing table decides */
	struct ip source;   /* family 0: the kernel chooses */
	unsigned mark;      /* 0: none; only where the process may set it */
	bool nodelay;
	enum sock_fast fast; /* of sock_tcp_connect_fast */
};

/* Begins to connect. `o` may be NULL. */
int sock_tcp_connect(const struct endpoint *to, const struct sock_options *o);
/*
 * The same with TCP Fast Open (RFC 7413) as o->fast says, and without it where the system
 * has it not.  *held: nothing was sent; the SYN leaves with what sock_writev takes first,
 * and whether anybody is there is told by what is called after that.
 */
int sock_tcp_connect_fast(
	const struct endpoint *to, const struct sock_options *o, bool *held);
/* 0, or why the system sends no bytes with a SYN (Linux: net.ipv4.tcp_fastopen). */
int sock_fast_check(void);
/* Of a connection that was held and has come up: whether the SYN with the bytes was lost,
 * and one without them came through. */
bool sock_fast_lost(int fd);
/* 0 once connected, -EAGAIN while under way, else why it failed. */
int sock_tcp_connected(int fd);
/* 0, or what has gone wrong so far: an answer that the network gave during the call that
 * began to connect is told by nothing else. */
int sock_tcp_error(int fd);
/* Of a connected socket: there is nothing to be read, no end and no error. */
bool sock_is_silent(int fd);
/* The address that a connection to there would come from now: 0, or -errno. */
int sock_source(const struct endpoint *to, const struct sock_options *o, struct ip *from);
/* An unconnected UDP socket of a family (4 or 6), which also reports ICMP errors. */
int sock_udp_open(int family, const struct sock_options *o);
/* A listening TCP socket, for tests and inbounds. */
int sock_tcp_listen(const struct endpoint *at, int backlog);
int sock_accept(int fd, struct endpoint *from);

ssize_t sock_read(int fd, void *p, size_t cap);
/* Wakes who waits to read only once there are so many bytes, at most a quarter of its buffer,
 * or an end or an error; 1 as at first. 0, or -errno: not of this kind of descriptor, or its
 * buffer is too small (-ENOBUFS). */
int sock_low_water(int fd, int bytes);
ssize_t sock_writev(int fd, const struct iovec *v, int n);
int sock_shut_write(int fd);
ssize_t sock_send_to(int fd, const struct endpoint *to, const void *p, size_t len);
ssize_t sock_recv_from(int fd, struct endpoint *from, void *p, size_t cap);
/* The next ICMP error that was queued: *from the destination that it is about, *error
 * what it says as an errno (ECONNREFUSED, EHOSTUNREACH, EMSGSIZE ...); on a ping socket
 * from->port is the sequence number of the request. 0, or -EAGAIN: none. */
int sock_next_error(int fd, struct endpoint *from, int *error);
int sock_local(int fd, struct endpoint *e); /* the address it is bound to */

enum { SOCK_DEVICE = 16 };
/* The point-to-point device, a TUN as a rule, which has this address: 0 and its name,
 * -ENOENT: it is on none, or another -errno. */
int sock_tunnel_of(const struct ip *ip, char name[static SOCK_DEVICE]);

/* A socket for echo requests. -EACCES: the system allows them to nobody with this
 * process's groups (Linux: net.ipv4.ping_group_range). `mark` as in sock_options. */
int sock_ping_open(int family, unsigned mark);
int sock_ping_send(int fd, const struct ip *to, uint16_t seq, const void *p, size_t len);
/* The next echo reply: the length of its payload, and `seq` as it was sent. */
ssize_t sock_ping_recv(int fd, struct ip *from, uint16_t *seq, void *p, size_t cap);

void sock_close(int fd);

#endif
