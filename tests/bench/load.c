/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * What the benchmarks are driven by; each writes one line of JSON.
 *
 *	load serve ADDRESS PORT                 answers each byte with itself
 *	load connect ADDRESS PORT COUNT AT-ONCE a connection, 64 bytes there and back, its end
 *	load pingpong ADDRESS PORT FLOWS SECONDS 64 bytes to and fro on all of them
 *	load hold ADDRESS PORT FLOWS            opens them, says so, until it is ended
 */
enum { SIZE = 64, EVENTS = 512, OPENING = 128 };

struct flow {
	int fd;
	bool open;
	size_t got;
	double began, opened;
};

static struct sockaddr_in at;
static int poller;
static const uint8_t bytes[SIZE];

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
watch(int fd, void *p, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = p };

	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
}

static int
serve(void)
{
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, n, i, fd;
	struct epoll_event e[EVENTS];
	uint8_t mem[4096];
	ssize_t len;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l, (struct sockaddr *)&at, sizeof(at)) || listen(l, 4096))
		return 1;
	watch(l, NULL, EPOLLIN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(poller, e, EVENTS, -1);
		for (i = 0; i < n; i++) {
			if (!e[i].data.ptr) {
				while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					watch(fd, (void *)(intptr_t)fd, EPOLLIN);
				continue;
			}
			fd = (int)(intptr_t)e[i].data.ptr;
			len = read(fd, mem, sizeof(mem));
			if (len > 0)
				send(fd, mem, (size_t)len, MSG_NOSIGNAL);
			else if (len == 0 || errno != EAGAIN)
				close(fd);
		}
	}
}

static void
flow_open(struct flow *f)
{
	int on = 1;

	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	f->began = now();
	f->got = 0;
	f->open = false;
	setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connect(f->fd, (struct sockaddr *)&at, sizeof(at));
	watch(f->fd, f, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* Connects and sends when it can, reads what is there. 1: an answer is whole; 0: not yet;
 * -1: failed. */
static int
flow_step(struct flow *f, uint32_t events)
{
	uint8_t mem[SIZE];
	ssize_t n;

	if (events & (EPOLLERR | EPOLLHUP))
		return -1;
	if (!f->open && events & EPOLLOUT) {
		f->open = true;
		f->opened = now();
		if (send(f->fd, bytes, SIZE, MSG_NOSIGNAL) != SIZE)
			return -1;
	}
	if (!f->open)
		return 0;
	n = read(f->fd, mem, SIZE - f->got);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return -1;
	f->got += n > 0 ? (size_t)n : 0;
	if (f->got < SIZE)
		return 0;
	f->got = 0;
	return 1;
}

static int
earlier(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static int
connections(size_t count, size_t at_once)
{
	struct flow *f = calloc(at_once, sizeof(*f)), *one;
	float *took = calloc(count + at_once, sizeof(*took));
	float *opened = calloc(count + at_once, sizeof(*opened));
	size_t begun, done = 0, failed = 0, i;
	struct epoll_event e[EVENTS];
	double start = now();
	int n, k, r;

	for (begun = 0; begun < at_once; begun++)
		flow_open(&f[begun]);
	while (done + failed < count) {
		n = epoll_wait(poller, e, EVENTS, 20000);
		if (n == 0)
			break;
		for (k = 0; k < n; k++) {
			one = e[k].data.ptr;
			r = flow_step(one, e[k].events);
			if (r == 0)
				continue;
			if (r > 0) {
				opened[done] = (float)(one->opened - one->began);
				took[done++] = (float)(now() - one->began);
			} else {
				failed++;
			}
			close(one->fd);
			if (begun < count) {
				begun++;
				flow_open(one);
			}
		}
	}
	start = now() - start;
	qsort(took, done, sizeof(*took), earlier);
	qsort(opened, done, sizeof(*opened), earlier);
	i = done ? done - 1 : 0;
	printf("{\"rate\": %.1f, \"done\": %zu, \"failed\": %zu, \"p50_ms\": %.3f, "
	       "\"p99_ms\": %.3f, \"open_p50_ms\": %.3f, \"open_p99_ms\": %.3f}\n",
		(double)done / start, done, count - done, took[i / 2] * 1e3,
		took[i * 99 / 100] * 1e3, opened[i / 2] * 1e3,
		opened[i * 99 / 100] * 1e3);
	return 0;
}

/* Opens all, a few at a time; each has had one answer. */
static struct flow *
flows_open(size_t count)
{
	struct flow *f = calloc(count, sizeof(*f));
	size_t begun = 0, done = 0;
	struct epoll_event e[EVENTS];
	int n, k, r;

	while (done < count) {
		while (begun < count && begun - done < OPENING)
			flow_open(&f[begun++]);
		n = epoll_wait(poller, e, EVENTS, 20000);
		if (n <= 0)
			return NULL;
		for (k = 0; k < n; k++) {
			r = flow_step(e[k].data.ptr, e[k].events);
			if (r < 0)
				return NULL;
			done += r > 0;
		}
	}
	return f;
}

static int
pingpong(size_t count, double seconds)
{
	struct flow *f = flows_open(count), *one;
	struct epoll_event e[EVENTS];
	size_t trips = 0, i;
	double start = now();
	int n, k, r;

	if (!f)
		return 1;
	for (i = 0; i < count; i++)
		send(f[i].fd, bytes, SIZE, MSG_NOSIGNAL);
	while (now() - start < seconds) {
		n = epoll_wait(poller, e, EVENTS, 1000);
		for (k = 0; k < n; k++) {
			one = e[k].data.ptr;
			r = flow_step(one, e[k].events);
			if (r < 0)
				return 1;
			if (r == 0)
				continue;
			trips++;
			send(one->fd, bytes, SIZE, MSG_NOSIGNAL);
		}
	}
	printf("{\"rate\": %.1f}\n", (double)trips / (now() - start));
	return 0;
}

static int
hold(size_t count)
{
	if (!flows_open(count))
		return 1;
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}

int
main(int argc, char **argv)
{
	struct rlimit most = { 65536, 65536 };

	if (argc < 4)
		return 2;
	setrlimit(RLIMIT_NOFILE, &most);
	signal(SIGPIPE, SIG_IGN);
	at.sin_family = AF_INET;
	at.sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &at.sin_addr);
	poller = epoll_create1(0);
	if (strcmp(argv[1], "serve") == 0)
		return serve();
	if (strcmp(argv[1], "hold") == 0 && argc == 5)
		return hold((size_t)atoi(argv[4]));
	if (strcmp(argv[1], "connect") == 0 && argc == 6)
		return connections((size_t)atoi(argv[4]), (size_t)atoi(argv[5]));
	if (strcmp(argv[1], "pingpong") == 0 && argc == 6)
		return pingpong((size_t)atoi(argv[4]), atof(argv[5]));
	return 2;
}
