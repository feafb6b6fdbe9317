/* SPDX-License-Identifier: MIT */
#include "now.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * latency ADDRESS PORT FLOWS SECONDS EVERY-MS: people at FLOWS keyboards. Each flow says 64
 * bytes, waits for their echo, and says the next ones EVERY-MS after the last, or at once if
 * that is over. One line of JSON: how long the echoes took, and how many the least served
 * flow and all of them had.
 */
enum { SIZE = 64, EVENTS = 256, ANSWERS = 4000000 };

struct flow {
	int fd;
	bool waits; /* for an echo */
	size_t got, answers;
	double said; /* when */
};

static const uint8_t bytes[SIZE];
static float *took;
static size_t answers;

static int
flow_open(struct flow *f, const struct sockaddr_in *at, int poller)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = f };
	int on = 1;

	f->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(f->fd, (const struct sockaddr *)at, sizeof(*at)) < 0)
		return -1;
	return epoll_ctl(poller, EPOLL_CTL_ADD, f->fd, &e);
}

static void
flow_say(struct flow *f)
{
	f->said = now();
	f->waits = send(f->fd, bytes, SIZE, MSG_NOSIGNAL) == SIZE;
}

/* -1: the flow has ended. */
static int
flow_hear(struct flow *f)
{
	uint8_t mem[SIZE];
	ssize_t n = read(f->fd, mem, SIZE - f->got);

	if (n <= 0)
		return -1;
	f->got += (size_t)n;
	if (f->got < SIZE)
		return 0;
	f->got = 0;
	f->waits = false;
	f->answers++;
	if (answers < ANSWERS)
		took[answers++] = (float)(now() - f->said);
	return 0;
}

/* All whose time has come say something; when it is the next one's time. */
static double
flows_say(struct flow *f, size_t count, double every)
{
	double next = now() + 1, due;
	size_t i;

	for (i = 0; i < count; i++) {
		due = f[i].said + every;
		if (f[i].waits)
			continue;
		if (due <= now())
			flow_say(&f[i]);
		else if (due < next)
			next = due;
	}
	return next;
}

static int
earlier(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static void
print(const struct flow *f, size_t count, double seconds)
{
	size_t least = SIZE_MAX, i, last = answers ? answers - 1 : 0;

	for (i = 0; i < count; i++)
		least = f[i].answers < least ? f[i].answers : least;
	qsort(took, answers, sizeof(*took), earlier);
	printf("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"rate\": %.2f, "
	       "\"least\": %.2f}\n",
		took[last / 2] * 1e3, took[last * 99 / 100] * 1e3, took[last] * 1e3,
		(double)answers / seconds / (double)count, (double)least / seconds);
}

static int
run(struct flow *f, size_t count, double seconds, double every, int poller)
{
	struct epoll_event e[EVENTS];
	double began = now(), next, left;
	struct timespec t;
	size_t i;
	int n, k;

	/* Each at its own time, not all at once. */
	for (i = 0; i < count; i++)
		f[i].said = began - every * (double)i / (double)count;
	while (now() - began < seconds) {
		next = flows_say(f, count, every);
		left = next - now() > 0 ? next - now() : 0;
		t = (struct timespec){ .tv_nsec = (long)(left * 999999999) };
		n = epoll_pwait2(poller, e, EVENTS, &t, NULL);
		for (k = 0; k < n; k++)
			if (flow_hear(e[k].data.ptr) < 0)
				return 1;
	}
	print(f, count, seconds);
	return 0;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int poller = epoll_create1(0);
	struct flow *f;
	size_t count, i;

	if (argc != 6)
		return 2;
	prctl(PR_SET_TIMERSLACK, 1);
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &at.sin_addr);
	count = (size_t)atoi(argv[3]);
	f = calloc(count, sizeof(*f));
	took = calloc(ANSWERS, sizeof(*took));
	for (i = 0; i < count; i++)
		if (flow_open(&f[i], &at, poller) < 0)
			return 1;
	return run(f, count, atof(argv[4]), atof(argv[5]) / 1e3, poller);
}
