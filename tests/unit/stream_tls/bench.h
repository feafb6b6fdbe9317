/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_TLS_BENCH_H
#define UNIT_STREAM_TLS_BENCH_H

#include "base/log.h"
#include "stream/tls.h"
#include "unit/stream/check.h"
#include "unit/stream_tls/peer.h"

/* What the tests of TLS have in common. One suite runs for both libraries: a test takes
 * the library as its state. */

extern const enum tls_library libraries[2];
#define EACH_LIBRARY(test)                                                 \
	cmocka_unit_test_prestate(test, (void *)(uintptr_t)&libraries[0]), \
		cmocka_unit_test_prestate(test, (void *)(uintptr_t)&libraries[1])

/* A clock that stands still, some days after the certificates were made. */
extern int64_t bench_clock;
int64_t bench_time(void);

struct bench {
	struct identity id;      /* the server's, after bench_serve */
	struct tls_setup *setup; /* for it, after bench_serve; owned */
	struct loop *loop;
	struct task owner;
	struct tls_stock *stock;
	enum tls_library library;
};

/* Skips the test where the library is not built in. */
void bench_start(struct bench *b, void **state);
/* The same with a server (identity_load), and a setup for it that trusts the root. */
void bench_serve_as(struct bench *b, void **state, const char *key, const char *chain);
/* With the usual one, in which nothing is wrong. */
void bench_serve(struct bench *b, void **state);
/* Another setup in its place. */
void bench_again(struct bench *b, struct tls_spec spec);
void bench_end(struct bench *b);
/* `spec` as a setup that trusts the roots (files of certificates.sh, separated by spaces). */
struct tls_setup *bench_setup(struct bench *b, const char *roots, struct tls_spec spec);

/* A client and a server joined by memory. */
struct pair {
	struct memory m;
	struct peer peer;
	struct stream *s;
};

void pair_start_as(
	struct bench *b, struct pair *p, struct tls_setup *setup, struct identity *id);
/* Of what bench_serve has made. */
void pair_start(struct bench *b, struct pair *p);
void pair_end(struct bench *b, struct pair *p);
/* Carries the handshake to its end: what open answered last. */
int pair_open(struct pair *p);
/* With its handshake behind it. */
void pair_connect(struct bench *b, struct pair *p);
/* Takes all that has come; *n grows by it. What recv_buf answered last. */
int pair_receive(struct pair *p, size_t *n);

#endif
