/* SPDX-License-Identifier: MIT */
#include "names/names.h"

#include "names/message.h"
#include "platform/sock.h"
#include "resolver.h"
#include "unreal_time.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TURNS = 400, BOTH = LOOKUP_V4 | LOOKUP_V6 };

struct stage {
	struct loop *loop;
	struct names *names;
	struct resolver a, b;
	int ready;
	struct task owner;
};

static void
owner_run(struct task *t)
{
	container_of(t, struct stage, owner)->ready++;
}

static void
stage_names(struct stage *s, const struct names_config *c)
{
	s->names = names_new(s->loop, c);
	assert_non_null(s->names);
}

/* One resolver, or two with `second`. */
static void
stage_open(struct stage *s, resolver_script *first, resolver_script *second)
{
	struct names_config c = { 0 };

	memset(s, 0, sizeof(*s));
	s->loop = loop_new();
	task_init(&s->owner, owner_run);
	unreal_time_serve = resolvers_serve;
	resolver_start(&s->a, 1, first);
	c.server[c.nserver++] = s->a.at;
	if (second) {
		resolver_start(&s->b, 2, second);
		c.server[c.nserver++] = s->b.at;
	}
	stage_names(s, &c);
}

static void
stage_close(struct stage *s)
{
	names_free(s->names);
	task_fini(&s->owner);
	loop_turn(s->loop, 0);
	loop_free(s->loop);
	resolver_stop(&s->a);
	if (s->b.script)
		resolver_stop(&s->b);
}

static int
until_answer(struct stage *s, struct lookup *k, const struct ip **ip)
{
	int i, r = -EAGAIN;

	for (i = 0; i < TURNS && r == -EAGAIN; i++) {
		r = lookup_answer(k, ip);
		if (r == -EAGAIN)
			loop_turn(s->loop, 60000);
	}
	assert_true(i < TURNS);
	return r;
}

/* The answer of a whole lookup as "addr addr", or the error as a number. */
static const char *
resolve(struct stage *s, const char *name, unsigned families)
{
	struct lookup *k = names_lookup(s->names, name, families, &s->owner);
	static char text[1024];
	char one[IP_TEXT];
	const struct ip *ip;
	size_t len = 0;
	int i, n;

	assert_non_null(k);
	n = until_answer(s, k, &ip);
	if (n < 0)
		snprintf(text, sizeof(text), "%s",
			n == -ENOENT                ? "ENOENT"
				: n == -ETIMEDOUT   ? "ETIMEDOUT"
				: n == -ENETUNREACH ? "ENETUNREACH"
						    : "?");
	if (n < 0)
		assert_true(lookup_reason(k)[0]);
	for (i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
			i ? " " : "", ip_format(&ip[i], one));
	lookup_free(k);
	return text;
}

/* Scripts. */

static void
plain(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, 0, 2, 0);
	answer_address(w, q->type == DNS_A ? "192.0.2.1" : "2001:db8::1", 60);
	answer_address(w, q->type == DNS_A ? "192.0.2.2" : "2001:db8::2", 30);
}

static void
other(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, 0, 1, 0);
	answer_address(w, q->type == DNS_A ? "198.51.100.9" : "2001:db8::9", 60);
}

static void
silent(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	(void)q;
	(void)w;
}

static void
second_time(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (q->nth >= 1)
		plain(r, q, w);
}

static void
servfail(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, DNS_SERVFAIL, 0, 0);
}

static void
refused(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, DNS_REFUSED, 0, 0);
}

static void
nxdomain(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, DNS_NXDOMAIN, 0, 1);
	answer_soa(w, 300, 20);
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
cut(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	int i;

	if (!q->tcp) {
		answer_begin(w, q, 0x0200, 1, 0);
		writer_u8(w, 0xc0);
		return;
	}
	(void)r;
	answer_begin(w, q, 0, 200, 0);
	for (i = 0; i < 200; i++)
		answer_address(w, q->type == DNS_A ? "192.0.2.77" : "2001:db8::77", 60);
}

/* TCP is accepted and ends without an answer. */
static void
cut_and_gone(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (!q->tcp)
		cut(r, q, w);
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

/* Tests. */

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
	/* One in 65,536 of two random ids are the same; of six in a row none. */
	assert_true(s.a.id[0] != s.a.id[1] || s.a.id[0] != 0);
	stage_close(&s);
}

static void
silence_ends_after_eight_seconds(void **state)
{
	struct stage s;
	uint64_t begun;

	(void)state;
	stage_open(&s, silent, silent);
	begun = loop_now(s.loop);
	assert_string_equal(resolve(&s, "a.example", BOTH), "ETIMEDOUT");
	assert_int_equal(loop_now(s.loop) - begun, 8000);
	/* Twice each, in turn, twice round, for two types. */
	assert_int_equal(s.a.queries, 8);
	assert_int_equal(s.b.queries, 8);
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
		cmocka_unit_test(loss_is_repeated),
		cmocka_unit_test(silence_ends_after_eight_seconds),
		cmocka_unit_test(next_server_after_silence),
		cmocka_unit_test(next_server_after_failure),
		cmocka_unit_test(all_servers_fail),
		cmocka_unit_test(closed_port_is_left_at_once),
		cmocka_unit_test(absence_is_remembered),
		cmocka_unit_test(lies_are_not_believed),
		cmocka_unit_test(cut_answers_come_by_tcp),
		cmocka_unit_test(tcp_that_says_nothing_ends),
		cmocka_unit_test(cname_loops_end),
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
