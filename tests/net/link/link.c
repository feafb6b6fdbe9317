/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * link [OPTIONS] SPACE DEVICE SPACE DEVICE: a cable between two network namespaces, as
 * long, slow and lossy as the options say. It makes a TUN device in either, says "ready",
 * carries packets until SIGTERM or SIGINT, and then prints what it has counted: one line
 * of JSON. For kernels that have no netem.
 *
 *	--delay MS      one way
 *	--loss PERCENT  of the packets, each by itself, each direction
 *	--rate MBIT     a second; without it, as fast as it goes
 *	--queue KB      what may wait for such a line; 1,000 without it
 *	--seed N        of the losses
 *	--no-offload    packets as they are on the wire: slower, and nothing is cut up
 *
 * Rows of packets (GSO) pass whole. Loss and queue are decided for each packet of a row;
 * those around a lost one go on as rows of their own, as they would leave a card that
 * gathers what it receives.
 */
enum { BATCH = 64, NS = 1000000000 };

struct direction {
	struct line line;
	int from, to; /* devices */
	int end;      /* readable: it is time to go */
	const char *name;
	pthread_t thread;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static int
complain(const char *what)
{
	perror(what);
	return -1;
}

static int
enter(const char *space)
{
	char path[256];
	int fd, r;

	snprintf(path, sizeof(path), "/run/netns/%s", space);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -1 : setns(fd, CLONE_NEWNET);
	if (fd >= 0)
		close(fd);
	return r < 0 ? complain(space) : 0;
}

/* A device there, as a descriptor; -1: said why. */
static int
device_new(const char *space, const char *name, bool offload)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	unsigned long best = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int fd;

	if (enter(space) < 0)
		return -1;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0)
		return complain(name);
	/* 0x60: USO4 and USO6, since Linux 6.2. */
	if (offload && ioctl(fd, TUNSETOFFLOAD, best | 0x60) < 0 &&
		ioctl(fd, TUNSETOFFLOAD, best) < 0)
		return complain("offload");
	return fd;
}

/* False: nothing was there. */
static bool
receive(struct direction *d)
{
	static _Thread_local struct packet spare;
	struct packet *p = line_room(&d->line), *to = p ? p : &spare;
	ssize_t n = read(d->from, to, sizeof(*to));

	if (n <= (ssize_t)sizeof(to->h))
		return false;
	n -= (ssize_t)offsetof(struct packet, b);
	if (p)
		line_take(&d->line, p, (size_t)n, now_ns());
	else
		line_overrun(&d->line, to, (size_t)n);
	return true;
}

static void
deliver(struct direction *d)
{
	uint64_t now = now_ns();
	struct packet *p;
	size_t len;
	int i;

	for (i = 0; i < BATCH && line_due(&d->line) <= now; i++) {
		p = line_first(&d->line, &len);
		len += offsetof(struct packet, b);
		line_leave(&d->line, now, write(d->to, p, len) == (ssize_t)len);
		now = now_ns();
	}
}

/* Until something comes, or is due. False: the end. */
static bool
await(struct direction *d)
{
	struct pollfd on[2] = { { .fd = d->from, .events = POLLIN },
		{ .fd = d->end, .events = POLLIN } };
	uint64_t due = line_due(&d->line), now = now_ns(),
		 left = due > now ? due - now : 0;
	struct timespec t = { .tv_sec = (time_t)(left / NS),
		.tv_nsec = (long)(left % NS) };

	ppoll(on, 2, due == UINT64_MAX ? NULL : &t, NULL);
	return !on[1].revents;
}

static void *
carry(void *p)
{
	struct direction *d = p;
	int i;

	prctl(PR_SET_TIMERSLACK, 1); /* ns; 50 us is what everybody has */
	while (await(d)) {
		for (i = 0; i < BATCH && receive(d); i++)
			;
		deliver(d);
	}
	return NULL;
}

static void
print(const struct direction *d)
{
	const struct line_counts *n = &d->line.n;

	printf("\"%s\": {\"reads\": %" PRIu64 ", \"packets\": %" PRIu64
	       ", \"bytes\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"dropped\": %" PRIu64
	       ", \"overrun\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"left\": %" PRIu64
	       ", \"late_us\": %.1f, \"late_us_max\": %.1f}",
		d->name, n->reads, n->packets, n->bytes, n->lost, n->dropped, n->overrun,
		n->refused, n->left,
		(double)n->late_sum / 1e3 / (double)(n->late_n ? n->late_n : 1),
		(double)n->late_max / 1e3);
}

static int
run(struct direction d[2])
{
	sigset_t ends;
	int number, i;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	for (i = 0; i < 2; i++)
		if (pthread_create(&d[i].thread, NULL, carry, &d[i]) != 0)
			return complain("thread");
	puts("ready");
	fflush(stdout);
	sigwait(&ends, &number);
	eventfd_write(d[0].end, 1);
	for (i = 0; i < 2; i++)
		pthread_join(d[i].thread, NULL);
	printf("{");
	print(&d[0]);
	printf(", ");
	print(&d[1]);
	puts("}");
	return 0;
}

static bool
option(struct line_spec *s, bool *offload, int which, const char *value)
{
	double v = value ? strtod(value, NULL) : 0;

	switch (which) {
	case 'd':
		s->delay = (uint64_t)(v * 1e6);
		return v >= 0 && v <= 10000;
	case 'l':
		s->loss = v / 100;
		return v >= 0 && v < 100;
	case 'r':
		s->rate = v / 8000; /* Mbit/s to bytes a ns */
		return v > 0;
	case 'q':
		s->queue = (uint64_t)(v * 1000);
		return v >= 0;
	case 's':
		s->seed = (uint64_t)v;
		return v >= 0;
	case 'n':
		*offload = false;
		return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	static const struct option names[] = { { "delay", 1, NULL, 'd' },
		{ "loss", 1, NULL, 'l' }, { "rate", 1, NULL, 'r' },
		{ "queue", 1, NULL, 'q' }, { "seed", 1, NULL, 's' },
		{ "no-offload", 0, NULL, 'n' }, { 0 } };
	static struct direction d[2] = { { .name = "there" }, { .name = "back" } };
	struct line_spec spec = { .queue = 1000000 };
	bool offload = true;
	int which, i;

	while ((which = getopt_long(argc, argv, "", names, NULL)) != -1)
		if (!option(&spec, &offload, which, optarg))
			return 2;
	argv += optind;
	if (argc - optind != 4)
		return 2;
	for (i = 0; i < 2; i++) {
		d[i].from = device_new(argv[2 * i], argv[2 * i + 1], offload);
		if (d[i].from < 0 || line_init(&d[i].line, &spec, (uint64_t)i) < 0)
			return 1;
	}
	d[0].to = d[1].from;
	d[1].to = d[0].from;
	d[0].end = d[1].end = eventfd(0, EFD_CLOEXEC);
	return run(d) < 0;
}
