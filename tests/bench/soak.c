/* SPDX-License-Identifier: MIT */
#include "now.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Flows that come and go, each byte of which is compared.
 *
 *	soak serve ADDRESS PORT                 sends back what comes
 *	soak flows ADDRESS PORT FLOWS SECONDS RESTING   so many at a time; then one line of JSON
 *
 * A flow sends between 64 bytes and 16 MB of a stream of its own, mostly few, and reads
 * them again; some fall silent for a while between, some are reset or closed in the middle.
 * RESTING of the flows, which are the first ones, say a few words at a time, with seconds
 * between.
 */
enum {
	PIECE = 16384,
	EVENTS = 256,
	SILENT_S = 5,
	PATIENCE_S = 240,
	WORDS = 512,   /* bytes that a resting flow says at once */
	SPEECH = 8192, /* and in all, at most */
	REST_MS = 10000,
	BEGIN = 100, /* flows that are begun in a tenth of a second, at most */
};

struct flow {
	int fd;           /* -1: none */
	uint64_t out, in; /* the states of its stream: sent, and expected */
	size_t length, sent, got;
	size_t leaves_at; /* in `got`; length: when it has all */
	double moved;     /* when something came last */
	double silent;    /* until then it says nothing */
	bool resets;
	bool rests;
};

static struct sockaddr_in at;
static int poller;
static uint64_t chance = 88172645463325252u;
static struct {
	unsigned long opened, whole, cut, failed, wrong, stuck;
	unsigned long long bytes;
} count;

/* xorshift64. */
static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void
watch(int how, int fd, uint32_t events, void *p)
{
	struct epoll_event e = { .events = events, .data.ptr = p };

	epoll_ctl(poller, how, fd, &e);
}

/* One side of the server: what could not be sent back yet. */
struct guest {
	int fd;
	size_t from, to;
	uint8_t mem[PIECE];
};

/* False: the guest has left. */
static bool
guest_serve(struct guest *g)
{
	bool was_full = g->from < g->to;
	ssize_t n;

	if (!was_full) {
		n = read(g->fd, g->mem, PIECE);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		g->from = 0;
		g->to = n > 0 ? (size_t)n : 0;
	}
	n = g->to > g->from ? send(g->fd, g->mem + g->from, g->to - g->from, MSG_NOSIGNAL)
			    : 0;
	if (n < 0 && errno != EAGAIN)
		return false;
	g->from += n > 0 ? (size_t)n : 0;
	if (was_full != (g->from < g->to))
		watch(EPOLL_CTL_MOD, g->fd, was_full ? EPOLLIN : EPOLLOUT, g);
	return true;
}

static int
serve(void)
{
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, n, i, fd;
	struct epoll_event e[EVENTS];
	struct guest *g;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l, (struct sockaddr *)&at, sizeof(at)) || listen(l, 4096))
		return 1;
	watch(EPOLL_CTL_ADD, l, EPOLLIN, NULL);
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(poller, e, EVENTS, -1);
		for (i = 0; i < n; i++) {
			g = e[i].data.ptr;
			if (g && !guest_serve(g)) {
				close(g->fd);
				free(g);
			}
			while (!g && (fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				struct guest *new = calloc(1, sizeof(*new));

				new->fd = fd;
				watch(EPOLL_CTL_ADD, fd, EPOLLIN, new);
			}
		}
	}
}

static size_t
length_draw(void)
{
	static const size_t most[16] = { 256, 256, 256, 256, 4096, 4096, 4096, 4096, 4096,
		65536, 65536, 65536, 65536, 1 << 20, 1 << 20, 16 << 20 };
	size_t limit = most[next(&chance) % 16];

	/* The longest ones are one of 64. */
	if (limit > 1 << 20 && next(&chance) % 4)
		limit = 1 << 20;
	return 64 + next(&chance) % (limit - 63);
}

static void
flow_open(struct flow *f)
{
	*f = (struct flow){ .out = next(&chance), .rests = f->rests, .moved = now() };
	f->length = f->rests ? 64 + next(&chance) % SPEECH : length_draw();
	f->in = f->out;
	f->leaves_at = f->length;
	if (next(&chance) % 10 == 0)
		f->leaves_at = next(&chance) % f->length;
	f->resets = next(&chance) % 4 == 0;
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(f->fd, (struct sockaddr *)&at, sizeof(at)) < 0 &&
		errno != EINPROGRESS) {
		count.failed++;
		close(f->fd);
		f->fd = -1;
		return;
	}
	count.opened++;
	watch(EPOLL_CTL_ADD, f->fd, EPOLLIN | EPOLLOUT, f);
}

static void
flow_close(struct flow *f)
{
	struct linger hard = { 1, 0 };

	if (f->resets)
		setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(f->fd);
	f->fd = -1;
}

/* Else the pause would be asked for with each event. */
static void
flow_rest(struct flow *f)
{
	unsigned ms = 0;

	if (f->sent < f->length && f->rests)
		ms = 1 + (unsigned)(next(&chance) % REST_MS);
	else if (f->sent < f->length && next(&chance) % 256 == 0)
		ms = 1 + (unsigned)(next(&chance) % (SILENT_S * 1000));
	if (ms == 0)
		return;
	f->silent = now() + ms / 1e3;
	watch(EPOLL_CTL_MOD, f->fd, EPOLLIN, f);
}

static void
flow_say(struct flow *f)
{
	uint8_t mem[PIECE];
	size_t len = f->length - f->sent, most = f->rests ? WORDS : PIECE, i;
	uint64_t x = f->out;
	ssize_t n;

	len = len < most ? len : most;
	for (i = 0; i < len; i++)
		mem[i] = (uint8_t)next(&x);
	n = send(f->fd, mem, len, MSG_NOSIGNAL);
	for (i = 0; n > 0 && i < (size_t)n; i++)
		next(&f->out);
	f->sent += n > 0 ? (size_t)n : 0;
	if (f->sent == f->length)
		watch(EPOLL_CTL_MOD, f->fd, EPOLLIN, f);
	flow_rest(f);
}

/* False: it is over. */
static bool
flow_hear(struct flow *f)
{
	uint8_t mem[PIECE];
	ssize_t n = read(f->fd, mem, sizeof(mem)), i;

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0) {
		count.failed++;
		return false;
	}
	for (i = 0; i < n; i++)
		if (mem[i] != (uint8_t)next(&f->in)) {
			count.wrong++;
			return false;
		}
	f->got += (size_t)n;
	f->moved = now();
	count.bytes += (unsigned long long)n;
	if (f->got < f->leaves_at)
		return true;
	count.whole += f->got == f->length;
	count.cut += f->got < f->length;
	return false;
}

/* Those that have been silent go on; those that wait in vain are given up. */
static void
flows_look(struct flow *f, size_t flows)
{
	double t = now(), patience = PATIENCE_S + REST_MS / 1000;
	size_t i, begun = 0;

	for (i = 0; i < flows; i++) {
		if (f[i].fd >= 0 && f[i].silent > 0 && t > f[i].silent) {
			f[i].silent = 0;
			watch(EPOLL_CTL_MOD, f[i].fd, EPOLLIN | EPOLLOUT, &f[i]);
		}
		if (f[i].fd >= 0 && t - f[i].moved > patience) {
			count.stuck++;
			flow_close(&f[i]);
		}
		if (f[i].fd < 0 && begun++ < BEGIN)
			flow_open(&f[i]);
	}
}

static void
flow_step(struct flow *f, uint32_t events)
{
	bool goes_on = true;

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		goes_on = flow_hear(f);
	if (goes_on && events & EPOLLOUT)
		flow_say(f);
	if (!goes_on)
		flow_close(f);
}

static int
run(size_t flows, double seconds, size_t resting)
{
	struct flow *f = calloc(flows, sizeof(*f));
	double end = now() + seconds, look = 0;
	struct epoll_event e[EVENTS];
	size_t i;
	int n, k;

	for (i = 0; i < flows; i++) {
		f[i].fd = -1;
		f[i].rests = i < resting;
	}
	while (now() < end) {
		if (now() > look) {
			flows_look(f, flows);
			look = now() + 0.1;
		}
		n = epoll_wait(poller, e, EVENTS, 100);
		for (k = 0; k < n; k++)
			flow_step(e[k].data.ptr, e[k].events);
	}
	for (i = 0; i < flows; i++)
		if (f[i].fd >= 0)
			flow_close(&f[i]);
	printf("{\"opened\": %lu, \"whole\": %lu, \"cut\": %lu, \"failed\": %lu, "
	       "\"wrong\": %lu, \"stuck\": %lu, \"GB\": %.3f}\n",
		count.opened, count.whole, count.cut, count.failed, count.wrong,
		count.stuck, (double)count.bytes / 1e9);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	at.sin_family = AF_INET;
	at.sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &at.sin_addr);
	poller = epoll_create1(0);
	if (strcmp(argv[1], "serve") == 0)
		return serve();
	if (strcmp(argv[1], "flows") == 0 && argc == 7)
		return run((size_t)atoi(argv[4]), atof(argv[5]), (size_t)atoi(argv[6]));
	return 2;
}
