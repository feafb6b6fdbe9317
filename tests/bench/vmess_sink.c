/* SPDX-License-Identifier: MIT */
#include "unit/outbound/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A VMess server in C, so that what is measured is the client and not its server:
 *
 *	vmess_sink ADDRESS PORT ID CHUNK
 *
 * ID is 32 hex digits; CHUNK is how much payload there is in what it sends at once (v2ray:
 * 1966, Xray: 8110).  It knows targets by IPv4 only, and trusts everybody.  At two ports
 * it is the target itself: it takes bytes, or, once it has had one, makes them.
 */
enum { WIRE = 96 * 1024, PIECE = 32 * 1024, EVENTS = 64, DISCARD = 9, CHARGEN = 19 };

/* Bytes that wait to be written: at <= end. */
struct queue {
	size_t at, end;
	uint8_t mem[WIRE];
};

struct side {
	struct joined *of;
	int fd; /* -1: none yet, or no more */
	uint32_t wanted;
};

/* A client and its target. */
struct joined {
	struct side client, target;
	struct server vmess;
	struct queue to_client, to_target;
	size_t heard; /* bytes in wire that are no whole chunk yet */
	uint8_t wire[WIRE];
	bool over;
	bool shut; /* the target has been told that the client has ended */
};

static int poller;
static uint8_t id[16];
static size_t chunk;

static void
put(void *queue, const uint8_t *p, size_t len)
{
	struct queue *q = queue;

	if (len > WIRE - q->end)
		abort();
	memcpy(q->mem + q->end, p, len);
	q->end += len;
}

/* False: the connection is broken. */
static bool
write_out(int fd, struct queue *q)
{
	ssize_t n;

	while (q->at < q->end) {
		n = send(fd, q->mem + q->at, q->end - q->at, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == ENOTCONN;
		q->at += (size_t)n;
	}
	q->at = q->end = 0;
	return true;
}

/* (What is in the set tells of a reset whether or not that is asked for.) */
static void
want(struct side *s, bool reading, bool writing)
{
	struct epoll_event e = { .data.ptr = s };

	if (s->fd < 0)
		return;
	e.events = (reading ? EPOLLIN : 0) | (writing ? EPOLLOUT : 0);
	if (e.events == s->wanted)
		return;
	epoll_ctl(poller,
		!s->wanted         ? EPOLL_CTL_ADD
			: e.events ? EPOLL_CTL_MOD
				   : EPOLL_CTL_DEL,
		s->fd, &e);
	s->wanted = e.events;
}

static void
side_init(struct side *s, struct joined *of, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };
	int on = 1;

	s->of = of;
	s->fd = fd;
	s->wanted = EPOLLIN;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
}

static bool
is_target(const struct joined *j)
{
	return j->vmess.port == DISCARD || j->vmess.port == CHARGEN;
}

static bool
target_connect(struct joined *j)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(j->vmess.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || j->vmess.type != 1)
		return false;
	memcpy(&to.sin_addr, j->vmess.address, 4);
	side_init(&j->target, j, fd);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ||
		errno == EINPROGRESS;
}

/* What the client says goes to the target. */
static bool
hear(struct joined *j)
{
	size_t at = 0;
	ssize_t n;

	n = read(j->client.fd, j->wire + j->heard, WIRE - j->heard);
	if (n < 0)
		return errno == EAGAIN;
	if (n == 0)
		return false;
	j->heard += (size_t)n;
	if (server_hear(&j->vmess, j->wire, j->heard, &at, put, &j->to_target) < 0)
		return false;
	memmove(j->wire, j->wire + at, j->heard - at);
	j->heard -= at;
	if (is_target(j)) {
		j->to_target.end = 0;
		return !j->vmess.ended;
	}
	if (j->vmess.greeted && j->target.fd < 0 && !target_connect(j))
		return false;
	return j->target.fd < 0 || write_out(j->target.fd, &j->to_target);
}

static bool
say(struct joined *j)
{
	static uint8_t piece[PIECE];
	ssize_t n = read(j->target.fd, piece, sizeof(piece));

	if (n < 0)
		return errno == EAGAIN;
	j->over = n == 0;
	server_say(&j->vmess, piece, (size_t)n, put, &j->to_client);
	return write_out(j->client.fd, &j->to_client);
}

static bool
makes(const struct joined *j)
{
	return j->vmess.port == CHARGEN && j->vmess.chunks > 0;
}

static bool
make(struct joined *j)
{
	static const uint8_t piece[PIECE];

	server_say(&j->vmess, piece, sizeof(piece), put, &j->to_client);
	return write_out(j->client.fd, &j->to_client);
}

static void
joined_free(struct joined *j)
{
	close(j->client.fd);
	if (j->target.fd >= 0)
		close(j->target.fd);
	server_fini(&j->vmess);
	free(j);
}

/* Without it what a client has ended would stay for as long as the target likes. */
static void
pass_end(struct joined *j)
{
	if (!j->vmess.ended || j->shut || j->target.fd < 0 || j->to_target.end > 0)
		return;
	j->shut = true;
	shutdown(j->target.fd, SHUT_WR);
}

/* False: it is over. */
static bool
joined_run(struct joined *j, struct side *s, uint32_t events)
{
	bool is_client = s == &j->client;
	bool has_room = (is_client ? &j->to_target : &j->to_client)->end == 0;

	if (events & EPOLLOUT &&
		!write_out(s->fd, is_client ? &j->to_client : &j->to_target))
		return false;
	if (has_room && events & (EPOLLIN | EPOLLHUP | EPOLLERR) &&
		!(is_client ? hear(j) : say(j)))
		return false;
	if (j->over && j->to_client.end == 0)
		return false;
	if (makes(j) && j->to_client.end == 0 && !make(j))
		return false;
	pass_end(j);
	want(&j->client, j->to_target.end == 0 && !j->vmess.ended,
		j->to_client.end > 0 || makes(j));
	want(&j->target, j->to_client.end == 0 && !j->over, j->to_target.end > 0);
	return true;
}

static void
take(int listening)
{
	struct joined *j;
	int fd;

	while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		j = malloc(sizeof(*j));
		if (!j)
			abort();
		memset(j, 0, offsetof(struct joined, to_client));
		j->to_client.at = j->to_client.end = 0;
		j->to_target.at = j->to_target.end = 0;
		j->heard = 0;
		j->over = j->shut = false;
		server_init(&j->vmess, id);
		j->vmess.chunk_max = chunk;
		j->target.fd = -1;
		side_init(&j->client, j, fd);
	}
}

/* An event of a connection that an earlier one of the same batch has ended. */
static void
forget(struct epoll_event *e, int n, const struct joined *j)
{
	for (; n-- > 0; e++)
		if (e->data.ptr == &j->client || e->data.ptr == &j->target)
			e->events = 0;
}

static void
serve(int listening)
{
	struct epoll_event e[EVENTS];
	struct side *s;
	int n, i;

	for (;;) {
		n = epoll_wait(poller, e, EVENTS, -1);
		for (i = 0; i < n; i++) {
			s = e[i].data.ptr;
			if (!e[i].events)
				continue;
			if (!s)
				take(listening);
			else if (!joined_run(s->of, s, e[i].events)) {
				forget(e + i, n - i, s->of);
				joined_free(s->of);
			}
		}
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
	struct epoll_event e = { .events = EPOLLIN };
	size_t i;

	if (argc != 5 || strlen(argv[3]) != 2 * sizeof(id))
		return 2;
	inet_pton(AF_INET, argv[1], &at.sin_addr);
	at.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	for (i = 0; i < sizeof(id); i++) {
		char digits[3] = { argv[3][2 * i], argv[3][2 * i + 1] };

		id[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	chunk = strtoul(argv[4], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	poller = epoll_create1(0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &on,
		sizeof(on)); /* several may share a port */
	if (chunk == 0 || chunk > 16 * 1024 ||
		bind(l, (struct sockaddr *)&at, sizeof(at)) || listen(l, 4096))
		return 1;
	epoll_ctl(poller, EPOLL_CTL_ADD, l, &e);
	puts("ready");
	fflush(stdout);
	serve(l);
}
