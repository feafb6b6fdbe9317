/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
test_reset(void **state)
{
	struct seen k;
	struct peer p;

	(void)state;
	host.answer = STACK_RESET;
	peer_init(&p, "[2001:db8::2]:40000", "[2001:db8:1::7]:81");
	peer_syn(&p);
	assert_true(host_take(&k));
	assert_int_equal(k.flags, RST | ACK);
	assert_int_equal(k.seq, 0);
	assert_int_equal(k.ack, p.iss + 1);
	assert_true(endpoint_equal(&k.from, &p.to));
	assert_true(endpoint_equal(&k.to, &p.me));
	host_quiet();
	assert_int_equal(host.ngone, 0);
	assert_int_equal(stack_counters(host.stack)->refused, 1);
}

static const struct {
	const char *label;
	enum stack_answer why;
	bool six;
	uint8_t type, code;
} refusals[] = {
	{ "no host", STACK_NO_HOST, false, 3, 1 },
	{ "no net", STACK_NO_NET, false, 3, 0 },
	{ "prohibited", STACK_PROHIBITED, false, 3, 13 },
	{ "no host, IPv6", STACK_NO_HOST, true, 1, 3 },
	{ "no net, IPv6", STACK_NO_NET, true, 1, 0 },
	{ "prohibited, IPv6", STACK_PROHIBITED, true, 1, 1 },
};

/* The quoted header must let the application's kernel find the socket: ports and sequence
 * number right behind the IP header. */
static void
refusal_check(const struct peer *p, size_t i, uint8_t proto)
{
	size_t header = refusals[i].six ? 40 : 20;
	struct seen k;

	assert_true(host_take(&k));
	assert_int_equal(k.proto, refusals[i].six ? 58 : 1);
	assert_int_equal(k.type, refusals[i].type);
	assert_int_equal(k.code, refusals[i].code);
	assert_true(ip_equal(&k.to.ip, &p->me.ip));
	assert_true(k.len >= header + 8);
	assert_int_equal(k.p[0] >> 4, refusals[i].six ? 6 : 4);
	assert_int_equal(k.p[refusals[i].six ? 6 : 9], proto);
	assert_memory_equal(
		k.p + header - (refusals[i].six ? 32 : 8), p->me.ip.b, header / 10);
	assert_int_equal(k.p[header] << 8 | k.p[header + 1], p->me.port);
	assert_int_equal(k.p[header + 2] << 8 | k.p[header + 3], p->to.port);
	if (proto == 6)
		assert_int_equal(k.p[header + 4] << 24 | k.p[header + 5] << 16 |
				k.p[header + 6] << 8 | k.p[header + 7],
			(int32_t)p->iss);
	host_quiet();
}

static void
peer_of(struct peer *p, size_t i)
{
	if (refusals[i].six)
		peer_init(p, "[2001:db8::2]:40000", "[2001:db8:1::7]:81");
	else
		peer_init(p, "198.18.0.2:40000", "203.0.113.9:81");
}

static void
test_unreachable(void **state)
{
	struct peer p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		peer_of(&p, i);
		host.answer = refusals[i].why;
		peer_syn(&p);
		refusal_check(&p, i, 6);
		host.answer = STACK_HOLD;
		peer_syn(&p);
		host_quiet();
		stack_answer_held(host.stack, host.held, refusals[i].why);
		refusal_check(&p, i, 6);
		stack_udp_refuse(host.stack, &p.me, &p.to, refusals[i].why);
		refusal_check(&p, i, 17);
	}
	assert_int_equal(host.ngone, 0);
}

static void
test_ignore(void **state)
{
	struct peer p;

	(void)state;
	host.answer = STACK_IGNORE;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_syn(&p);
	host_quiet();
	peer_syn(&p);
	assert_int_equal(host.nsyn, 2);
	host_quiet();
}

static void
test_hold_admit(void **state)
{
	struct stream *c;
	struct peer p;

	(void)state;
	host.answer = STACK_HOLD;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_syn(&p);
	host_pass(900);
	host_quiet();
	host_pass(200);
	peer_syn(&p); /* a second later: the same question, not a new one */
	assert_int_equal(host.nsyn, 1);
	host_quiet();
	stack_answer_held(host.stack, host.held, STACK_ADMIT);
	peer_pump(&p);
	assert_true(p.open);
	assert_int_equal(p.their_scale, 7); /* the options were kept with the SYN */
	peer_ack(&p);
	assert_int_equal(host.nconn, 1);
	c = host.conn[0];
	assert_int_equal(conn_write(c, (const uint8_t *)"hello", 5), 5);
	peer_pump(&p);
	assert_int_equal(p.ngot, 5);
	assert_int_equal(host.ngone, 0);
	peer_fini(&p);
}

static void
test_hold_reset(void **state)
{
	struct seen k;
	struct peer p;

	(void)state;
	host.answer = STACK_HOLD;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_syn(&p);
	stack_answer_held(host.stack, host.held, STACK_RESET);
	assert_true(host_take(&k));
	assert_int_equal(k.flags, RST | ACK);
	assert_int_equal(k.ack, p.iss + 1);
	host_quiet();
	peer_syn(&p);
	assert_int_equal(host.nsyn, 2);
}

/* The application's kernel repeats after 1, 2, 4 ... s.  Each time that it does not within
 * twice that, nobody waits any more. */
static void
test_forgotten(void **state)
{
	static const unsigned gaps[] = { 1000, 2000, 4000, 8000 };
	struct peer p;
	size_t i;

	(void)state;
	host.answer = STACK_HOLD;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_syn(&p);
	host_pass(1900);
	assert_int_equal(host.ngone, 0);
	host_pass(200);
	assert_int_equal(host.ngone, 1);
	assert_int_equal(host.nyielded, 0);
	assert_int_equal(stack_counters(host.stack)->forgotten, 1);
	peer_syn(&p);
	for (i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		host_pass(gaps[i]);
		peer_syn(&p);
	}
	assert_int_equal(host.nsyn, 2);
	assert_int_equal(host.ngone, 1);
	host_pass(31000);
	assert_int_equal(host.ngone, 1);
	host_pass(2000);
	assert_int_equal(host.ngone, 2);
	host_quiet();
}

static void
test_held_given_up(void **state)
{
	struct peer p;

	(void)state;
	host.answer = STACK_HOLD;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_syn(&p);
	p.snd += 100;
	peer_reset(&p);
	assert_int_equal(host.ngone, 0); /* a guess */
	p.snd -= 100;
	peer_reset(&p);
	assert_int_equal(host.ngone, 1);
	host_quiet();
}

enum { HELD = 104 };

static void
held_some(const char *target, int n)
{
	char from[64];
	struct peer p;
	int i;

	for (i = 0; i < n; i++) {
		snprintf(from, sizeof(from), "198.18.%d.2:%d", i % 250, 1024 + i);
		peer_init(&p, from, target);
		peer_syn(&p);
	}
}

/* For what is beyond the limit nobody is asked, since who is opens a way out. A host that
 * is silent leaves places to others. */
static void
test_held_limit(void **state)
{
	struct peer p;

	(void)state;
	host.config.held_max = HELD;
	host_restart();
	host.answer = STACK_HOLD;
	held_some("203.0.113.9:81", 5000);
	assert_int_equal(host.nsyn, HELD / 8 * 7);
	assert_int_equal(stack_counters(host.stack)->waiting, HELD / 8 * 7);
	assert_int_equal(stack_counters(host.stack)->over_limit, 5000 - HELD / 8 * 7);
	assert_int_equal(host.ngone, 0);
	host.answer = STACK_ADMIT;
	peer_start(&p, "198.18.0.9:9", "203.0.113.10:81");
	host_pass(2100);
	assert_int_equal(host.ngone, HELD / 8 * 7);
	assert_int_equal(stack_counters(host.stack)->waiting, 0);
	/* Each place has come back. */
	host.answer = STACK_HOLD;
	held_some("203.0.113.9:81", HELD);
	assert_int_equal(stack_counters(host.stack)->waiting, HELD / 8 * 7);
}

/* Where applications go on asking for hosts that are silent, whoever has waited longest
 * gives way, but not before it had some time. */
static void
test_held_give_way(void **state)
{
	int i;

	(void)state;
	host.config.held_max = HELD;
	host_restart();
	host.answer = STACK_HOLD;
	held_some("203.0.113.9:81", HELD / 2);
	held_some("203.0.113.10:81", HELD / 2);
	for (i = 0; i < 2; i++) {
		host_pass(1400);
		held_some("203.0.113.9:81", HELD / 2);
		held_some("203.0.113.10:81", HELD / 2);
	}
	assert_int_equal(stack_counters(host.stack)->waiting, HELD);
	held_some("203.0.113.11:81", 1);
	assert_int_equal(host.nsyn, HELD);
	assert_int_equal(host.ngone, 0);
	host_pass(300);
	held_some("203.0.113.11:81", 1);
	assert_int_equal(host.nsyn, HELD + 1);
	assert_int_equal(host.ngone, 1);
	assert_int_equal(host.nyielded, 1);
	assert_int_equal(stack_counters(host.stack)->forgotten, 0);
	assert_int_equal(stack_counters(host.stack)->waiting, HELD);
}

/* But for one that is to be held, and for nothing else. */
static void
test_held_stay(void **state)
{
	static const enum stack_answer answers[] = { STACK_ADMIT, STACK_RESET,
		STACK_NO_HOST, STACK_IGNORE };
	char from[64];
	struct peer p;
	size_t i;

	(void)state;
	host.config.held_max = HELD;
	host_restart();
	host.answer = STACK_HOLD;
	for (i = 0; i < 3; i++) {
		held_some("203.0.113.9:81", HELD / 2);
		held_some("203.0.113.10:81", HELD / 2);
		host_pass(1400);
	}
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		host.answer = answers[i];
		snprintf(from, sizeof(from), "198.18.0.9:%zu", i + 1);
		peer_init(&p, from, "203.0.113.11:81");
		peer_syn(&p);
		host_settle();
		assert_int_equal(host.nsyn, HELD + i + 1);
		assert_int_equal(host.ngone, 0);
		assert_int_equal(stack_counters(host.stack)->waiting, HELD);
	}
	host.answer = STACK_HOLD;
	held_some("203.0.113.11:81", 1);
	assert_int_equal(host.ngone, 1);
	assert_int_equal(stack_counters(host.stack)->waiting, HELD);
}

/* A flood of SYNs whose handshakes are never completed. */
static void
test_flood(void **state)
{
	struct seen k;
	char from[64];
	struct peer p;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		snprintf(from, sizeof(from), "198.18.%d.2:%d", i % 250, 1024 + i);
		peer_init(&p, from, "203.0.113.9:81");
		peer_syn(&p);
		while (host_take(&k))
			assert_int_equal(k.flags, SYN | ACK);
		assert_true(stack_counters(host.stack)->conns <= 1025);
	}
	assert_int_equal(host.ngone, 20000 - 1024);
	assert_int_equal(host.nyielded, 20000 - 1024);
	assert_int_equal(stack_counters(host.stack)->over_limit, 20000 - 1024);
	host_pass(12000);
	while (host_take(&k))
		assert_int_equal(k.flags, SYN | ACK);
	assert_int_equal(host.ngone, 20000);
	assert_int_equal(host.nyielded, 20000 - 1024);
	assert_int_equal(stack_counters(host.stack)->conns, 0);
}

static void
test_conns_limit(void **state)
{
	struct peer p[4];
	char from[64];
	int i;

	(void)state;
	host.config.conns_max = 3;
	host_restart();
	for (i = 0; i < 3; i++) {
		snprintf(from, sizeof(from), "198.18.0.2:%d", 1024 + i);
		peer_start(&p[i], from, "203.0.113.9:81");
	}
	peer_init(&p[3], "198.18.0.2:5", "203.0.113.9:81");
	peer_syn(&p[3]);
	host_settle();
	host_quiet(); /* its kernel asks again */
	assert_int_equal(host.nsyn, 3);
	assert_int_equal(stack_counters(host.stack)->over_limit, 1);
	stream_free(host.conn[2]);
	host.nconn = 2;
	peer_pump(&p[2]);
	assert_true(p[2].reset);
	peer_open(&p[3]);
}

static unsigned asked;

static bool
to_the_kernel(struct stack_user *u, const struct endpoint *source,
	const struct endpoint *target, enum stack_answer *a)
{
	(void)u;
	(void)source;
	asked++;
	*a = target->port == 81 ? STACK_IGNORE : STACK_NO_NET;
	return target->port != 82;
}

/* What others carry costs no place here, and so needs none. */
static void
test_elsewhere_when_full(void **state)
{
	struct peer p[4];
	struct seen k;

	(void)state;
	host.config.conns_max = 1;
	host_restart();
	peer_start(&p[0], "198.18.0.2:1024", "203.0.113.9:82");
	host.user.elsewhere = to_the_kernel;
	asked = 0;
	peer_init(&p[1], "198.18.0.2:1025", "203.0.113.9:81");
	peer_init(&p[2], "198.18.0.2:1026", "203.0.113.9:82");
	peer_init(&p[3], "198.18.0.2:1027", "203.0.113.9:83");
	peer_syn(&p[1]);
	host_quiet();
	assert_int_equal(asked, 1);
	assert_int_equal(stack_counters(host.stack)->over_limit, 0);
	peer_syn(&p[2]);
	host_quiet();
	assert_int_equal(asked, 2);
	assert_int_equal(stack_counters(host.stack)->over_limit, 1);
	peer_syn(&p[3]);
	assert_true(host_take(&k));
	assert_int_equal(k.type, 3);
	assert_int_equal(k.code, 0);
	assert_int_equal(host.nsyn, 1);
}

/* Connections that only wait to be forgotten take no place from new ones. */
static void
test_lingering_limit(void **state)
{
	struct stream *c;
	struct seen k;
	char from[64];
	struct peer p;
	int i;

	(void)state;
	host.config.conns_max = 40;
	host_restart();
	for (i = 0; i < 200; i++) {
		snprintf(from, sizeof(from), "198.18.0.2:%d", 1024 + i);
		c = peer_start(&p, from, "203.0.113.9:81");
		stream_shut(c);
		stream_free(c);
		host.nconn = 0;
		host_settle();
		while (host_take(&k))
			;
	}
	assert_int_equal(stack_counters(host.stack)->conns, 0);
	assert_int_equal(stack_counters(host.stack)->over_limit, 0);
}

/* A handshake that the application gives up. */
static void
test_opening_reset(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_syn(&p);
	peer_pump(&p);
	peer_reset(&p);
	assert_int_equal(host.ngone, 1);
	assert_int_equal(host.nconn, 0);
	host_quiet();
}

static void
test_unknown(void **state)
{
	struct seen k;
	struct peer p;

	(void)state;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	p.snd = 1000;
	p.rcv = 5555;
	peer_send(&p, "old", 3);
	assert_true(host_take(&k));
	assert_int_equal(k.flags, RST);
	assert_int_equal(k.seq, 5555);
	peer_reset(&p);
	host_quiet();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_reset),
		HOST_TEST(test_unreachable),
		HOST_TEST(test_ignore),
		HOST_TEST(test_hold_admit),
		HOST_TEST(test_hold_reset),
		HOST_TEST(test_forgotten),
		HOST_TEST(test_held_given_up),
		HOST_TEST(test_held_limit),
		HOST_TEST(test_held_give_way),
		HOST_TEST(test_held_stay),
		HOST_TEST(test_flood),
		HOST_TEST(test_conns_limit),
		HOST_TEST(test_elsewhere_when_full),
		HOST_TEST(test_lingering_limit),
		HOST_TEST(test_opening_reset),
		HOST_TEST(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
