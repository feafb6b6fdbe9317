/* SPDX-License-Identifier: MIT */
#ifndef FLOW_HANDBACK_H
#define FLOW_HANDBACK_H

#include "base/addr.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "loop/loop.h"
#include "stack/stack.h"

/*
 * Direct flows in the kernel.  A flow that the rules send out as it is, and for
 * which its first packet was enough to say so, is handed back: that packet
 * leaves by a socket of the keeper's, and the system carries what follows past
 * the device.  Here is remembered which flows those are, until the system says
 * that they have ended, and how much they carried.
 */
enum {
	HANDED_NEW_MS =
		1000,      /* an end before that is of the one before on the same ports */
	HANDED_TURN = 256, /* ends that are read in a turn */
	HANDED_UDP_MS = 60000, /* what comes later has another socket, as in the table */
};

struct flows;
struct setup;
struct verdict;

struct handback {
	struct pool pool;
	struct table table;
	struct list by_age; /* the oldest first */
	/* Bytes of those that went on when flows_see was called last. */
	uint64_t running_up, running_down;
	bool is_listed; /* it had the whole list of them, of engines before too */
	bool ending;    /* what ends now ends with sluice, */
	bool (*is_over)(void *arg); /* as is asked here; NULL: nobody knows */
	void *over_arg;
	uint16_t fragment_id; /* that a datagram got last */
	int fd4, fd6;    /* net_direct_open's, borrowed; -1: that family has the stack */
	bool quic_alone; /* of datagrams, but echoes */
	int ends;        /* net_direct_follow's, borrowed; -1: none */
	struct watch watch;
	struct task task;
	struct log_limit troubles;
};

/* handed.c */
/* 0, or -ENOMEM. */
int handed_init(struct flows *fs, size_t max);
/* The blocks that did not come home. */
size_t handed_fini(struct flows *fs);
/* Begins to remember a flow; one that begins anew takes the place of the one before. `syn`
 * is the first number of TCP, by which one that asks once more is the same. */
void handed_note(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target, uint32_t syn, const struct verdict *v,
	int outbound);

enum handed_state {
	HANDED_NOT,  /* nothing is known that helps: decide */
	HANDED_OPEN, /* it was handed back, and goes on */
	HANDED_OVER, /* it has ended, or these ends were decided otherwise since */
};

enum handed_state handed_look(struct flows *fs, enum network network,
	const struct endpoint *source, const struct endpoint *target);
/* These ends begin anew: what is remembered counts for the news of its end alone. */
void handed_revoke(struct flows *fs, enum network network, const struct endpoint *source,
	const struct endpoint *target);

/* Of the packet that the stack was given.  Only what this machine's own applications send
 * comes from the device's address and has hops left: what is forwarded for others has a
 * limit of 1 where any flow is handed back. */
bool handback_is_own(const struct flows *fs, const struct ip *source);

/*
 * handback.c: the stack's questions, before anybody else is asked.  True: the
 * packet is with the kernel, or *a is the answer.
 */
bool handback_syn(struct flows *fs, const struct endpoint *source,
	const struct endpoint *target, enum stack_answer *a);
bool handback_stray(
	struct flows *fs, const struct endpoint *source, const struct endpoint *target);
bool handback_datagram(
	struct flows *fs, const struct endpoint *source, const struct endpoint *target);
bool handback_echo(struct flows *fs, const struct ip *source, const struct ip *target);

#endif
