/* SPDX-License-Identifier: MIT */
#include "dns/dns.h"

#include "base/log.h"
#include "names/message.h"
#include "unit/names/unreal_time.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct stage {
	struct loop *loop;
	struct dns *dns;
	struct dns_config c;
	struct ip ip[2];
	struct names_host host[5];
	struct endpoint source;
	uint8_t query[512], reply[1232];
	size_t len;
	struct endpoint server;
};

static void
stage_open(struct stage *s, int nserver)
{
	int i;

	memset(s, 0, sizeof(*s));
	s->loop = loop_new();
	ip_parse(&s->ip[0], "203.0.113.1");
	ip_parse(&s->ip[1], "2001:db8::1");
	s->host[0] = (struct names_host){ "both.example", s->ip, 2, NULL };
	s->host[1] = (struct names_host){ "alias.example", NULL, 0, "both.example" };
	s->host[2] = (struct names_host){ "loop.example", NULL, 0, "loop.example" };
	s->host[3] = (struct names_host){ "out.example", NULL, 0, "outside.example" };
	s->c.host = s->host;
	s->host[4] = (struct names_host){ "literal.example", NULL, 0, "203.0.113.1" };
	s->c.nhost = 5;
	for (i = 0; i < nserver; i++) {
		ip_parse(&s->c.server[i].ip, "192.0.2.50");
		s->c.server[i].ip.b[3] += (uint8_t)i;
		s->c.server[i].port = 53;
	}
	s->c.nserver = nserver;
	ip_parse(&s->c.ours[0], "198.18.0.2");
	s->c.seen_max = 4;
	endpoint_parse(&s->source, "198.18.0.1:40000");
	s->dns = dns_new(s->loop, &s->c);
	assert_non_null(s->dns);
}

static void
stage_close(struct stage *s)
{
	dns_free(s->dns);
	loop_free(s->loop);
}

static void
pass(struct stage *s, uint64_t ms)
{
	uint64_t end = loop_now(s->loop) + ms;
	while (loop_now(s->loop) < end)
		loop_turn(s->loop, (int)(end - loop_now(s->loop)));
}

static int
ask_raw(struct stage *s)
{
	return dns_query(s->dns, &s->source, s->query, s->len, s->reply, sizeof(s->reply),
		&s->server);
}

/* Below zero or a reply's length, or 0 and the server in s->server. */
static int
ask(struct stage *s, uint16_t id, const char *name, uint16_t type)
{
	int n = dns_write_query(s->query, sizeof(s->query), id, name, type);

	assert_true(n > 0);
	s->len = (size_t)n;
	return ask_raw(s);
}

/* Which server a question goes to: 0, 1 ... */
static int
goes_to(struct stage *s, uint16_t id, const char *name)
{
	assert_int_equal(ask(s, id, name, DNS_A), 0);
	return s->server.ip.b[3] - 50;
}

/* Which nobody may have asked for. */
static void
answer_from(struct stage *s, const struct endpoint *server, uint16_t id, const char *name,
	int rcode, const char *address, uint32_t ttl)
{
	struct dns_message q = { .id = id, .question = { .class = 1 } };
	uint8_t p[512];
	struct ip ip;
	int n;

	ip_parse(&ip, address);
	q.question.type = ip.family == 4 ? DNS_A : DNS_AAAA;
	snprintf(q.question.name, sizeof(q.question.name), "%s", name);
	n = dns_write_answer(p, sizeof(p), &q, rcode, &ip, 1, ttl);
	assert_true(n > 0);
	dns_note(s->dns, &s->source, server, p, (size_t)n);
}

static void
asked(struct stage *s, uint16_t id, const char *name, uint16_t type)
{
	uint8_t p[512];
	int n = dns_write_query(p, sizeof(p), id, name, type);

	assert_true(n > 0);
	dns_asked(s->dns, &s->source, &s->c.server[0], p, (size_t)n);
}

/* One that was asked for. */
static void
answer(struct stage *s, uint16_t id, const char *name, int rcode, const char *address,
	uint32_t ttl)
{
	asked(s, id, name, strchr(address, ':') ? DNS_AAAA : DNS_A);
	answer_from(s, &s->c.server[0], id, name, rcode, address, ttl);
}

static const char *
name_of(struct stage *s, const char *address)
{
	const char *name;
	struct ip ip;

	ip_parse(&ip, address);
	name = dns_name_of(s->dns, &ip);
	return name ? name : "-";
}

static void
hosts_are_answered(void **state)
{
	struct dns_message m;
	struct stage s;
	int n;

	(void)state;
	stage_open(&s, 1);
	n = ask(&s, 77, "Both.Example", DNS_A);
	assert_true(n > 0);
	assert_int_equal(dns_read(&m, s.reply, (size_t)n), 0);
	assert_true(m.response && m.recursion_desired);
	assert_int_equal(m.id, 77);
	assert_int_equal(m.nanswer, 1);
	assert_true(ip_equal(&m.answer[0].ip, &s.ip[0]));
	/* Upper case comes back as it went. */
	assert_true(dns_question_same(s.query, s.len, s.reply, (size_t)n));
	n = ask(&s, 78, "alias.example", DNS_AAAA);
	assert_int_equal(dns_read(&m, s.reply, (size_t)n), 0);
	assert_int_equal(m.nanswer, 1);
	assert_true(ip_equal(&m.answer[0].ip, &s.ip[1]));
	n = ask(&s, 79, "both.example", DNS_HTTPS);
	assert_int_equal(dns_read(&m, s.reply, (size_t)n), 0);
	assert_int_equal(m.rcode, DNS_NOERROR);
	assert_int_equal(m.nanswer, 0);
	n = ask(&s, 80, "loop.example", DNS_A);
	assert_int_equal(dns_read(&m, s.reply, (size_t)n), 0);
	assert_int_equal(m.rcode, DNS_SERVFAIL);
	n = ask(&s, 84, "literal.example", DNS_A);
	assert_int_equal(dns_read(&m, s.reply, (size_t)n), 0);
	assert_int_equal(m.nanswer, 1);
	/* The flows that follow have these names. */
	assert_string_equal(name_of(&s, "203.0.113.1"), "literal.example");
	assert_string_equal(name_of(&s, "2001:db8::1"), "alias.example");
	assert_true(ask(&s, 81, "localhost", DNS_A) > 0);
	assert_string_equal(name_of(&s, "127.0.0.1"), "-");
	assert_int_equal(ask(&s, 82, "out.example", DNS_A), 0);
	assert_int_equal(ask(&s, 83, "else.example", DNS_A), 0);
	assert_true(endpoint_equal(&s.server, &s.c.server[0]));
	stage_close(&s);
}

static void
what_is_no_query(void **state)
{
	struct dns_message m;
	struct stage s;
	size_t i;
	int n;

	(void)state;
	stage_open(&s, 1);
	ask(&s, 0x4455, "a.example", DNS_A);
	/* Cut: no header, or no question. */
	for (i = 0; i < 27; i++) {
		s.len = i;
		n = ask_raw(&s);
		assert_int_equal(n, i < 12 ? -EBADMSG : 12);
		if (n > 0)
			assert_memory_equal(
				s.reply, "\x44\x55\x81\x81\0\0\0\0\0\0\0\0", 12);
	}
	s.len = 27;
	assert_int_equal(ask_raw(&s), 0);
	/* An answer is never answered, readable or not. */
	s.query[2] |= 0x80;
	assert_int_equal(ask_raw(&s), -EBADMSG);
	s.len = 20;
	assert_int_equal(ask_raw(&s), -EBADMSG);
	/* An update (opcode 5). */
	s.query[2] = 5 << 3;
	s.len = 27;
	n = ask_raw(&s);
	assert_int_equal(n, 27);
	assert_int_equal(dns_read(&m, s.reply, (size_t)n), 0);
	assert_int_equal(m.rcode, DNS_NOTIMP);
	assert_int_equal(m.opcode, 5);
	stage_close(&s);
}

static void
repetitions_go_on(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, 3);
	assert_int_equal(goes_to(&s, 1, "a.example"), 0);
	pass(&s, 1000);
	s.source.port++; /* some repeat from another port */
	assert_int_equal(goes_to(&s, 1, "a.example"), 1);
	assert_int_equal(goes_to(&s, 1, "a.example"), 2);
	assert_int_equal(goes_to(&s, 1, "a.example"), 0);
	/* Another id, name, source: another question. */
	stage_close(&s);
	stage_open(&s, 3);
	assert_int_equal(goes_to(&s, 1, "a.example"), 0);
	assert_int_equal(goes_to(&s, 2, "a.example"), 0);
	assert_int_equal(goes_to(&s, 1, "b.example"), 0);
	s.source.ip.b[3] = 99;
	assert_int_equal(goes_to(&s, 1, "a.example"), 0);
	stage_close(&s);
}

static void
answers_end_a_question(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, 3);
	assert_int_equal(goes_to(&s, 1, "a.example"), 0);
	answer(&s, 1, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	assert_int_equal(goes_to(&s, 1, "a.example"), 0);
	/* SERVFAIL is no answer. */
	answer(&s, 1, "a.example", DNS_SERVFAIL, "192.0.2.1", 60);
	assert_int_equal(goes_to(&s, 1, "a.example"), 1);
	/* The server that answered is asked from now on, over TCP too. */
	answer(&s, 1, "A.example", DNS_NXDOMAIN, "192.0.2.1", 60);
	assert_int_equal(goes_to(&s, 9, "c.example"), 1);
	assert_int_equal(dns_stream_server(s.dns, &s.server), 0);
	assert_int_equal(s.server.ip.b[3], 51);
	/* After ten seconds it is a new question. */
	pass(&s, 10000);
	assert_int_equal(goes_to(&s, 9, "c.example"), 1);
	stage_close(&s);
}

static void
silent_servers_are_left(void **state)
{
	struct stage s;
	int i;

	(void)state;
	stage_open(&s, 2);
	for (i = 0; i < 20; i++)
		assert_int_equal(goes_to(&s, (uint16_t)i, "a.example"), 0);
	pass(&s, 3000);
	assert_int_equal(goes_to(&s, 100, "a.example"), 1);
	assert_int_equal(goes_to(&s, 101, "a.example"), 1);
	stage_close(&s);
}

static void
the_table_has_a_bound(void **state)
{
	struct stage s;
	int i;

	(void)state;
	stage_open(&s, 2);
	for (i = 0; i < 3000; i++)
		assert_int_equal(goes_to(&s, (uint16_t)i, "a.example"), 0);
	/* The last 1,024 are known, the one before them is not any more. */
	assert_int_equal(goes_to(&s, 2999 - 1024, "a.example"), 0);
	assert_int_equal(goes_to(&s, 2999, "a.example"), 1);
	for (i = 0; i < 3000; i++)
		answer(&s, (uint16_t)i, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	for (i = 0; i < 3000; i++)
		goes_to(&s, (uint16_t)i, "a.example");
	stage_close(&s);
}

static void
names_are_noted(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, 1);
	answer(&s, 1, "A.example", DNS_NOERROR, "192.0.2.1", 60);
	answer(&s, 1, "six.example", DNS_NOERROR, "2001:db8::7", 60);
	assert_string_equal(name_of(&s, "192.0.2.1"), "a.example");
	assert_string_equal(name_of(&s, "::ffff:192.0.2.1"), "a.example");
	assert_string_equal(name_of(&s, "2001:db8::7"), "six.example");
	answer(&s, 1, "b.example", DNS_NOERROR, "192.0.2.1", 60);
	assert_string_equal(name_of(&s, "192.0.2.1"), "b.example");
	/* What filters answer is no address of the name. */
	answer(&s, 1, "ads.example", DNS_NOERROR, "0.0.0.0", 60);
	assert_string_equal(name_of(&s, "0.0.0.0"), "-");
	answer(&s, 1, "ads.example", DNS_SERVFAIL, "192.0.2.8", 60);
	assert_string_equal(name_of(&s, "192.0.2.8"), "-");
	pass(&s, 600000);
	assert_string_equal(name_of(&s, "192.0.2.1"), "-");
	dns_note(s.dns, &s.source, &s.c.server[0], (const uint8_t *)"rubbish", 7);
	dns_asked(s.dns, &s.source, &s.c.server[0], (const uint8_t *)"rubbish", 7);
	stage_close(&s);
}

/* What answers no question of this application to this server teaches nothing. */
static void
strangers_teach_nothing(void **state)
{
	struct endpoint *server, other;
	struct stage s;

	(void)state;
	stage_open(&s, 3);
	server = &s.c.server[0];
	answer_from(&s, server, 1, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	asked(&s, 1, "a.example", DNS_A);
	other = *server;
	other.ip.b[3]++;
	answer_from(&s, &other, 1, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	other = *server;
	other.port = 5353;
	answer_from(&s, &other, 1, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	answer_from(&s, server, 2, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	answer_from(&s, server, 1, "b.example", DNS_NOERROR, "192.0.2.1", 60);
	answer_from(&s, server, 1, "a.example", DNS_NOERROR, "2001:db8::1", 60);
	s.source.port++;
	answer_from(&s, server, 1, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	s.source.port--;
	assert_string_equal(name_of(&s, "192.0.2.1"), "-");
	assert_string_equal(name_of(&s, "2001:db8::1"), "-");
	/* The first answer counts; a server that cannot help has not answered. */
	answer_from(&s, server, 1, "a.example", DNS_SERVFAIL, "192.0.2.1", 60);
	answer_from(&s, server, 1, "A.example", DNS_NOERROR, "192.0.2.1", 60);
	answer_from(&s, server, 1, "a.example", DNS_NOERROR, "192.0.2.2", 60);
	assert_string_equal(name_of(&s, "192.0.2.1"), "a.example");
	assert_string_equal(name_of(&s, "192.0.2.2"), "-");
	/* Ten seconds are long enough. */
	asked(&s, 1, "a.example", DNS_A);
	pass(&s, 10000);
	answer_from(&s, server, 1, "a.example", DNS_NOERROR, "192.0.2.2", 60);
	assert_string_equal(name_of(&s, "192.0.2.2"), "-");
	/* Nor can a stranger say which server is the one that answers. */
	assert_int_equal(goes_to(&s, 7, "c.example"), 0);
	assert_int_equal(goes_to(&s, 7, "c.example"), 1);
	answer_from(&s, &other, 7, "c.example", DNS_NOERROR, "192.0.2.3", 60);
	assert_int_equal(goes_to(&s, 8, "d.example"), 0);
	stage_close(&s);
}

static void
open_questions_have_a_bound(void **state)
{
	struct stage s;
	int i;

	(void)state;
	stage_open(&s, 1);
	for (i = 0; i < 1025; i++)
		asked(&s, (uint16_t)i, "a.example", DNS_A);
	asked(&s, 1, "a.example", DNS_A); /* asked again, it is the youngest */
	answer_from(&s, &s.c.server[0], 0, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	assert_string_equal(name_of(&s, "192.0.2.1"), "-");
	asked(&s, 2000, "a.example", DNS_A);
	answer_from(&s, &s.c.server[0], 2, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	assert_string_equal(name_of(&s, "192.0.2.1"), "-");
	for (i = 3; i < 1025; i++)
		answer_from(&s, &s.c.server[0], (uint16_t)i, "a.example", DNS_NXDOMAIN,
			"192.0.2.1", 60);
	answer_from(&s, &s.c.server[0], 1, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	assert_string_equal(name_of(&s, "192.0.2.1"), "a.example");
	stage_close(&s);
}

static void
the_question_is_the_name(void **state)
{
	/* w.example CNAME b.example, b.example A: applications know w.example. */
	static const char p[] = "\0\1\x81\x80\0\1\0\2\0\0\0\0\1w\7example\0\0\1\0\1"
				"\xc0\x0c\0\5\0\1\0\0\0\x09\0\4\1b\xc0\x0e"
				"\1b\xc0\x0e\0\1\0\1\0\0\0\x09\0\4\xc0\0\2\x07";
	struct stage s;

	(void)state;
	stage_open(&s, 1);
	asked(&s, 1, "w.example", DNS_A);
	dns_note(s.dns, &s.source, &s.c.server[0], (const uint8_t *)p, sizeof(p) - 1);
	assert_string_equal(name_of(&s, "192.0.2.7"), "w.example");
	stage_close(&s);
}

static void
without_memory_of_names(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s, 0);
	assert_int_equal(ask(&s, 1, "a.example", DNS_A), -ENETUNREACH);
	assert_int_equal(dns_stream_server(s.dns, &s.server), -ENETUNREACH);
	assert_true(ask(&s, 1, "both.example", DNS_A) > 0);
	dns_free(s.dns);
	s.c.seen_off = true;
	s.dns = dns_new(s.loop, &s.c);
	answer(&s, 1, "a.example", DNS_NOERROR, "192.0.2.1", 60);
	assert_string_equal(name_of(&s, "192.0.2.1"), "-");
	stage_close(&s);
}

static void
ours_is_recognised(void **state)
{
	struct endpoint to;
	struct stage s;

	(void)state;
	stage_open(&s, 1);
	endpoint_parse(&to, "198.18.0.2:53");
	assert_true(dns_is_ours(s.dns, &to));
	to.port = 5353;
	assert_false(dns_is_ours(s.dns, &to));
	endpoint_parse(&to, "198.18.0.3:53");
	assert_false(dns_is_ours(s.dns, &to));
	memset(&to.ip, 0,
		sizeof(to.ip)); /* no address is not ours, though one of ours is none */
	assert_false(dns_is_ours(s.dns, &to));
	stage_close(&s);
}

/* Each server is asked in its own way. */
static void
local_servers(void **state)
{
	struct endpoint stranger;
	struct dns_config c;
	struct stage s;

	(void)state;
	stage_open(&s, 2);
	assert_false(dns_is_local(s.dns, &s.c.server[0]));
	c = s.c;
	c.local[1] = true;
	dns_free(s.dns);
	s.dns = dns_new(s.loop, &c);
	assert_non_null(s.dns);
	assert_false(dns_is_local(s.dns, &c.server[0]));
	assert_true(dns_is_local(s.dns, &c.server[1]));
	stranger = c.server[1];
	stranger.port = 5353;
	assert_false(dns_is_local(s.dns, &stranger));
	stage_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_answered),
		cmocka_unit_test(what_is_no_query),
		cmocka_unit_test(repetitions_go_on),
		cmocka_unit_test(answers_end_a_question),
		cmocka_unit_test(silent_servers_are_left),
		cmocka_unit_test(the_table_has_a_bound),
		cmocka_unit_test(names_are_noted),
		cmocka_unit_test(strangers_teach_nothing),
		cmocka_unit_test(open_questions_have_a_bound),
		cmocka_unit_test(the_question_is_the_name),
		cmocka_unit_test(without_memory_of_names),
		cmocka_unit_test(ours_is_recognised),
		cmocka_unit_test(local_servers),
	};

	log_open(2, LOG_ERROR, NULL); /* dns_new complains of aliases, each time */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
