/* SPDX-License-Identifier: MIT */
#ifndef FLOW_LIFE_H
#define FLOW_LIFE_H

#include "flow/facts.h"
#include "flow/flows.h"
#include "flow/relay.h"

/* The life of one TCP flow: flow.c (states, table), way.c (finding and opening a way
 * out), open.c (bytes pass). */
enum flow_state {
	FLOW_ROUTING,   /* the rules lack a fact: the name's addresses, the first bytes */
	FLOW_DIALING,   /* the way out is opening */
	FLOW_ADMITTING, /* it is open; the application's handshake is not complete */
	FLOW_OPEN,      /* bytes may pass both ways */
	FLOW_HALF,      /* one side has ended, the other has not */
	FLOW_LINGERING, /* all is said: waits for the application to end too, since a close
			   that meets unread bytes would be a reset, and overtake the rest */
	FLOW_ORPHAN,    /* has ended, but the stack still keeps its cookie */
	FLOW_DEAD,      /* freed at the end of the turn */
} __attribute__((packed));

/* What the stack has of the application's side. */
enum near {
	NEAR_HELD,    /* its SYN */
	NEAR_AWAITED, /* its SYN was answered; the connection or its end will be told */
	NEAR_HERE,    /* the connection is ours */
	NEAR_GONE,    /* nothing */
} __attribute__((packed));

/* What a flow needs until it has a way out, and not for the rest of its life. */
struct opening {
	struct inquiry inquiry; /* owned */
	struct target to;       /* where it goes; name: NULL, or the inquiry's */
	struct verdict verdict; /* once it is decided */
};

struct flow {
	struct relay relay; /* owns both streams and the first bytes, here */
	union {
		struct opening *opening; /* owned, in FLOW_ROUTING */
		char *name; /* owned, later: of its target, for people; or NULL */
	};
	struct setup *setup;       /* counted */
	struct outbound *outbound; /* the setup's; NULL until it is decided */
	struct held *held;         /* the stack's, in NEAR_HELD */
	struct flows *flows;
	struct list node; /* in one list of the table */
	struct task task;
	struct timer timer;            /* what for depends on the state */
	uint64_t began, used;          /* loop time */
	struct endpoint source, asked; /* as the application has it */
	int rule;                      /* as a verdict has it, once decided */
	enum flow_state state;
	enum near near;
	bool late : 1;    /* the timer has fired */
	bool evicted : 1; /* another one needs the place */
	bool decided : 1;
	bool own : 1; /* of this machine's own application */
	/* The far side has failed, and the application takes the rest. */
	bool failing : 1;
	bool bulk : 1; /* passed BULK_LEAST in its last step */
};

_Static_assert(sizeof(struct flow) <= 248, "there are tens of thousands");

void flow_become(struct flow *f, enum flow_state to);
/* Bytes have passed, or something else that shows that it is in use. */
void flow_used(struct flow *f);
/* Ends the flow and says so in the log. `a` answers a SYN that is still held. */
void flow_end(struct flow *f, enum stack_answer a, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool flow_has_ended(const struct flow *f);
/* Leaves of `opening` the name: the flow is about to leave FLOW_ROUTING. */
void flow_opening_drop(struct flow *f);
/* The first bytes are with the way out. */
void flow_early_drop(struct flow *f);
uint64_t flow_now(const struct flow *f);

/* way.c */
enum route {
	ROUTE_CHOSEN, /* f->outbound is set */
	ROUTE_BYTES,  /* the first bytes are needed */
	ROUTE_WAITS,  /* for a name */
	ROUTE_NONE,   /* the rules name an outbound that there is not */
	ROUTE_BACK,   /* a direct outbound, and a target behind our own device */
};
enum route flow_route(struct flow *f);
bool flow_dial(struct flow *f);
/* Ends a flow whose route is one of the last two; what its SYN is answered with. */
enum stack_answer flow_no_way(struct flow *f, enum route r);
void flow_routing_step(struct flow *f);
void flow_dialing_step(struct flow *f);

/* open.c */
/* Ends it because the application's side failed: relay.error. */
void flow_near_failed(struct flow *f);
/* From here on bytes pass, from the flow's next step. */
void flow_opened(struct flow *f);
void flow_open_step(struct flow *f);
void flow_linger_step(struct flow *f);

#endif
