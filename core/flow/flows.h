/* SPDX-License-Identifier: MIT */
#ifndef FLOW_FLOWS_H
#define FLOW_FLOWS_H

#include "base/pool.h"
#include "flow/assoc.h"
#include "flow/flow.h"
#include "flow/handback.h"
#include "flow/ping.h"
#include "flow/tun_port.h"

/*
 * The inside of the room: what its files share.  A flow, an association or a
 * leg that has ended lies in a list of the dead until the end of the turn, so
 * that nobody who is on the way through it meets freed memory.
 */
struct flow_table {
	struct pool pool; /* struct flow */
	struct pool openings;
	struct pool early;   /* first bytes that were read before the way out is open */
	struct list by_use;  /* the one that was used longest ago first */
	struct list leaving; /* will end in this turn, or when the stack lets go */
	struct list dead;
	size_t max;
	size_t peak, peak_bytes; /* the most at a time, since memory was given back */
	struct timer relief;     /* ends those who hold what others wait for */
	bool refused;            /* somebody, for want of memory, since it looked last */
	struct timer trim;       /* gives it back, a while after many have ended */
};

struct flows {
	struct loop *loop;
	struct stack *stack; /* owned */
	struct setup *setup; /* counted: for new flows */
	struct dns *dns;     /* borrowed */
	struct names *names; /* borrowed */
	struct stack_user user;
	struct flow_counters count;
	struct log_limit shortage, limits;
	uint64_t over_said; /* of what met a limit, the log has told of so many */
	struct cidr device[TUN_ADDRS];
	int ndevice;
	struct turn_end reaper;
	struct tun_port tun;
	struct flow_table tcp;
	struct assocs assocs;
	struct pings pings;
	struct handback handback;
};

/* Whether a way out failed for want of descriptors or memory of this machine, which
 * says nothing about the target. */
bool flows_are_short(int error);
/* False: there is too little memory for one more connection by it, which is said. */
bool flows_let_out(struct flows *fs, const struct outbound *o);
/* A way out has failed: of the other side's doing where it did not keep to the protocol.
 * `reason` is for people, or NULL; `target` is where it should have led, where that may be
 * the reason, and not the way; else NULL. */
void flows_note_failure(struct flows *fs, struct outbound *o, int error,
	const char *reason, const struct endpoint *target);
/* Bytes of applications have passed, either way. */
void flows_note_bytes(struct flows *fs, struct outbound *o, uint64_t up, uint64_t down);
/* Something by it has had its turn, or was refused: where any wait for memory, those who hold
 * it without need will be looked for. */
void flows_note_hunger(struct flows *fs, const struct outbound *o);
/* No flow goes to such an address: nobody, everybody, or the engine itself. */
bool flows_refuse(const struct ip *target);
/* Our resolver's address, whatever the port: it is nobody else's. */
bool flows_own(const struct flows *fs, const struct ip *target);
/* Which of the device's own addresses it is; -1: none. */
int flows_device(const struct flows *fs, const struct ip *ip);
/* What a direct outbound sends to this address comes back by the device, for ever. */
bool flows_lead_back(const struct flows *fs, const struct ip *target);

/* trim.c */
void trim_init(struct flows *fs);
/* Where so many flows have ended, or so much less is under way, that it is worth the time,
 * memory goes back to the system two seconds later. */
void trim_look(struct flows *fs);

void flow_table_init(struct flows *fs, size_t max);
/* Ends all flows; those whose connection the stack still keeps go with flow_table_fini.
 */
void flow_table_close(struct flows *fs);
/* After stack_free. The blocks that did not come home. */
size_t flow_table_fini(struct flows *fs);
void flow_table_reap(struct flows *fs);

/* The stack's questions about TCP. */
enum stack_answer flow_syn(struct flows *fs, const struct endpoint *source,
	const struct endpoint *target, struct held *held, void **cookie);
void flow_conn(void *cookie, struct stream *conn);
void flow_gone(void *cookie, enum stack_gone why);

#endif
