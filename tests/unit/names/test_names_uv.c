/* SPDX-License-Identifier: MIT */
/* A lookup through the backend that the program has; the rest is in test_names.c. */
#include "names/message.h"
#include "names/names.h"
#include "resolver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TURNS = 400, TURN_MS = 20 };

static void
plain(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, 0, 1, 0);
	answer_address(w, q->type == DNS_A ? "192.0.2.1" : "2001:db8::1", 60);
}

static void
cut(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (q->tcp)
		plain(r, q, w);
	else
		answer_begin(w, q, 0x0200, 0, 0);
}

static void
owner_run(struct task *t)
{
	(void)t;
}

static void
resolve(resolver_script *script, int tcp_queries)
{
	struct names_config c = { .nserver = 1 };
	struct loop *l = loop_new();
	struct resolver r;
	struct lookup *k;
	struct names *n;
	const struct ip *ip;
	struct task owner;
	int i, got = -EAGAIN;

	task_init(&owner, owner_run);
	resolver_start(&r, 1, script);
	c.server[0] = r.at;
	n = names_new(l, &c);
	k = names_lookup(n, "a.example", LOOKUP_V4 | LOOKUP_V6, &owner);
	for (i = 0; i < TURNS && got == -EAGAIN; i++) {
		resolvers_serve();
		loop_turn(l, TURN_MS);
		got = lookup_answer(k, &ip);
	}
	assert_int_equal(got, 2);
	assert_int_equal(r.tcp_queries, tcp_queries);
	lookup_free(k);
	names_free(n);
	task_fini(&owner);
	loop_free(l);
	resolver_stop(&r);
}

static void
over_udp(void **state)
{
	(void)state;
	resolve(plain, 0);
}

static void
over_tcp(void **state)
{
	(void)state;
	resolve(cut, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_udp),
		cmocka_unit_test(over_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
