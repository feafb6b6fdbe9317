/* SPDX-License-Identifier: MIT */
/*
 * Many downloads that stop in the middle, and go on when they are told to.
 *
 *   stall serve ADDRESS PORT BYTES         so many to each who sends four bytes, by which
 *                                          it knows which ones
 *   stall read ADDRESS PORT COUNT FIRST    FIRST bytes of each; "stalled"; and the rest
 *                                          once a line comes on standard input, for
 *                                          which those who wait in vain may, too
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PIECE = 16384,
	EVENTS = 256,
	OPENING_MAX = 200,
	KERNEL = 8192,
	LARGE = 1 << 18,
	PATIENCE_MS = 60000
};

struct one {
	int fd;
	uint32_t seed;
	uint64_t at; /* bytes that went or came */
	bool up, told, over;
};

static struct sockaddr_in where;
static int poller;

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	perror(what);
	exit(2);
}

static uint64_t
word(uint32_t seed, uint64_t i)
{
	uint64_t x = (seed + (i + 1) * 0x9e3779b97f4a7c15u) ^ (uint64_t)seed << 32;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	return x ^ x >> 27;
}

/* The bytes [at, at + PIECE) of what belongs to a seed. */
static void
bytes(uint8_t out[PIECE], uint32_t seed, uint64_t at)
{
	static uint64_t w[PIECE / 8 + 1];
	size_t i;

	for (i = 0; i < sizeof(w) / 8; i++)
		w[i] = word(seed, at / 8 + i);
	memcpy(out, (uint8_t *)w + at % 8, PIECE);
}

static void
watch(struct one *o, uint32_t events, int how)
{
	struct epoll_event e = { .events = events, .data.ptr = o };

	must(epoll_ctl(poller, how, o->fd, &e) == 0, "epoll_ctl");
}

static void
end(struct one *o)
{
	close(o->fd);
	o->over = true;
}

static void
buffer(int fd, int which, int n)
{
	setsockopt(fd, SOL_SOCKET, which, &n, sizeof(n));
}

/* Serving. */

static void
accept_one(int listener)
{
	struct one *o = calloc(1, sizeof(*o));

	must(o != NULL, "memory");
	o->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	if (o->fd < 0) {
		free(o);
		return;
	}
	buffer(o->fd, SO_SNDBUF, KERNEL);
	watch(o, EPOLLIN, EPOLL_CTL_ADD);
}

static void
serve_one(struct one *o, uint64_t size)
{
	uint8_t piece[PIECE];
	ssize_t n;

	if (!o->told) {
		if (read(o->fd, &o->seed, sizeof(o->seed)) != sizeof(o->seed)) {
			end(o);
			free(o);
			return;
		}
		o->told = true;
		watch(o, EPOLLOUT, EPOLL_CTL_MOD);
	}
	while (o->at < size) {
		bytes(piece, o->seed, o->at);
		n = send(o->fd, piece, size - o->at < PIECE ? size - o->at : PIECE,
			MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		o->at += (uint64_t)n;
	}
	end(o);
	free(o);
}

static int
serve(uint64_t size)
{
	struct one listener = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	struct epoll_event e[EVENTS];
	int yes = 1, i, n;

	setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	must(bind(listener.fd, (struct sockaddr *)&where, sizeof(where)) == 0, "bind");
	must(listen(listener.fd, 4096) == 0, "listen");
	watch(&listener, EPOLLIN, EPOLL_CTL_ADD);
	puts("ready");
	fflush(stdout);
	while ((n = epoll_wait(poller, e, EVENTS, -1)) >= 0 || errno == EINTR)
		for (i = 0; i < n; i++) {
			if (e[i].data.ptr == &listener)
				accept_one(listener.fd);
			else
				serve_one(e[i].data.ptr, size);
		}
	return 1;
}

/* Reading. */

static struct {
	struct one *all;
	size_t n, opening, opened, failed, wrong, ended;
	uint64_t first, size;
} r;

static struct one line = { .fd = STDIN_FILENO };

static void
open_some(void)
{
	while (r.opened < r.n && r.opening < OPENING_MAX) {
		struct one *o = &r.all[r.opened];

		o->seed = (uint32_t)r.opened++ + 1;
		o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		must(o->fd >= 0, "socket");
		buffer(o->fd, SO_RCVBUF, KERNEL);
		must(connect(o->fd, (struct sockaddr *)&where, sizeof(where)) == 0 ||
				errno == EINPROGRESS,
			"connect");
		watch(o, EPOLLOUT, EPOLL_CTL_ADD);
		r.opening++;
	}
}

static void
up(struct one *o)
{
	r.opening--;
	o->up = true;
	if (send(o->fd, &o->seed, sizeof(o->seed), MSG_NOSIGNAL) != sizeof(o->seed)) {
		r.failed++;
		end(o);
		return;
	}
	watch(o, EPOLLIN, EPOLL_CTL_MOD);
}

/* Reads until `most`; what differs is counted once. */
static void
take(struct one *o, uint64_t most)
{
	uint8_t got[PIECE], want[PIECE];
	ssize_t n;

	while (o->at < most) {
		n = recv(o->fd, got, most - o->at < PIECE ? most - o->at : PIECE, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			r.failed += n < 0 || o->at != r.size;
			r.ended += n == 0 && o->at == r.size;
			end(o);
			return;
		}
		bytes(want, o->seed, o->at);
		if (memcmp(got, want, (size_t)n) != 0) {
			r.wrong++;
			end(o);
			return;
		}
		o->at += (uint64_t)n;
	}
	watch(o, 0, EPOLL_CTL_MOD);
}

static size_t
left(uint64_t most)
{
	size_t i, n = 0;

	for (i = 0; i < r.n; i++)
		n += !r.all[i].over && r.all[i].at < most;
	return n;
}

/* Until each has come so far, or has ended; or a line has come. */
static void
read_until(uint64_t most)
{
	struct epoll_event e[EVENTS];
	bool told = false;
	int i, n;

	while (left(most) > 0 && !told) {
		open_some();
		n = epoll_wait(poller, e, EVENTS, PATIENCE_MS);
		if (n == 0)
			break;
		for (i = 0; i < n; i++) {
			struct one *o = e[i].data.ptr;

			if (o == &line)
				told = true;
			else if (!o->up)
				up(o);
			else
				take(o, most);
		}
	}
}

static int
readers(size_t n, uint64_t first)
{
	char kilobytes[8];
	size_t i;

	r.all = calloc(n, sizeof(*r.all));
	must(r.all != NULL, "memory");
	r.n = n;
	r.size = UINT64_MAX;
	watch(&line, EPOLLIN, EPOLL_CTL_ADD);
	read_until(first);
	printf("stalled, %zu failed, %zu waited in vain\n", r.failed, left(first));
	fflush(stdout);
	if (!fgets(kilobytes, sizeof(kilobytes), stdin))
		return 1;
	watch(&line, 0, EPOLL_CTL_DEL);
	r.size = strtoull(kilobytes, NULL, 10) << 10;
	for (i = 0; i < n; i++) {
		if (r.all[i].over || !r.all[i].up)
			continue;
		buffer(r.all[i].fd, SO_RCVBUF, LARGE);
		watch(&r.all[i], EPOLLIN, EPOLL_CTL_MOD);
	}
	read_until(UINT64_MAX);
	printf("{\"right\": %zu, \"wrong\": %zu, \"failed\": %zu, \"stuck\": %zu}\n",
		r.ended, r.wrong, r.failed, left(UINT64_MAX));
	return 0;
}

int
main(int argc, char **argv)
{
	struct rlimit most = { 0 };

	if (argc < 5)
		return 2;
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	where.sin_family = AF_INET;
	where.sin_port = htons((uint16_t)atoi(argv[3]));
	must(inet_pton(AF_INET, argv[2], &where.sin_addr) == 1, argv[2]);
	poller = epoll_create1(0);
	if (strcmp(argv[1], "serve") == 0)
		return serve(strtoull(argv[4], NULL, 10));
	return argc < 6
		? 2
		: readers(strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
}
