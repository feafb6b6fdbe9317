/* SPDX-License-Identifier: MIT */
#ifndef FLOW_PING_H
#define FLOW_PING_H

#include "base/addr.h"
#include "loop/loop.h"

/*
 * Echo requests of applications, for what leaves this machine as it is: sent
 * again from a socket of the kernel, and answered only by what comes back.
 * Everything else gets no answer, never a faked one.
 */
enum {
	PINGS_MAX = 1024,     /* outstanding; above: dropped */
	PING_LIFE_MS = 10000, /* an answer that comes later is nobody's */
};

struct flows;

/* A request that is out. */
struct ping {
	struct ip source, target;
	uint16_t id, seq; /* the application's */
	uint16_t ours;    /* the sequence that it went out with */
	bool waits;
	uint64_t sent;
};

struct ping_socket {
	struct flows *flows;
	struct watch watch;
	struct task task;
	int fd; /* borrowed; -1: none */
};

struct pings {
	struct ping *out; /* owned: PINGS_MAX, by `ours` modulo that */
	struct ping_socket v4, v6;
	uint16_t next;
};

/* 0, or -ENOMEM. */
int pings_init(struct flows *fs, int fd4, int fd6);
void pings_fini(struct flows *fs);
void ping_echo(struct flows *fs, const struct ip *source, const struct ip *target,
	uint16_t id, uint16_t seq, const uint8_t *p, size_t len);

#endif
