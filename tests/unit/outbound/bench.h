/* SPDX-License-Identifier: MIT */
#ifndef UNIT_OUTBOUND_BENCH_H
#define UNIT_OUTBOUND_BENCH_H

#include "unit/outbound/check.h"

#include "outbound/outbound.h"
#include "outbound/vmess.h"
#include "unit/outbound/server.h"
#include "unit/stream/memory.h"

/*
 * A VMess outbound on a workbench: a loop and memory around it, and a client over a
 * lower stream in memory with a server at its other end.
 */
enum { NOW = 1700000000 };

/* One engine's worth of things around an outbound. */
struct bench {
	struct loop *loop;
	struct tcp_memory *memory;
	struct names *names; /* NULL: names are not looked up */
	struct outbound *o;
	struct task owner;
	uint8_t id[16];
	unsigned woken;
};

extern struct bench bench;
extern const struct target somewhere; /* a target by name */

/* Any outbound, with the clock of this machine, which finds these names and no others. */
void bench_start_with(
	const struct outbound_spec *spec, const struct names_host *host, size_t n);
void bench_start(enum vmess_security security);
/* The id is always the same. */
void bench_start_as(const struct vmess_user_spec *user);
/* Checks that everything came home. */
void bench_end(void);
struct vmess *bench_vmess(void);
/* Waits until the owner is made ready. */
void wait_woken(void);
/* Calls open until it says something else than AGAIN. */
int open_fully(struct stream *s);
/* A listener; *port is the one that it has, and any where it was 0. */
int listen_at(const char *address, uint16_t *port);
/* What is logged while `what` runs, into text. Its length. */
size_t logged(char *text, size_t cap, void (*what)(void));

/* One client and its server. */
struct call {
	struct memory m;
	struct server server;
	struct stream *s;
	size_t at;
	uint8_t heard[100000];
	size_t heard_len;
};

extern struct call call;

/* What a server says, for server_say: `arg` is a struct memory. */
void feed(void *arg, const uint8_t *p, size_t len);

void call_start_to(const struct target *to);
/* To somewhere, and opened. */
void call_start(void);
void call_end(void);
/* The server hears what was written so far. */
void call_hear(void);
void call_send(const char *text);
/* A byte, and the header with it, leaves. */
void call_ask(void);

#endif
