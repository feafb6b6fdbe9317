/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "lwip/priv/tcp_priv.h"

#include <stdio.h>

enum { MANY = 4000, LONGEST = 16 };

/* The list that lwIP has walked for the last packet: so many steps it takes at most. */
static size_t
steps(void)
{
	const struct tcp_pcb *p;
	size_t n = 0;

	for (p = tcp_active_pcbs; p; p = p->next)
		n++;
	return n;
}

/* Beside 4,000 connections a packet's way to its own is no longer than a few steps. */
static void
test_lookups(void **state)
{
	char me[64];
	struct peer p;
	size_t i, most = 0;

	(void)state;
	host.config.conns_max = 2 * MANY;
	host_restart();
	for (i = 0; i < MANY; i++) {
		snprintf(me, sizeof(me), "198.18.%zu.%zu:40000", i / 250, i % 250 + 1);
		assert_non_null(peer_start(&p, me, "203.0.113.9:81"));
		assert_true(steps() > 0);
		most = steps() > most ? steps() : most;
		peer_fini(&p);
	}
	assert_true(most < LONGEST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { HOST_TEST(test_lookups) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
