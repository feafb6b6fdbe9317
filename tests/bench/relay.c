/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * relay PORT ADDRESS PORT: a trivial relay over the kernel's sockets, without a
 * TUN and without a rule.  It is the yardstick of this machine: what any program
 * that copies bytes between two sockets could reach.
 */
enum { PIECE = 256 * 1024, EVENTS = 256 };

struct way {
	uint8_t *mem; /* owned while bytes wait */
	size_t from, to;
	bool ended, shut;
};

struct side {
	struct pair *pair;
	int fd;
	struct way in; /* what was read here and goes to the other side */
};

struct pair {
	struct side side[2];
	struct pair *next; /* among the dead */
	bool dead;
};

static struct sockaddr_in target;
static int poller;
static struct pair *dead;
static uint8_t scratch[PIECE];

static void
watch(struct side *s)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s };

	epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &e);
}

static int
socket_new(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void
pair_end(struct pair *p)
{
	if (p->dead)
		return;
	p->dead = true;
	close(p->side[0].fd);
	close(p->side[1].fd);
	p->next = dead;
	dead = p;
}

/* False: nothing more can be written now. */
static bool
drain(struct way *w, int to)
{
	ssize_t n;

	while (w->from < w->to) {
		n = send(to, w->mem + w->from, w->to - w->from, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		w->from += (size_t)n;
	}
	free(w->mem);
	w->mem = NULL;
	w->from = w->to = 0;
	return true;
}

/* What the other side did not take is kept until it does. */
static void
keep(struct way *w, size_t from, size_t to)
{
	w->mem = malloc(to - from);
	if (!w->mem)
		abort();
	memcpy(w->mem, scratch + from, to - from);
	w->from = 0;
	w->to = to - from;
}

static void
copy(struct side *from, struct side *to)
{
	struct way *w = &from->in;
	ssize_t n, sent;

	if (w->mem && !drain(w, to->fd))
		return;
	while (!w->ended) {
		n = read(from->fd, scratch, sizeof(scratch));
		if (n < 0 && errno != EAGAIN)
			pair_end(from->pair);
		if (n < 0)
			return;
		w->ended = n == 0;
		sent = n ? send(to->fd, scratch, (size_t)n, MSG_NOSIGNAL) : 0;
		if (sent < n) {
			keep(w, sent > 0 ? (size_t)sent : 0, (size_t)n);
			return;
		}
	}
	if (!w->shut)
		shutdown(to->fd, SHUT_WR);
	w->shut = true;
}

static void
run(struct side *s)
{
	struct pair *p = s->pair;

	if (p->dead)
		return;
	copy(&p->side[0], &p->side[1]);
	if (!p->dead)
		copy(&p->side[1], &p->side[0]);
	if (!p->dead && p->side[0].in.shut && p->side[1].in.shut)
		pair_end(p);
}

static void
admit(int listener)
{
	struct pair *p;
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		p = calloc(1, sizeof(*p));
		if (!p)
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		p->side[0] = (struct side){ .pair = p, .fd = fd };
		p->side[1] = (struct side){ .pair = p, .fd = socket_new() };
		connect(p->side[1].fd, (struct sockaddr *)&target, sizeof(target));
		watch(&p->side[0]);
		watch(&p->side[1]);
	}
}

static void
bury(void)
{
	struct pair *p;

	while ((p = dead)) {
		dead = p->next;
		free(p->side[0].in.mem);
		free(p->side[1].in.mem);
		free(p);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct epoll_event e[EVENTS], l = { .events = EPOLLIN };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, i, n;

	if (argc != 4)
		return 2;
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	target.sin_family = AF_INET;
	target.sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &target.sin_addr);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on,
		sizeof(on)); /* several may share a port */
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 4096))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	poller = epoll_create1(0);
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &l);
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(poller, e, EVENTS, -1);
		for (i = 0; i < n; i++)
			if (e[i].data.ptr)
				run(e[i].data.ptr);
			else
				admit(listener);
		bury();
	}
}
