/* SPDX-License-Identifier: MIT */
#include "now.h"
#include "place.h"

#include <errno.h>
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
 *	load answer ADDRESS PORT                the same, and ends after 64
 *	load connect ADDRESS PORT COUNT AT-ONCE [SECONDS]
 *	                  a connection, 64 bytes there and back, its end; after so many
 *	                  seconds begins no more
 *	load fetch ADDRESS PORT COUNT AT-ONCE [SECONDS]
 *	                  the same, but waits for the server's end
 *	load offer ADDRESS PORT RATE SECONDS    begins so many a second, whatever becomes of them
 *	load first ADDRESS PORT                 tries until there is an answer, and says when
 *	load pingpong ADDRESS PORT FLOWS SECONDS 64 bytes to and fro on all of them
 *	load hold ADDRESS PORT FLOWS            opens them, says so, until it is ended
 */
enum { SIZE = 64, EVENTS = 512, OPENING = 128, PATIENCE_MS = 10000 };

static const double opening_most = 30;

struct flow {
	int fd;
	bool open;
	size_t got;
	double began, opened, answered;
};

static int poller;
static const uint8_t bytes[SIZE];

static void
watch(int fd, void *p, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = p };

	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
}

static int
serve(bool ends)
{
	int l = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, n, i,
	    fd;
	struct epoll_event e[EVENTS];
	uint8_t mem[4096];
	ssize_t len;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l, &at.any, at_len) || listen(l, 4096))
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
			if (len > 0 ? ends : len == 0 || errno != EAGAIN)
				close(fd);
		}
	}
}

static void
flow_open(struct flow *f)
{
	int on = 1;

	f->fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	f->began = now();
	f->got = 0;
	f->answered = 0;
	f->open = false;
	setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connect(f->fd, &at.any, at_len);
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

/* What became of connections, in seconds. */
struct tally {
	size_t done, failed;
	float *took, *opened, *ended;
	double last; /* when one was done */
};

static void
tally_init(struct tally *t, size_t count)
{
	*t = (struct tally){ 0 };
	t->took = calloc(count, sizeof(float));
	t->opened = calloc(count, sizeof(float));
	t->ended = calloc(count, sizeof(float));
}

static void
tally_note(struct tally *t, const struct flow *f)
{
	t->opened[t->done] = (float)(f->opened - f->began);
	t->took[t->done] = (float)(f->answered - f->began);
	t->last = now();
	t->ended[t->done++] = (float)(t->last - f->answered);
}

static double
of_hundred(float *v, size_t n, size_t percent)
{
	qsort(v, n, sizeof(*v), earlier);
	return n > 0 ? (double)v[(n - 1) * percent / 100] * 1e3 : 0;
}

static int
tally_print(struct tally *t, size_t count, double seconds)
{
	printf("{\"rate\": %.1f, \"done\": %zu, \"failed\": %zu, \"p50_ms\": %.3f, "
	       "\"p99_ms\": %.3f, \"open_p50_ms\": %.3f, \"open_p99_ms\": %.3f, "
	       "\"end_p50_ms\": %.3f, \"end_p99_ms\": %.3f}\n",
		(double)t->done / seconds, t->done, count - t->done,
		of_hundred(t->took, t->done, 50), of_hundred(t->took, t->done, 99),
		of_hundred(t->opened, t->done, 50), of_hundred(t->opened, t->done, 99),
		of_hundred(t->ended, t->done, 50), of_hundred(t->ended, t->done, 99));
	return 0;
}

/* Once it has its answer: 1 when the server has ended as well, 0 not yet, -1 failed. */
static int
end_step(struct flow *f)
{
	uint8_t byte;
	ssize_t n = read(f->fd, &byte, 1);

	return n == 0 ? 1 : n < 0 && errno == EAGAIN ? 0 : -1;
}

/* 1: all that is waited for has come. */
static int
visit_step(struct flow *f, uint32_t events, bool until_end)
{
	int r = 1;

	if (f->answered == 0) {
		r = flow_step(f, until_end ? events & ~(uint32_t)EPOLLHUP : events);
		if (r > 0)
			f->answered = now();
	}
	return r > 0 && until_end ? end_step(f) : r;
}

/* True: it is over, and counted. */
static bool
visit(struct flow *f, uint32_t events, bool until_end, struct tally *t)
{
	int r = visit_step(f, events, until_end);

	if (r == 0)
		return false;
	if (r > 0)
		tally_note(t, f);
	else
		t->failed++;
	close(f->fd);
	return true;
}

/* The rate is of those that were done: what is waited for in vain at the end is counted as
 * failed, and no part of it. */
static int
connections(size_t count, size_t at_once, bool until_end, double seconds)
{
	struct flow *f = calloc(at_once, sizeof(*f));
	struct epoll_event e[EVENTS];
	double start = now();
	struct tally t;
	size_t begun;
	int n, k;

	tally_init(&t, count + at_once);
	for (begun = 0; begun < at_once; begun++)
		flow_open(&f[begun]);
	while (t.done + t.failed < begun) {
		n = epoll_wait(poller, e, EVENTS, PATIENCE_MS);
		if (n == 0)
			break;
		for (k = 0; k < n; k++) {
			if (visit(e[k].data.ptr, e[k].events, until_end, &t) &&
				begun < count && now() - start < seconds) {
				begun++;
				flow_open(e[k].data.ptr);
			}
		}
	}
	return tally_print(&t, begun, t.last > start ? t.last - start : 1);
}

/* Times count from when each was due, so that a late start is no better than a slow one. */
static int
offer(double rate, double seconds)
{
	size_t count = (size_t)(rate * seconds), begun = 0;
	struct flow *f = calloc(count, sizeof(*f));
	struct epoll_event e[EVENTS];
	double start = now();
	struct tally t;
	int n, k;

	tally_init(&t, count);
	while (t.done + t.failed < count && now() - start < seconds + 10) {
		while (begun < count && now() - start >= (double)begun / rate) {
			flow_open(&f[begun]);
			f[begun].began = start + (double)begun / rate;
			begun++;
		}
		n = epoll_wait(poller, e, EVENTS, begun < count ? 1 : 1000);
		for (k = 0; k < n; k++)
			(void)visit(e[k].data.ptr, e[k].events, false, &t);
	}
	return tally_print(&t, count, now() - start);
}

/* False: nothing came of it. */
static bool
is_answered(void)
{
	int fd = socket(at.any.sa_family, SOCK_STREAM, 0);
	struct timeval patience = { .tv_sec = 5 };
	uint8_t byte;
	bool r;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	r = connect(fd, &at.any, at_len) == 0 &&
		send(fd, bytes, SIZE, MSG_NOSIGNAL) == SIZE && read(fd, &byte, 1) == 1;
	close(fd);
	return r;
}

static int
first(void)
{
	const struct timespec pause = { .tv_nsec = 100000 };

	puts("trying");
	fflush(stdout);
	while (!is_answered())
		nanosleep(&pause, NULL);
	printf("answered %.6f\n", now());
	return 0;
}

/* How it failed, for the one who reads the benchmark's output. */
static struct flow *
opening_failed(size_t done, size_t count, const struct flow *f)
{
	const char *how = f ? "one was ended" : "time was up";
	int why = 0;
	socklen_t len = sizeof(why);

	if (f && getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 && why != 0)
		how = strerror(why);
	printf("%zu of %zu flows were open; then %s\n", done, count, how);
	return NULL;
}

/* Opens all, a few at a time; each has had one answer. */
static struct flow *
flows_open(size_t count)
{
	struct flow *f = calloc(count, sizeof(*f));
	size_t begun = 0, done = 0;
	struct epoll_event e[EVENTS];
	double start = now();
	int n, k, r;

	while (done < count) {
		while (begun < count && begun - done < OPENING)
			flow_open(&f[begun++]);
		n = epoll_wait(poller, e, EVENTS, PATIENCE_MS);
		if (n <= 0 || now() - start > opening_most)
			return opening_failed(done, count, NULL);
		for (k = 0; k < n; k++) {
			r = flow_step(e[k].data.ptr, e[k].events);
			if (r < 0)
				return opening_failed(done, count, e[k].data.ptr);
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
			if (r < 0) {
				printf("one of %zu busy flows was ended\n", count);
				return 1;
			}
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
	double limit = argc == 7 ? atof(argv[6]) : 1e9;

	if (argc < 4)
		return 2;
	setrlimit(RLIMIT_NOFILE, &most);
	signal(SIGPIPE, SIG_IGN);
	at_set(argv[2], argv[3]);
	poller = epoll_create1(0);
	if (strcmp(argv[1], "serve") == 0 || strcmp(argv[1], "answer") == 0)
		return serve(argv[1][0] == 'a');
	if (strcmp(argv[1], "first") == 0)
		return first();
	if (strcmp(argv[1], "hold") == 0 && argc == 5)
		return hold((size_t)atoi(argv[4]));
	if (strcmp(argv[1], "connect") == 0 && argc >= 6)
		return connections(
			(size_t)atoi(argv[4]), (size_t)atoi(argv[5]), false, limit);
	if (strcmp(argv[1], "fetch") == 0 && argc >= 6)
		return connections(
			(size_t)atoi(argv[4]), (size_t)atoi(argv[5]), true, limit);
	if (strcmp(argv[1], "offer") == 0 && argc == 6)
		return offer(atof(argv[4]), atof(argv[5]));
	if (strcmp(argv[1], "pingpong") == 0 && argc == 6)
		return pingpong((size_t)atoi(argv[4]), atof(argv[5]));
	return 2;
}
