/* SPDX-License-Identifier: MIT */
#ifndef FLOW_ASSOC_H
#define FLOW_ASSOC_H

#include "base/addr.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "flow/line.h"
#include "flow/outbox.h"
#include "flow/queue.h"
#include "loop/loop.h"

/*
 * UDP.  An association is one source endpoint of an application.  It has
 * routes, one a target, which remember what the rules said; and legs, which
 * are the ways out: one leg serves all targets of an outbound that sends to
 * any (so that the mapping is endpoint-independent, RFC 4787, 4.1), and each
 * target has a leg of its own where the outbound is bound to one.
 */
enum {
	ASSOC_ROUTES = 256,    /* targets an association; the oldest goes */
	ROUTES_PER_ASSOC = 4,  /* on the average: the room's table of routes */
	LEG_TURN = 64,         /* datagrams, joined or not, from one leg in a turn */
	INBOX_MAX = 16,        /* at one go */
	UDP_IDLE = 60,         /* seconds, where the configuration has no other */
	ASSOC_EVICT_MS = 1000, /* one used later than that is not idle */
	LEG_RETRY_MS = 1000,   /* between two tries of a way out that failed */
	DNS_DONE_MS = 5000,    /* after a DNS exchange that was answered, and ... */
	ANSWERED_MAX = 256,    /* ... of more of these the one that waits longest goes */
};

struct flows;
struct flows_config;

/* Associations that end when they have not been used for so long. */
struct resting {
	struct list list;   /* the one that was used longest ago first */
	struct timer timer; /* for that one; armed while there are any */
	uint64_t limit;     /* milliseconds */
	const char *how;    /* they have ended then, for people */
	size_t n;
};

struct assocs {
	struct pool pool, routes, legs;
	struct table by_source, by_route;
	struct resting by_use;
	struct resting answered; /* asked resolvers only, and have their answers */
	struct list dead, dead_legs;
	struct endpoint ours[2]; /* our resolver's for IPv4 and IPv6, once it was asked */
	struct outbox outbox;
	struct lines lines;
	uint8_t *datagram; /* owned: INBOX_MAX datagrams, or a DNS reply */
	size_t max;        /* associations */
	struct queued_total queued;
	struct log_limit troubles;
};

/* 0, or -ENOMEM. */
int assocs_init(struct flows *fs, const struct flows_config *c);
void assocs_close(struct flows *fs);
size_t assocs_fini(struct flows *fs); /* the blocks that did not come home */
void assocs_reap(struct flows *fs);

/* Whether datagrams from `source` to `target` already have a way out here. */
bool
assoc_has(struct flows *fs, const struct endpoint *source, const struct endpoint *target);
/* Whether any do. */
bool assoc_is_open(const struct flows *fs, const struct endpoint *source);
/* Datagrams of an application. */
struct stack_datagram;
void assoc_datagram(struct flows *fs, const struct stack_datagram *d);

#endif
