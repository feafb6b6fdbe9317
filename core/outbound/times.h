/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_TIMES_H
#define OUTBOUND_TIMES_H

#include "base/err.h"
#include "outbound/clock.h"
#include "outbound/http_clock.h"
#include "outbound/outbound.h"

/*
 * The time servers of the configuration, which are asked by SNTP what this machine's
 * clock is worth: when a VMess server is silent, or before, where its header shall have
 * the right time.  They are asked one after the other until one answers, each twice, a
 * second apart; after that not again for a while.
 *
 * What is sent is seen on this network, so each goes out only where the rules send such
 * a datagram directly: that is for the gate to say.
 */
enum { TIMES_MAX = 4 };

struct time_server_spec {
	const char *path; /* "config.json: sluice.sntp[0]", for messages */
	struct target at; /* an address, or a name to look up */
};

enum time_gate_answer {
	TIME_GATE_OPEN,      /* through the outbound that was given */
	TIME_GATE_ADDRESSES, /* the rules want the addresses of the name first */
	TIME_GATE_SHUT,      /* the rules do not send it directly; `e` says where */
};

struct time_gate {
	enum time_gate_answer (*ask)(struct time_gate *, const struct target *to,
		struct outbound **o, struct err *e);
};

/* The specs are borrowed, and so are `loop` and `names`. NULL only without memory. */
struct times *times_new(
	const struct outbound_env *env, const struct time_server_spec *server, size_t n);
/* Nothing may be asked any more: before the outbounds of its gate go. */
void times_shut(struct times *t);
void times_free(struct times *t); /* NULL is fine */
/* Borrowed. Before, nobody is asked. */
void times_open(struct times *t, struct time_gate *gate);

/* Asks, where that was not done lately. NULL is fine. */
void times_ask(struct times *t);
/* Asks a VMess server itself, in HTTP, where nobody else is being asked so. NULL is fine. */
void times_ask_http(struct times *t, const struct http_clock_server *s);
/* An answer is on its way, or the next server's turn. NULL is fine. */
bool times_busy(const struct times *t);
/* What was told last; NULL: nothing, or t is NULL. */
const struct clock_reading *times_reading(const struct times *t);

#endif
