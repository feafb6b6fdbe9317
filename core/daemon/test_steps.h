/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_TEST_STEPS_H
#define DAEMON_TEST_STEPS_H

#include "outbound/clock.h"
#include "outbound/outbound.h"
#include "stream/tls.h"

/*
 * `sluice test`: one connection through an outbound, a step at a time.  Each step is
 * printed to standard output with its time; the first that fails is the last, and what
 * to do is printed behind it.
 */
enum test_step {
	TEST_NAME,    /* the addresses of the name */
	TEST_TCP,     /* a connection to one of them */
	TEST_TLS,     /* the handshake in it */
	TEST_UPGRADE, /* the answer to WebSocket, HTTPUpgrade or the false HTTP head */
	TEST_VMESS,   /* the server's answer to the header */
	TEST_PROBE,   /* the first byte from the target */
	TEST_DONE,    /* nothing failed */
};

enum { TEST_URL_MAX = 1024 };

/* Plain HTTP behind the outbound. */
struct test_probe {
	char text[TEST_URL_MAX]; /* "http://www.example.com/path", as people wrote it */
	char host[TEST_URL_MAX]; /* with its port, as the Host of the request */
	const char *path;        /* in text; "" stands for "/" */
	char name[NAME_MAX_LEN + 1];
	struct target to; /* its name is above */
};

struct test_way {
	const struct outbound_spec *spec; /* freedom, or VMess with one server and user */
	const struct outbound_env *env;
	const struct test_probe *probe;
	unsigned timeout_ms; /* of each step */
	bool has_sntp;       /* there are time servers, which env->times may ask */
};

/* What went wrong, for the advice. */
struct test_failure {
	enum test_step step;
	int error;    /* -errno */
	bool late;    /* it was given up for its time */
	bool drained; /* the VMess server took no more than it takes from strangers */
	int status;   /* of an HTTP answer to an upgrade; 0: none came */
	enum tls_fault fault;              /* of the TLS handshake */
	const struct clock_reading *clock; /* what is known of this one; NULL: nothing */
};

/* Which step failed; TEST_DONE: none did. -1 and why, where it could not be tried. */
int test_steps_run(const struct test_way *w, struct err *e);

/* What to do about a failure, in one sentence. Returns `text`. */
const char *test_advice(
	const struct test_failure *f, const struct test_way *w, char *text, size_t cap);

#endif
