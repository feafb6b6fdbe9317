/* SPDX-License-Identifier: MIT */
#include "platform/edges.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

enum { EVENTS_MAX = 256 };

int
edges_open(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd == -1 ? -errno : fd;
}

static int
tell(int edges, int how, int fd, void *owner, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = owner };

	return epoll_ctl(edges, how, fd, &e) == -1 ? -errno : 0;
}

static uint32_t
epoll_of(unsigned events)
{
	return EPOLLET | (events & EDGE_READ ? EPOLLIN | EPOLLRDHUP : 0u) |
		(events & EDGE_WRITE ? EPOLLOUT : 0u);
}

int
edges_add(int edges, int fd, void *owner, unsigned events)
{
	return tell(edges, EPOLL_CTL_ADD, fd, owner, epoll_of(events));
}

int
edges_change(int edges, int fd, void *owner, unsigned events)
{
	return tell(edges, EPOLL_CTL_MOD, fd, owner, epoll_of(events));
}

int
edges_add_level(int edges, int fd, void *owner)
{
	return tell(edges, EPOLL_CTL_ADD, fd, owner, EPOLLIN);
}

void
edges_remove(int edges, int fd)
{
	struct epoll_event e = { .events = 0 };

	(void)epoll_ctl(edges, EPOLL_CTL_DEL, fd, &e);
}

static unsigned
events_of(uint32_t events)
{
	unsigned e = 0;

	if (events & EPOLLIN)
		e |= EDGE_READ;
	if (events & EPOLLOUT)
		e |= EDGE_WRITE;
	if (events & EPOLLRDHUP)
		e |= EDGE_ENDED;
	if (events & (EPOLLERR | EPOLLHUP))
		e |= EDGE_FAILED;
	return e;
}

size_t
edges_wait(int edges, struct edge *e, size_t cap, int64_t ms)
{
	struct epoll_event got[EVENTS_MAX];
	int i, n;

	if (cap > EVENTS_MAX)
		cap = EVENTS_MAX;
	if (ms > INT_MAX)
		ms = INT_MAX;
	n = epoll_wait(edges, got, (int)cap, (int)ms);
	for (i = 0; i < n; i++)
		e[i] = (struct edge){ got[i].data.ptr, events_of(got[i].events) };
	return n > 0 ? (size_t)n : 0;
}
