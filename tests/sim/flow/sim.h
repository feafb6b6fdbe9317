/* SPDX-License-Identifier: MIT */
#ifndef SIM_FLOW_SIM_H
#define SIM_FLOW_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/flow.h"
#include "platform/direct.h"
#include "sim/script/script.h"

/*
 * The flow room between two scripts: an application that speaks TCP, UDP and
 * ping through a device of memory, and outbounds that do what the test says.
 * The stack, the rules and the dns room are the real ones; time and readiness
 * are scripted.
 */

enum {
	SIM_TUN = 7,
	SIM_PING4 = 8,
	SIM_DIRECT4 = 9,
	SIM_ENDS = 10,
	SIM_FARS = 600,
	SIM_BYTES = 1 << 20
};

/* The application's side of one TCP connection, or of one UDP socket or pinger. */
struct app {
	struct endpoint source, target;
	uint32_t seq, ack;
	bool connected, fin, rst; /* what it was told */
	bool deaf;                /* acknowledges nothing */
	bool challenged;          /* by a SYN amid the connection */
	bool closed;              /* is not there any more: its kernel resets all */
	int icmp;                 /* code of an "unreachable"; -1: none */
	uint16_t icmp_mtu;        /* that it named */
	uint8_t *got;             /* SIM_BYTES */
	size_t got_len;
	unsigned datagrams, echoes;
	struct endpoint from; /* of the last datagram */
	uint16_t echo_id, echo_seq;
};

extern uint8_t sim_hops; /* of all that applications send */

struct app *app_new(const char *source, const char *target);
void app_syn(struct app *a);
void app_says(struct app *a, const void *p, size_t len);
void app_ends(struct app *a);
void app_resets(struct app *a);
/* A datagram to the target that it has at the moment. */
void app_sends(struct app *a, const void *p, size_t len);
/* To this target from now on, and until all is done that follows. */
void app_sends_to(struct app *a, const char *target, const void *p, size_t len);
bool endpoint_is(const struct endpoint *e, const char *text);
void app_pings(struct app *a, uint16_t id, uint16_t seq);

/* What an outbound was asked for: a stream or a packets. */
struct far {
	struct stream s;
	struct packets k;
	struct outbound *o; /* held */
	struct task *owner;
	struct endpoint to;
	char name[NAME_MAX_LEN + 1];
	int open;          /* what open answers */
	uint8_t *in, *out; /* SIM_BYTES each; for packets one datagram each */
	size_t in_len, in_at, out_len;
	bool in_ends;
	int error; /* after `in`, and of all sends */
	size_t room;
	bool shut, freed;
	bool waits;                /* it has told its owner to wait */
	struct endpoint from;      /* of the datagram at `in` */
	int news;                  /* PACKETS_REFUSED ...; told once */
	unsigned sent;             /* datagrams */
	struct endpoint last_sent; /* where the last one went */
};

/* The n-th that was asked for; NULL: so many there were not. */
struct far *far_at(size_t n);
size_t far_count(void);
void far_opens(struct far *f, int result);
void far_says(struct far *f, const void *p, size_t len);
void far_ends(struct far *f);
void far_fails(struct far *f, int error);
/* A datagram, or PACKETS_REFUSED or PACKETS_UNREACHABLE, from `from`. */
void far_datagram(struct far *f, const char *from, const void *p, size_t len);
void far_news(struct far *f, const char *from, int news);

/* What is pinged: the last request that left, and the answer to it. */
struct pinged {
	struct ip to;
	uint16_t seq;
	unsigned n;
};
extern struct pinged pinged;
void ping_answers(const char *from, uint16_t seq);

/* What has been handed back. */
struct kernel {
	unsigned sent;      /* packets that it took, */
	unsigned resets;    /* and those of them that are resets of TCP */
	unsigned withdrawn; /* ends that it is to carry nothing of */
	int withdraws;      /* its answer to that */
	struct ip to;       /* of the last one */
	int answer;         /* to those that follow */
	int mtu;            /* what is longer is too long; 0: nothing is */
	bool ended;         /* there is news: */
	struct net_direct_end end;
};
extern struct kernel kernel;
void kernel_tells(const struct net_direct_end *end);

/* What the server's network is, and a rule that sends it by "vmess". */
extern const char *const sim_server_net[];
extern const struct rule_spec sim_by_server;

struct sim_config {
	struct flows_config flows;
	struct sniffing sniffing;
	struct flow_policy policy;
	const struct rule_spec *rule; /* outbounds: "direct", which is the first, "vmess",
					 "block" and "steered" (truthful, not direct) */
	size_t nrule;
	bool no_server; /* dns knows no resolver */
};

extern struct loop *loop;
extern struct flows *flows;
extern struct tcp_memory *memory; /* of the outbounds; only "vmess" is heavy */

/* A setup of the test's own, to be swapped in; dropped by the caller. */
struct setup *sim_setup(const struct sim_config *c);
unsigned sim_setups(void); /* that live */
void sim_begin(const struct sim_config *c);
/* Flows and associations that live. */
size_t sim_tcp(void);
size_t sim_udp(void);
/* All packets on their way arrive, and all that follows from it happens, in no time. */
void sim_settle(void);
void sim_pass(uint64_t ms);
void sim_device_full(bool full);
/* The kernel has no memory for packets, and says nothing when it has. */
void sim_device_short(bool is_short);
/* Ends the flows and everything; nothing may be left. */
void sim_end(void);

/* Shorthand: a connection that is made and whose far side is open. */
struct app *sim_connected(const char *source, const char *target, struct far **far);

#endif
