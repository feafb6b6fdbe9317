/* SPDX-License-Identifier: MIT */
#include "now.h"
#include "place.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What the benchmarks of datagrams are driven by; each writes one line of JSON.
 *
 *	dgram serve ADDRESS PORT               counts; answers a question with the count
 *	dgram echo ADDRESS PORT                sends back what comes
 *	dgram names ADDRESS PORT               answers every question with an address
 *	dgram rate ADDRESS PORT FLOWS SECONDS [SIZE]
 *	                  64 or so many bytes, a flow after the other: the highest rate
 *	                  that loses less than 0.1 %, by bisection; and the most that
 *	                  arrived a second, whatever was lost
 *	dgram asks ADDRESS PORT COUNT AT-ONCE [SECONDS]
 *	                  a question from a new socket each; after so many seconds no more
 *	dgram hold ADDRESS PORT FLOWS          a datagram and its echo each; until ended
 */
enum {
	SIZE = 64,
	SIZE_MOST = 1452,
	QUESTION = 2,
	BATCH = 64,
	OPENING = 16,
	EVENTS = 256,
	BUFFER = 32 << 20,
	PAUSE_US = 300000,
	PATIENCE = 20000, /* tenths of a millisecond */
	DEAF = 20         /* after so many without an echo none is waited for */
};

static const double lost_most = 0.001, ask_timeout = 2;

static int poller;

static int
socket_new(void)
{
	int fd = socket(at.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		abort();
	return fd;
}

/* An answer of one address to the question in p; its new length. */
static size_t
answer(uint8_t *p, size_t len)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0,
		2, 80 };

	if (len < 12 || len > 400)
		return 0;
	p[2] |= 0x80;
	p[3] = 0x80;
	p[7] = 1;
	memcpy(p + len, record, sizeof(record));
	return len + sizeof(record);
}

/* Reads in batches, so that the server is not what is measured. */
static int
serve(bool counts, bool names)
{
	static uint8_t mem[BATCH][2048];
	static struct sockaddr_storage from[BATCH];
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	int fd = socket(at.any.sa_family, SOCK_DGRAM, 0), n, i, out, size = BUFFER,
	    digits;
	unsigned long count = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (bind(fd, &at.any, at_len))
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		for (i = 0; i < BATCH; i++) {
			v[i] = (struct iovec){ mem[i], sizeof(mem[i]) - 64 };
			m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &v[i],
				.msg_iovlen = 1 };
		}
		n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
		for (i = out = 0; i < n; i++) {
			v[i].iov_len = m[i].msg_len;
			if (counts && m[i].msg_len == QUESTION) {
				mem[i][0] = mem[i][1]; /* its number */
				digits = snprintf((char *)mem[i] + 1, 32, "%lu", count);
				v[i].iov_len = 1 + (size_t)digits;
				sendto(fd, mem[i], v[i].iov_len, 0,
					(struct sockaddr *)&from[i],
					m[i].msg_hdr.msg_namelen);
			}
			count += m[i].msg_len != QUESTION;
			if (counts)
				continue;
			if (names)
				v[i].iov_len = answer(mem[i], m[i].msg_len);
			m[out++].msg_hdr = m[i].msg_hdr;
		}
		for (i = 0; i<out; i += n> 0 ? n : 1)
			n = sendmmsg(fd, m + i, (unsigned)(out - i), 0);
	}
}

/* How many have arrived at the other side, by a flow of its own. Late answers to earlier
 * questions have another number. */
static unsigned long
arrived(int fd)
{
	static uint8_t number;
	uint8_t question[QUESTION] = { '?', ++number };
	char text[32];
	ssize_t n;
	int i, k;

	for (i = 0; i < 20; i++) {
		send(fd, question, sizeof(question), 0);
		for (k = 0; k < 50; k++) {
			n = recv(fd, text, sizeof(text) - 1, 0);
			if (n > 1 && (uint8_t)text[0] == number) {
				text[n] = 0;
				return strtoul(text + 1, NULL, 10);
			}
			if (n < 0)
				usleep(10000);
		}
	}
	fputs("dgram: nobody answers how many have arrived\n", stderr);
	exit(1);
}

/* The same, when nothing more is on its way. */
static unsigned long
arrived_all(int fd)
{
	unsigned long before, n = arrived(fd);

	do {
		before = n;
		usleep(PAUSE_US);
		n = arrived(fd);
	} while (n != before);
	return n;
}

/* Sends at this rate, a datagram a flow in turn. How many went. */
static unsigned long
offer(const int *fd, size_t flows, size_t size, double rate, double seconds)
{
	static const uint8_t bytes[SIZE_MOST];
	double began = now(), passed;
	unsigned long sent = 0, due;
	size_t i = 0;

	while ((passed = now() - began) < seconds) {
		due = (unsigned long)(passed * rate);
		/* Behind by much: the sender is the limit. Nothing is made up for. */
		if (due > sent + 256)
			due = sent + 256;
		if (due <= sent)
			usleep(20); /* the other side has this processor, too */
		while (sent < due) {
			if (send(fd[i], bytes, size, 0) == (ssize_t)size)
				sent++;
			i = (i + 1) % flows;
		}
	}
	return sent;
}

static int *
flows_open(size_t count)
{
	int *fd = calloc(count, sizeof(*fd));
	size_t i;

	for (i = 0; i < count; i++) {
		fd[i] = socket_new();
		if (connect(fd[i], &at.any, at_len))
			abort();
	}
	return fd;
}

static int
rate(size_t flows, double seconds, size_t size)
{
	double low = 0, high = 1e6, first = 10e3, try, share, best = 0, loss = 0, offered,
	       through = 0, missed = 1;
	int *fd = flows_open(flows + 1), step;
	unsigned long all, sent, got, carried = 0;

	/* Each flow has its association when the measuring begins. */
	offer(fd, flows, size, (double)flows, 1);
	all = arrived_all(fd[flows]);
	for (step = 0; step < 10; step++) {
		try = high < 1e6 ? (low + high) / 2 : low > 0 ? 2 * low : first;
		sent = offer(fd, flows, size, try, seconds);
		got = arrived_all(fd[flows]) - all;
		all += got;
		carried += got;
		share = 1 - (double)got / (double)sent;
		offered = (double)sent / seconds;
		if ((double)got > through * seconds) {
			through = (double)got / seconds;
			missed = share;
		}
		if (share < lost_most) {
			low = try;
			if (offered > best) {
				best = offered;
				loss = share;
			}
		} else {
			high = offered < try ? offered : try;
		}
		if (offered < try * 0.97 && share < lost_most)
			break; /* the sender can no more */
	}
	printf("{\"rate\": %.0f, \"lost\": %.5f, \"carried\": %lu, \"through\": %.0f, "
	       "\"missed\": %.5f}\n",
		best, loss, carried, through, missed);
	return 0;
}

struct ask {
	int fd;
	uint16_t id;
	double began;
};

static void
ask_begin(struct ask *a, uint16_t id)
{
	uint8_t q[] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 5, 'h', '0', '0', '0', '0', 7,
		'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1 };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = a };

	a->fd = socket_new();
	a->id = id;
	a->began = now();
	q[0] = (uint8_t)(id >> 8);
	q[1] = (uint8_t)id;
	for (int i = 0; i < 4; i++)
		q[14 + i] = (uint8_t)('a' + (id >> 4 * i & 15));
	sendto(a->fd, q, sizeof(q), 0, &at.any, at_len);
	epoll_ctl(poller, EPOLL_CTL_ADD, a->fd, &e);
}

static bool
is_answered(const struct ask *a)
{
	uint8_t p[512];

	return recv(a->fd, p, sizeof(p), 0) > 12 && p[2] & 0x80 &&
		a->id == (uint16_t)(p[0] << 8 | p[1]);
}

static int
earlier(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static int
asks(size_t count, size_t at_once, double seconds)
{
	struct ask *a = calloc(at_once, sizeof(*a));
	float *took = calloc(count, sizeof(*took));
	size_t begun, done = 0, late = 0, i;
	struct epoll_event e[EVENTS];
	double start = now();
	int n, k;

	for (begun = 0; begun < at_once; begun++)
		ask_begin(&a[begun], (uint16_t)begun);
	while (done + late < begun) {
		n = epoll_wait(poller, e, EVENTS, 100);
		for (k = 0; k < n; k++) {
			struct ask *one = e[k].data.ptr;

			if (!is_answered(one))
				continue;
			took[done++] = (float)(now() - one->began);
			close(one->fd);
			one->fd = -1;
			if (begun < count && now() - start < seconds)
				ask_begin(one, (uint16_t)begun++);
			if (done + late == begun)
				break;
		}
		for (i = 0; n < 8 && i < at_once && done + late < begun; i++) {
			if (a[i].fd < 0 || now() - a[i].began < ask_timeout)
				continue;
			late++;
			close(a[i].fd);
			a[i].fd = -1;
			if (begun < count && now() - start < seconds)
				ask_begin(&a[i], (uint16_t)begun++);
		}
	}
	start = now() - start;
	qsort(took, done, sizeof(*took), earlier);
	i = done ? done - 1 : 0;
	printf("{\"rate\": %.1f, \"late\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
		(double)done / start, late, took[i / 2] * 1e3, took[i * 99 / 100] * 1e3);
	return 0;
}

/* Waits for the echo; datagrams may be lost. False: there is none, whatever is sent. */
static bool
is_echoed(int fd)
{
	uint8_t p[SIZE] = { 0 };
	int k;

	for (k = 1; recv(fd, p, SIZE, 0) != SIZE; k++) {
		if (k > PATIENCE)
			return false;
		if (k % 1000 == 0)
			send(fd, p, SIZE, 0);
		usleep(100);
	}
	return true;
}

static _Noreturn void
hold(size_t flows)
{
	static const uint8_t p[SIZE];
	int *fd = flows_open(flows);
	size_t i, unanswered = 0;

	for (i = 0; i < flows + OPENING; i++) {
		if (i >= OPENING)
			unanswered += unanswered >= DEAF || !is_echoed(fd[i - OPENING]);
		if (i < flows)
			send(fd[i], p, SIZE, 0);
	}
	printf("holding %zu, unanswered %zu\n", flows, unanswered);
	fflush(stdout);
	for (;;)
		pause();
}

int
main(int argc, char **argv)
{
	size_t size = argc > 6 ? (size_t)atoi(argv[6]) : SIZE;
	struct rlimit most;

	if (argc < 4)
		return 2;
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	at_set(argv[2], argv[3]);
	poller = epoll_create1(0);
	if (strcmp(argv[1], "serve") == 0)
		return serve(true, false);
	if (strcmp(argv[1], "echo") == 0)
		return serve(false, false);
	if (strcmp(argv[1], "names") == 0)
		return serve(false, true);
	if (strcmp(argv[1], "rate") == 0 && argc >= 6 && size > QUESTION &&
		size <= SIZE_MOST)
		return rate((size_t)atoi(argv[4]), atof(argv[5]), size);
	if (strcmp(argv[1], "asks") == 0 && argc >= 6)
		return asks((size_t)atoi(argv[4]), (size_t)atoi(argv[5]),
			argc > 6 ? atof(argv[6]) : 1e9);
	if (strcmp(argv[1], "hold") == 0 && argc == 5)
		hold((size_t)atoi(argv[4]));
	return 2;
}
