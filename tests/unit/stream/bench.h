/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_BENCH_H
#define UNIT_STREAM_BENCH_H

#include "unit/stream/check.h"

#include "stream/tcp.h"

/* What the tests of the bottom layers have in common: a loop and memory around a stream on
 * loopback, and its owner. */
struct bench {
	struct loop *loop;
	struct tcp_memory *memory;
	struct task owner;
	struct stream *s; /* NULL after bench_start */
	int far;          /* the other end; -1: closed */
	unsigned woken;   /* so often its owner was */
};

void bench_start(struct bench *b);
/* The same with a connection of the kernel's TCP, whose far end blocks. */
void bench_connected(struct bench *b);
/* Checks that every block came home. */
void bench_end(struct bench *b);

/* Waits until the owner is made ready. */
void wait_woken(struct bench *b);
/* Calls open until it says something else than AGAIN. */
int open_fully(struct bench *b);
struct endpoint loopback(int family, uint16_t port);

#endif
