/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_H
#define OUTBOUND_VMESS_H

#include "base/random.h"
#include "outbound/carrier.h"
#include "outbound/clock.h"
#include "outbound/outbound.h"
#include "outbound/transport.h"
#include "outbound/vmess_body.h"
#include "outbound/vmess_header.h"
#include "outbound/vmess_warm.h"
#include "stream/blocks.h"

/*
 * A VMess outbound, and the two things that it makes over a lower stream: a
 * stream for TCP and packets for UDP.  The lower stream may be any; what vmess_reach
 * makes is a connection to the first of the outbound's servers that can be reached.
 */

/* So many alternative ids of a user are used at most: servers take any of them. */
enum { VMESS_ALTER_MAX = 8 };

/*
 * What a connection is counted as, bytes: the structs of all its layers but TLS and the
 * socket's, which count themselves.  One over bare TCP that rests has 352, and 448 more when
 * it has carried much (vmess_mask.h); a WebSocket beneath has 464.  Until the server has
 * answered there is what the opening needs: 1,000, and as much again for a WebSocket's.
 */
enum { VMESS_CONNECTION = 1280, VMESS_OPENING = 2048 };

struct vmess_user {
	struct vmess_keys keys;             /* secret */
	uint8_t alter[VMESS_ALTER_MAX][16]; /* secret */
	size_t nalter;                      /* 0: the header with AEAD */
	enum vmess_security security;
	bool sealed_lengths, no_end_mark;
};

struct vmess_server {
	char *name;              /* owned; NULL: an address */
	char *dead;              /* owned; why no connection can be made; NULL: it can */
	struct endpoint at;      /* family 0: by name */
	struct vmess_user *user; /* owned */
	size_t nuser;
	struct carrier carrier;
	struct way_family family;
	struct way_fast fast;
	struct vmess_patience patience;
	unsigned failures;   /* in a row, to reach it */
	uint64_t resume;     /* on the loop's clock: others come first until then */
	unsigned unanswered; /* connections in a row that ended without an answer */
	bool marks;          /* this server sends end marks: one was seen */
	bool proven;         /* it has answered a connection of ours, ever */
	size_t askers;       /* those that wait for its answer, until then */
	struct timer mute;   /* since they do; owner is `of` */
	struct vmess *of;
	struct clock_choice clock;
	bool asked; /* in HTTP, for the time; then not before... */
	uint64_t ask_again;
	struct clock_reading certificate; /* a bound; not told: its dates agree */
	struct clock_reading said; /* what was last said to be the cause of silence... */
	bool said_tried;           /* ...when another time had been tried in vain */
	struct log_limit away, silent, garbage, muteness;
};

struct vmess {
	struct outbound o;
	struct rng rng; /* for padding, and for the choice of users */
	struct sock_options sock;
	struct vmess_server *server; /* owned */
	size_t nserver;
	size_t next; /* the server with which the next connection begins */
	struct vmess_warm warm;
};

/* Where a connection goes, and as whom. Both belong to the outbound. */
struct vmess_pick {
	struct vmess_server *server;
	struct vmess_user *user;
};

/* 0, or -1 and why; vmess_servers_fini also after -1. */
int vmess_servers_init(struct vmess *v, const struct vmess_spec *spec, struct err *e);
void vmess_servers_fini(struct vmess *v);
/*
 * The server to try next, but none of those whose bits are set in `tried`: round robin
 * over those that were not out of reach lately, and only then the others.  False: none
 * is left.
 */
bool vmess_servers_pick(struct vmess *v, uint64_t tried, struct vmess_pick *p);
void vmess_server_reached(struct vmess_server *s);
/* It is left alone for 10 s, and for twice that each time, up to 5 minutes. */
void vmess_server_failed(struct vmess *v, struct vmess_server *s, const char *why);

/*
 * A connection to one of the outbound's servers; looks like one stream, whose open
 * covers every attempt. Holds the outbound. NULL only without memory.
 */
struct stream *vmess_reach_new(struct vmess *v, struct task *owner);
/* The same, before it is needed: its SYN waits for nothing, and it goes to none of the
 * servers whose bits are set in `without`, but to one there is. */
struct stream *
vmess_reach_new_early(struct vmess *v, uint64_t without, struct task *owner);
/* Of one that is open and unused: AGAIN, and the owner made ready when that changes, as long
 * as its server is silent; OK where it has spoken, or its end. */
int vmess_reach_listen(struct stream *s);
/* The same one is as good as a new one (transport_is_fresh). */
bool vmess_reach_is_fresh(struct stream *s);
/* Frees it. An open one ends in order, and not with a reset. */
void vmess_reach_hang_up(struct stream *s);
/* What a stream that has opened was connected to; for one that is not of
 * vmess_reach_new, the first user of the first server. */
struct vmess_pick vmess_reached(struct vmess *v, const struct stream *s);
/* False: nobody has answered to its SYN yet, which has taken the first bytes along
 * (transport_is_unproven). */
bool vmess_reach_is_up(const struct stream *s);
/* What its server has let be seen of its clock so far. */
void vmess_reach_told(const struct stream *s, struct carrier_told *told);

/* Both take `lower`, also on failure, hold the outbound and copy `to`. NULL without
 * memory. */
struct stream *vmess_stream_new(struct vmess *v, struct stream *lower,
	const struct target *to, struct task *owner);
struct packets *vmess_packets_new(struct vmess *v, struct stream *lower,
	const struct target *to, struct task *owner);

/* The server of this stream, of vmess_stream_new, has shown that it knows the id: its
 * response header has come. */
bool vmess_stream_answered(const struct stream *s);

/* What is known of this machine's clock with regard to the server of that stream, which
 * has come up; NULL: nothing. Borrowed until anything happens to the outbound. */
const struct clock_reading *vmess_stream_clock(const struct stream *s);

/* Why nothing can get through the first server of a VMess outbound, whatever the network
 * does: the configuration has a place-holder. NULL: it may. Borrowed. */
const char *vmess_dead(const struct outbound *o);

/* How people know this server: the outbound's tag, and where it is. Returns `text`. */
const char *vmess_server_text(
	const struct vmess *v, const struct vmess_server *s, char *text, size_t cap);

/* One connection, for what its session reports of the server. */
struct vmess_try {
	struct vmess *v;
	struct vmess_server *server;
	const struct stream *lower; /* what it was reached by */
	enum clock_source time;     /* of its header */
};

/* The time for the header, which is about to be written; sets a->time. */
int64_t vmess_time(struct vmess_try *a);
void vmess_answered(const struct vmess_try *a);
/* Says what is wrong, where that is known or can be guessed. */
void vmess_unanswered(const struct vmess_try *a);
/* One more has sent it a request with payload, and waits; or does so no more. A server that
 * has never answered, and goes on so, is said to. */
void vmess_wait_begin(struct vmess_server *s);
void vmess_wait_end(struct vmess_server *s);
void vmess_mute_init(struct vmess *v, struct vmess_server *s);
void vmess_garbled(struct vmess *v, struct vmess_server *s);
/* The server has answered in HTTP, or with a certificate, perhaps to refuse. `now` is this
 * machine's time. */
void
vmess_clock_hear(struct vmess_server *s, const struct carrier_told *told, int64_t now);
/* The best that is known of this clock, or NULL. */
const struct clock_reading *
vmess_clock_reading(const struct vmess *v, const struct vmess_server *s);

#endif
