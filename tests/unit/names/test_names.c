/* SPDX-License-Identifier: MIT */
/* What lookups answer, from hosts, cache and resolvers. */
#include "stage.h"

#include "names/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
nxdomain(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, DNS_NXDOMAIN, 0, 1);
	answer_soa(w, 300, 20);
}

static void
only_v4(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (q->type == DNS_A)
		plain(r, q, w);
}

static void
no_v6(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (q->type == DNS_A)
		plain(r, q, w);
	else
		answer_begin(w, q, 0, 0, 0);
}

static void
families_are_interleaved(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, plain, NULL);
	assert_string_equal(resolve(&s, "a.example", BOTH),
		"2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2");
	assert_int_equal(s.a.queries, 2);
	loop_turn(s.loop, 0);
	assert_int_equal(s.ready, 1);
	/* The same from the cache, whatever the writing. */
	assert_string_equal(resolve(&s, "A.Example.", LOOKUP_V4), "192.0.2.1 192.0.2.2");
	assert_string_equal(
		resolve(&s, "a.example", LOOKUP_V6), "2001:db8::1 2001:db8::2");
	assert_int_equal(s.a.queries, 2);
	/* Every query had a port of its own. */
	assert_int_not_equal(s.a.port[0], s.a.port[1]);
	stage_close(&s);
}

static void
cache_ends_with_the_smallest_ttl(void **state)
{
	struct stage s;
	uint64_t end;

	(void)state;
	stage_open(&s, plain, NULL);
	resolve(&s, "a.example", LOOKUP_V4);
	end = loop_now(s.loop) + 29000;
	while (loop_now(s.loop) < end)
		loop_turn(s.loop, 1000);
	resolve(&s, "a.example", LOOKUP_V4);
	assert_int_equal(s.a.queries, 1);
	loop_turn(s.loop, 1000);
	loop_turn(s.loop, 1000);
	resolve(&s, "a.example", LOOKUP_V4);
	assert_int_equal(s.a.queries, 2);
	stage_close(&s);
}

static void
lookups_share_a_question(void **state)
{
	struct lookup *k[20];
	const struct ip *ip;
	struct stage s;
	int i;

	(void)state;
	stage_open(&s, plain, NULL);
	for (i = 0; i < 20; i++)
		k[i] = names_lookup(s.names, "a.example", BOTH, &s.owner);
	lookup_free(k[0]);
	for (i = 1; i < 20; i++) {
		assert_int_equal(until_answer(&s, k[i], &ip), 4);
		lookup_free(k[i]);
	}
	assert_int_equal(s.a.queries, 2);
	stage_close(&s);
}

static void
absence_is_remembered(void **state)
{
	struct stage s;
	int i;

	(void)state;
	stage_open(&s, nxdomain, NULL);
	assert_string_equal(resolve(&s, "no.example", BOTH), "ENOENT");
	assert_string_equal(resolve(&s, "no.example", BOTH), "ENOENT");
	assert_int_equal(s.a.queries, 2);
	for (i = 0; i < 21; i++)
		loop_turn(s.loop, 1000);
	assert_string_equal(resolve(&s, "no.example", BOTH), "ENOENT");
	assert_int_equal(s.a.queries, 4);
	stage_close(&s);
}

static void
one_family_does_not_wait_for_ever(void **state)
{
	struct stage s;
	uint64_t begun;

	(void)state;
	stage_open(&s, only_v4, NULL);
	begun = loop_now(s.loop);
	assert_string_equal(resolve(&s, "a.example", BOTH), "192.0.2.1 192.0.2.2");
	assert_int_equal(loop_now(s.loop) - begun, 300);
	stage_close(&s);
	stage_open(&s, no_v6, NULL);
	assert_string_equal(resolve(&s, "a.example", BOTH), "192.0.2.1 192.0.2.2");
	assert_string_equal(resolve(&s, "a.example", LOOKUP_V6), "ENOENT");
	stage_close(&s);
}

static void
addresses_and_bad_names_at_once(void **state)
{
	static char label[70], name[300];
	const struct ip *ip;
	struct lookup *k;
	struct stage s;

	(void)state;
	stage_open(&s, plain, NULL);
	memset(label, 'a', sizeof(label) - 1);
	memset(name, 'a', sizeof(name) - 1);
	k = names_lookup(s.names, "2001:DB8::5", BOTH, NULL);
	assert_int_equal(lookup_answer(k, &ip), 1);
	assert_int_equal(ip[0].family, 6);
	lookup_free(k);
	assert_string_equal(resolve(&s, "192.0.2.9", BOTH), "192.0.2.9");
	assert_string_equal(resolve(&s, "192.0.2.9", LOOKUP_V6), "ENOENT");
	assert_string_equal(resolve(&s, "localhost", BOTH), "::1 127.0.0.1");
	assert_string_equal(resolve(&s, "x.LocalHost.", LOOKUP_V4), "127.0.0.1");
	assert_string_equal(resolve(&s, label, BOTH), "ENOENT");
	assert_string_equal(resolve(&s, name, BOTH), "ENOENT");
	assert_string_equal(resolve(&s, "", BOTH), "ENOENT");
	assert_string_equal(resolve(&s, "a..b", BOTH), "ENOENT");
	assert_string_equal(resolve(&s, "a b", BOTH), "ENOENT");
	assert_string_equal(resolve(&s, "a\\b", BOTH), "ENOENT");
	assert_int_equal(s.a.queries, 0);
	loop_turn(s.loop, 0);
	assert_int_equal(s.ready, 1); /* once for all, since no turn was between */
	stage_close(&s);
}

static void
no_server_no_answer(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, plain, NULL);
	names_changed(s.names, NULL, 0);
	assert_string_equal(resolve(&s, "a.example", BOTH), "ENETUNREACH");
	assert_string_equal(resolve(&s, "192.0.2.9", BOTH), "192.0.2.9");
	stage_close(&s);
}

static void
hosts_come_first(void **state)
{
	struct ip ip[3];
	struct names_host host[] = {
		{ "a.example", ip, 3, NULL },
		{ "b.example", NULL, 0, "a.example" },
		{ "c.example", NULL, 0, "outside.example" },
		{ "d.example", NULL, 0, "e.example" },
		{ "e.example", NULL, 0, "d.example" },
		{ "f.example", NULL, 0, "198.51.100.44" },
		{ "g.example", ip, 1, NULL },
	};
	struct names_config c = { .host = host, .nhost = 7 };
	struct stage s;

	(void)state;
	ip_parse(&ip[0], "203.0.113.1");
	ip_parse(&ip[1], "203.0.113.2");
	ip_parse(&ip[2], "2001:db8::3");
	stage_open(&s, plain, NULL);
	names_free(s.names);
	c.server[c.nserver++] = s.a.at;
	stage_names(&s, &c);
	assert_string_equal(
		resolve(&s, "A.example", BOTH), "2001:db8::3 203.0.113.1 203.0.113.2");
	assert_string_equal(resolve(&s, "b.example", LOOKUP_V6), "2001:db8::3");
	assert_string_equal(resolve(&s, "d.example", BOTH), "ENOENT");
	assert_string_equal(resolve(&s, "f.example", BOTH), "198.51.100.44");
	assert_string_equal(resolve(&s, "g.example", LOOKUP_V6), "ENOENT");
	assert_int_equal(s.a.queries, 0);
	assert_string_equal(resolve(&s, "c.example", LOOKUP_V4), "192.0.2.1 192.0.2.2");
	assert_int_equal(s.a.queries, 1);
	stage_close(&s);
}

/* At every moment of a lookup: AddressSanitizer and the backend's assertion watch. */
static void
freed_at_any_moment(void **state)
{
	resolver_script *const script[] = { plain, silent, cut, cut_and_gone, servfail,
		only_v4 };
	struct lookup *k;
	struct stage s;
	size_t i;
	int turns, t;

	(void)state;
	for (i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
		for (turns = 0; turns < 8; turns++) {
			stage_open(&s, script[i], other);
			k = names_lookup(s.names, "a.example", BOTH, &s.owner);
			for (t = 0; t < turns; t++)
				loop_turn(s.loop, 700);
			lookup_free(k);
			stage_close(&s);
		}
	}
	lookup_free(NULL);
}

static void
change_begins_anew(void **state)
{
	const struct ip *ip;
	struct lookup *k;
	struct stage s;

	(void)state;
	stage_open(&s, silent, NULL);
	resolver_start(&s.b, 2, plain);
	k = names_lookup(s.names, "a.example", BOTH, &s.owner);
	loop_turn(s.loop, 500);
	loop_turn(s.loop, 500);
	names_changed(s.names, &s.b.at, 1);
	assert_int_equal(until_answer(&s, k, &ip), 4);
	lookup_free(k);
	/* What was cached does not hold in another network. */
	names_changed(s.names, &s.b.at, 1);
	resolve(&s, "a.example", BOTH);
	assert_int_equal(s.b.queries, 4);
	stage_close(&s);
}

/* 512 questions; the others are refused, and get their turn when those have ended. */
static void
questions_are_limited(void **state)
{
	struct lookup *k[520];
	const struct ip *ip;
	char name[32];
	struct stage s;
	int i;

	(void)state;
	stage_open(&s, silent, NULL);
	for (i = 0; i < 520; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		k[i] = names_lookup(s.names, name, LOOKUP_V4, NULL);
		assert_int_equal(
			lookup_answer(k[i], &ip), i < 512 ? -EAGAIN : -ETIMEDOUT);
	}
	assert_non_null(strstr(lookup_reason(k[512]), "too many names"));
	for (i = 0; i < 520; i++)
		lookup_free(k[i]);
	s.a.script = plain;
	assert_string_equal(resolve(&s, "a.example", LOOKUP_V4), "192.0.2.1 192.0.2.2");
	stage_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_are_interleaved),
		cmocka_unit_test(cache_ends_with_the_smallest_ttl),
		cmocka_unit_test(lookups_share_a_question),
		cmocka_unit_test(absence_is_remembered),
		cmocka_unit_test(one_family_does_not_wait_for_ever),
		cmocka_unit_test(addresses_and_bad_names_at_once),
		cmocka_unit_test(no_server_no_answer),
		cmocka_unit_test(hosts_come_first),
		cmocka_unit_test(freed_at_any_moment),
		cmocka_unit_test(change_begins_anew),
		cmocka_unit_test(questions_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
