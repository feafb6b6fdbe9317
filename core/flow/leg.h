/* SPDX-License-Identifier: MIT */
#ifndef FLOW_LEG_H
#define FLOW_LEG_H

#include "flow/facts.h"
#include "flow/flows.h"
#include "flow/outbox.h"
#include "flow/queue.h"

struct assoc {
	struct table_node in_table;
	struct list node;         /* in its place in assocs, or among the dead */
	struct list routes, legs; /* owned; routes: the one used longest ago first */
	struct flows *flows;
	struct endpoint source;
	uint16_t nroutes; /* ASSOC_ROUTES at most */
	bool answered;    /* it is in assocs.answered, else in assocs.by_use */
};

_Static_assert(sizeof(struct assoc) <= 96, "there are thousands");

struct assoc_route_key {
	struct endpoint source, target;
	bool ours; /* our resolver was asked, which asks the target */
};

/* What the rules said about one target of an association. */
struct assoc_route {
	struct setup *setup; /* counted */
	struct table_node in_table;
	struct list node; /* in the association */
	struct assoc *assoc;
	struct leg *leg;           /* the association's; NULL: none now */
	struct outbound *outbound; /* the setup's */
	uint64_t began, retry;     /* loop time; no new leg before `retry` */
	uint64_t up, down;         /* bytes */
	char *name;                /* owned; NULL: not known */
	uint32_t used;             /* loop time as of 32 bits: it never rests for weeks */
	uint32_t unanswered;       /* datagrams */
	struct endpoint target;
	int16_t rule; /* as a verdict has it: a setup has 4,096 rules at most */
	bool ours;    /* as in a key */
};

_Static_assert(sizeof(struct assoc_route) <= 136, "there are thousands");

struct leg {
	struct packets *packets;   /* owned; NULL: ended in this turn */
	struct queue queue;        /* owned */
	struct outbound *outbound; /* counted */
	struct list node;          /* in the association, or among the dead */
	struct assoc *assoc;       /* which lives as long, but for this turn */
	struct assoc_route
		*only; /* the route that it serves; NULL: all of its outbound */
	struct task task;
	uint8_t outgoing; /* its place in the outbox */
	bool open;
};

_Static_assert(sizeof(struct leg) <= 88, "there are thousands");

/* Datagrams of the application; refused, dropped or queued where they cannot go. */
void leg_send(struct assoc_route *r, const struct stack_datagram *d);
/* What waits in the outbox leaves. */
void legs_flush(struct flows *fs);
/* What the application sees as the other side. */
const struct endpoint *assoc_route_seen_as(const struct assoc_route *r);
/* The route goes: so does a leg that only it used. */
void leg_leave(struct assoc_route *r);
void leg_free(struct leg *g);
/* At the end of the turn. */
void leg_bury(struct leg *g);

/* assoc.c */
void assoc_route_used(struct assoc_route *r);
/* So many datagrams, `len` bytes in all, are on their way. */
void assoc_route_sent(struct assoc_route *r, size_t len, uint32_t count);
/* So many datagrams, `len` bytes in all. */
void assoc_route_answered(struct assoc_route *r, size_t len, uint32_t count);
/* The same where only the source of the answer is known. */
void
assoc_answered(struct assoc *a, const struct endpoint *from, size_t len, uint32_t count);
/* NULL: there is none. */
struct assoc_route *assoc_route_find(struct assocs *all, const struct assoc_route_key *k);

#endif
