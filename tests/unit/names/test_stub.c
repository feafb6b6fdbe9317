/* SPDX-License-Identifier: MIT */
/* How resolvers are asked, and which answers count. */
#include "stage.h"

#include "names/message.h"
#include "platform/sock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A server that is older than EDNS. */
static void
old(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (be16_get(q->p + 10) > 0 || q->len != 12 + q->question)
		answer_begin(w, q, DNS_FORMERR, 0, 0);
	else
		plain(r, q, w);
}

static void
second_time(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (q->nth >= 1)
		plain(r, q, w);
}

static void
refused(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, DNS_REFUSED, 0, 0);
}

/* All that must not be believed, then nothing. */
static void
liar(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	uint8_t mem[512];
	struct writer lie;
	int i, fd;

	(void)w;
	for (i = 0; i < 5; i++) {
		writer_init(&lie, mem, sizeof(mem));
		answer_begin(&lie, q, 0, 1, 0);
		answer_address(
			&lie, q->type == DNS_A ? "203.0.113.6" : "2001:db8::bad", 60);
		fd = r->udp;
		if (i == 0)
			mem[0] ^= 1; /* the id */
		if (i == 1)
			mem[13] ^= 0x20; /* upper case in the question */
		if (i == 2)
			mem[12 + q->question - 3] ^= 1; /* the type */
		if (i == 3)
			mem[2] &= 0x7f; /* a query, no answer */
		if (i == 4)
			fd = sock_udp_open(
				4, NULL); /* another port of the same address */
		sock_send_to(fd, &q->from, mem, lie.len);
		if (i == 4)
			sock_close(fd);
	}
	memset(mem, 0xff, sizeof(mem));
	sock_send_to(r->udp, &q->from, mem, sizeof(mem));
	sock_send_to(r->udp, &q->from, mem, 0);
}

static void
lies_first(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	liar(r, q, w);
	plain(r, q, w);
}

static void
cname_loop(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	static const uint8_t self[] = { 0xc0, 12 };

	(void)r;
	answer_begin(w, q, 0, 1, 0);
	answer_record(w, DNS_CNAME, 60, self, sizeof(self));
}

static void
loss_is_repeated(void **state)
{
	struct stage s;
	uint64_t begun;

	(void)state;
	stage_open(&s, second_time, NULL);
	begun = loop_now(s.loop);
	assert_string_equal(resolve(&s, "a.example", LOOKUP_V4), "192.0.2.1 192.0.2.2");
	assert_int_equal(loop_now(s.loop) - begun, 1000);
	assert_int_not_equal(s.a.port[0], s.a.port[1]);
	stage_close(&s);
}

static void
silence_ends_after_eight_seconds(void **state)
{
	struct stage s;
	uint64_t begun;
	int i, same = 0;

	(void)state;
	stage_open(&s, silent, silent);
	begun = loop_now(s.loop);
	assert_string_equal(resolve(&s, "a.example", BOTH), "ETIMEDOUT");
	assert_int_equal(loop_now(s.loop) - begun, 8000);
	/* Twice each, in turn, twice round, for two types. */
	assert_int_equal(s.a.queries, 8);
	assert_int_equal(s.b.queries, 8);
	/* Random ids of 16 bits: that three pairs of neighbours are equal never happens. */
	for (i = 0; i + 1 < 8; i++)
		same += s.a.id[i] == s.a.id[i + 1];
	assert_true(same < 3);
	stage_close(&s);
}

static void
next_server_after_silence(void **state)
{
	struct stage s;
	uint64_t begun;

	(void)state;
	stage_open(&s, silent, other);
	begun = loop_now(s.loop);
	assert_string_equal(resolve(&s, "a.example", BOTH), "2001:db8::9 198.51.100.9");
	assert_int_equal(loop_now(s.loop) - begun, 2000);
	/* The one that answered is asked first now. */
	assert_string_equal(resolve(&s, "b.example", BOTH), "2001:db8::9 198.51.100.9");
	assert_int_equal(loop_now(s.loop) - begun, 2000);
	assert_int_equal(s.a.queries, 4);
	stage_close(&s);
}

static void
next_server_after_failure(void **state)
{
	resolver_script *const failure[] = { servfail, refused, cut_and_gone };
	struct stage s;
	uint64_t begun;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(failure) / sizeof(failure[0]); i++) {
		stage_open(&s, failure[i], other);
		begun = loop_now(s.loop);
		assert_string_equal(
			resolve(&s, "a.example", BOTH), "2001:db8::9 198.51.100.9");
		assert_int_equal(loop_now(s.loop) - begun, 0);
		stage_close(&s);
	}
}

static void
old_servers_are_asked_without_edns(void **state)
{
	struct stage s;
	uint64_t begun;

	(void)state;
	stage_open(&s, old, NULL);
	begun = loop_now(s.loop);
	assert_string_equal(resolve(&s, "a.example", LOOKUP_V4), "192.0.2.1 192.0.2.2");
	assert_int_equal(loop_now(s.loop) - begun, 0);
	assert_int_equal(s.a.queries, 2);
	stage_close(&s);
}

static void
all_servers_fail(void **state)
{
	struct lookup *k;
	const struct ip *ip;
	struct stage s;

	(void)state;
	stage_open(&s, refused, servfail);
	k = names_lookup(s.names, "a.example", LOOKUP_V4, &s.owner);
	assert_int_equal(until_answer(&s, k, &ip), -ETIMEDOUT);
	assert_non_null(strstr(lookup_reason(k), "a.example: resolver 127.0.0.2:"));
	assert_non_null(strstr(lookup_reason(k), "answered SERVFAIL"));
	lookup_free(k);
	assert_int_equal(s.a.queries + s.b.queries, 2);
	stage_close(&s);
}

static void
closed_port_is_left_at_once(void **state)
{
	struct endpoint server[2];
	struct stage s;
	uint64_t begun;

	(void)state;
	stage_open(&s, plain, other);
	server[0] = s.a.at;
	server[1] = s.b.at;
	resolver_stop(&s.a);
	names_changed(s.names, server, 2);
	begun = loop_now(s.loop);
	assert_string_equal(resolve(&s, "a.example", BOTH), "2001:db8::9 198.51.100.9");
	assert_int_equal(loop_now(s.loop) - begun, 0);
	resolver_start(&s.a, 1, plain);
	stage_close(&s);
}

static void
lies_are_not_believed(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, lies_first, NULL);
	assert_string_equal(resolve(&s, "a.example", LOOKUP_V4), "192.0.2.1 192.0.2.2");
	stage_close(&s);
	stage_open(&s, liar, NULL);
	assert_string_equal(resolve(&s, "a.example", BOTH), "ETIMEDOUT");
	stage_close(&s);
}

static void
cut_answers_come_by_tcp(void **state)
{
	struct stage s;
	const char *text;

	(void)state;
	stage_open(&s, cut, NULL);
	text = resolve(&s, "a.example", LOOKUP_V4);
	assert_int_equal(strlen(text), NAMES_ADDRS * strlen("192.0.2.77 ") - 1);
	assert_int_equal(s.a.tcp_queries, 1);
	assert_non_null(
		strstr(resolve(&s, "b.example", BOTH), "2001:db8::77 192.0.2.77"));
	assert_int_equal(s.a.tcp_queries, 3);
	stage_close(&s);
}

static void
tcp_that_says_nothing_ends(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, cut_and_gone, NULL);
	assert_string_equal(resolve(&s, "a.example", LOOKUP_V4), "ETIMEDOUT");
	stage_close(&s);
}

static void
cname_loops_end(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, cname_loop, NULL);
	assert_string_equal(resolve(&s, "a.example", BOTH), "ENOENT");
	stage_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_is_repeated),
		cmocka_unit_test(silence_ends_after_eight_seconds),
		cmocka_unit_test(next_server_after_silence),
		cmocka_unit_test(next_server_after_failure),
		cmocka_unit_test(old_servers_are_asked_without_edns),
		cmocka_unit_test(all_servers_fail),
		cmocka_unit_test(closed_port_is_left_at_once),
		cmocka_unit_test(lies_are_not_believed),
		cmocka_unit_test(cut_answers_come_by_tcp),
		cmocka_unit_test(tcp_that_says_nothing_ends),
		cmocka_unit_test(cname_loops_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
