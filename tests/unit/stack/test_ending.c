/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The application ends first, and still gets a late answer. */
static void
test_fin_from_application(void **state)
{
	struct stream *c;
	struct window w;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_send(&p, "question", 8);
	peer_fin(&p);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_OK);
	stream_recv_ack(c, w.len);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_END);
	peer_pump(&p);
	assert_int_equal(p.acked, p.snd);
	host_pass(120000);
	host_quiet();
	assert_int_equal(conn_write(c, (const uint8_t *)"answer", 6), 6);
	peer_pump(&p);
	assert_int_equal(p.ngot, 6);
	assert_memory_equal(p.got, "answer", 6);
	assert_int_equal(stream_shut(c), STREAM_OK);
	peer_pump(&p);
	assert_true(p.fin);
	assert_false(p.reset);
	assert_int_equal(stream_send_buf(c, &w), -EPIPE);
	peer_fini(&p);
}

/* The segment with the FIN is lost; acknowledgements that stand behind it arrive. */
static void
test_fin_lost(void **state)
{
	struct stream *c;
	struct window w;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_send(&p, "question", 8);
	p.snd++;
	peer_ack(&p);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_OK);
	stream_recv_ack(c, w.len);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_AGAIN);
	p.snd--;
	peer_fin(&p);
	host_settle();
	assert_int_equal(stream_recv_buf(c, &w), STREAM_END);
	peer_pump(&p);
	assert_int_equal(p.acked, p.snd);
	assert_int_equal(stream_shut(c), STREAM_OK);
	peer_pump(&p);
	assert_true(p.fin);
	peer_fini(&p);
}

static void
test_fin_from_user(void **state)
{
	uint8_t *b = pattern(100000);
	struct stream *c;
	struct window w;
	struct peer p;
	size_t n = 0;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	while (n < 100000) {
		n += conn_write(c, b + n, 100000 - n);
		if (n == 100000)
			stream_shut(c);
		peer_pump(&p);
	}
	assert_true(p.fin);
	assert_int_equal(p.ngot, 100000);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_AGAIN);
	peer_send(&p, "more", 4);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_OK);
	assert_int_equal(w.len, 4);
	stream_recv_ack(c, 4);
	peer_fin(&p);
	peer_pump(&p);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_END);
	assert_int_equal(p.acked, p.snd);
	assert_false(p.reset);
	peer_fini(&p);
	free(b);
}

/* An application that takes no more than `window`, and a user that leaves n bytes to it. */
static void
left_with(struct peer *p, size_t pair, uint32_t window, const uint8_t *b, size_t n)
{
	struct stream *c = peer_start(p, pairs[pair].me, pairs[pair].to);

	peer_shrink(p, window);
	assert_int_equal(conn_write(c, b, n), n);
	conn_leave(c);
}

/* It gets them all, and the end behind them. */
static void
takes_all(struct peer *p, const uint8_t *b, size_t n)
{
	peer_pump(p);
	assert_int_equal(p->ngot, n);
	assert_memory_equal(p->got, b, n);
	assert_true(p->fin);
	assert_false(p->reset);
}

/* Freed after shut: what was written still goes, though the user is gone. */
static void
test_linger(void **state)
{
	uint8_t *b = pattern(16000);
	struct peer p;

	(void)state;
	left_with(&p, 1, 4000, b, 16000);
	assert_int_equal(stack_counters(host.stack)->conns, 0);
	takes_all(&p, b, 16000);
	peer_fin(&p);
	peer_pump(&p);
	assert_int_equal(p.acked, p.snd);
	assert_false(p.reset);
	peer_fini(&p);
	free(b);
}

/* An application that never takes the rest is let go after two minutes. */
static void
test_linger_ends(void **state)
{
	uint8_t *b = pattern(16000);
	struct peer p;

	(void)state;
	left_with(&p, 0, 0, b, 16000);
	p.silent = true;
	host_pass(119000);
	assert_int_equal(host_flags() & RST, 0);
	host_pass(3000);
	assert_true(host_flags() & RST);
	peer_fini(&p);
	free(b);
}

static void
test_abort(void **state)
{
	struct stream *c;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	conn_write(c, (const uint8_t *)"half", 4);
	stream_free(c);
	host.nconn = 0;
	peer_pump(&p);
	assert_true(p.reset);
	/* And nothing is known of it any more. */
	p.reset = false;
	peer_send(&p, "x", 1);
	peer_pump(&p);
	assert_true(p.reset);
	peer_fini(&p);
}

static void
test_reset_from_application(void **state)
{
	struct stream *c;
	struct window w;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[1].me, pairs[1].to);
	peer_send(&p, "last", 4);
	peer_reset(&p);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_OK);
	stream_recv_ack(c, w.len);
	assert_int_equal(stream_recv_buf(c, &w), -ECONNRESET);
	assert_int_equal(stream_send_buf(c, &w), -ECONNRESET);
	assert_int_equal(stream_shut(c), -ECONNRESET);
	assert_non_null(stream_reason(c));
	host_settle();
}

static void
test_time_wait(void **state)
{
	/* Where the next SYN is, seen from the first: ahead, the same, behind, far away. */
	static const uint32_t next[] = { 0, 100000, 100000, 99990, 0, 0x80000000,
		0xffff0000 };
	const size_t n = sizeof(next) / sizeof(*next);
	struct stream *c;
	struct peer p;
	size_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		peer_init(&p, pairs[0].me, pairs[0].to);
		p.iss += next[i];
		c = peer_open(&p);
		stream_shut(c);
		peer_pump(&p);
		assert_true(p.fin);
		peer_fin(&p);
		peer_pump(&p);
		stream_free(c);
		host.nconn = 0;
		peer_fini(&p);
	}
	assert_int_equal(host.nsyn, n);
	host_pass(5000);
	host_quiet();
}

/* The user is gone, and the application goes on talking: it has the whole answer before
 * it is told that nobody listens. */
static void
test_linger_swallows(void **state)
{
	uint8_t *b = pattern(16000);
	struct peer p;

	(void)state;
	left_with(&p, 0, 4000, b, 16000);
	peer_send(&p, b, 1000);
	assert_false(p.reset);
	takes_all(&p, b, 16000);
	peer_send(&p, b, 1000);
	peer_pump(&p);
	assert_true(p.reset);
	peer_fini(&p);
	free(b);
}

/* The application has ended its side and takes its time with the answer.  lwIP forgets a
 * connection two seconds after both sides have ended, whatever is still on its way. */
static void
test_slow_reader(void **state)
{
	uint8_t *b = pattern(16000);
	struct stream *c;
	struct window w;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_shrink(&p, 0);
	peer_fin(&p);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_OK);
	assert_int_equal(conn_write(c, b, 16000), 16000);
	stream_shut(c);
	p.silent = true;
	host_pass(20000);
	assert_int_equal(host_flags() & (RST | FIN), 0);
	p.silent = false;
	p.window = 64 << 10;
	peer_ack(&p);
	takes_all(&p, b, 16000);
	peer_fini(&p);
	free(b);
}

/* The kernel of an application that has closed resets what it is asked for; of one that
 * reads it says where it stands. */
static void
test_asked(void **state)
{
	struct stream *c;
	struct window w;
	struct peer p;
	struct seen k;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_fin(&p);
	peer_pump(&p);
	host_quiet();
	conn_ask(c, false);
	assert_true(host_take(&k));
	assert_int_equal(k.flags, ACK);
	assert_int_equal(k.seq + 1, p.rcv);
	conn_ask(c, true);
	assert_true(host_take(&k));
	assert_int_equal(k.flags, SYN | ACK);
	assert_int_equal(k.len, 0);
	assert_int_equal(k.seq, p.rcv);
	assert_int_equal(k.ack, p.snd);
	peer_ack(&p);
	host_settle();
	host_quiet();
	assert_int_equal(stream_recv_buf(c, &w), STREAM_END);
	conn_ask(c, true);
	assert_true(host_take(&k));
	host_input_tcp(&p.me, &p.to, RST, k.ack, 0, 0, NULL, 0, NULL, 0);
	assert_int_equal(stream_recv_buf(c, &w), -ECONNRESET);
	peer_fini(&p);
}

/* How one that its user has left stands. */
enum left {
	DELIVERS,     /* the application takes nothing */
	HALF_CLOSED,  /* it has all, and has not ended */
	IN_TIME_WAIT, /* it has ended, too */
};

enum { LEFT_MAX = 16 }; /* of a kind, by few_conns */

static void
few_conns(void)
{
	host.config.conns_max = 32;
	host_restart();
}

/* The i-th connection, to where it is to stand. */
static void
leave(struct peer *p, int i, enum left how)
{
	char me[32];
	struct stream *c;

	snprintf(me, sizeof(me), "198.18.0.2:%d", 41000 + i);
	c = peer_start(p, me, pairs[0].to);
	if (how == DELIVERS) {
		peer_shrink(p, 0);
	}
	assert_int_equal(conn_write(c, (const uint8_t *)"bye", 3), 3);
	stream_shut(c);
	peer_pump(p);
	if (how == IN_TIME_WAIT) {
		peer_fin(p);
		peer_pump(p);
	}
	conn_leave(c);
	host_settle();
}

/* Bytes that a slow reader has not taken yet are not lost to short connections beside it,
 * which wait to be forgotten. */
static void
test_linger_beside_others(void **state)
{
	static const int others[] = { [HALF_CLOSED] = LEFT_MAX, [IN_TIME_WAIT] = 40 };
	uint8_t *b = pattern(14000);
	struct peer p, other;
	enum left how;
	int i;

	(void)state;
	for (how = HALF_CLOSED; how <= IN_TIME_WAIT; how++) {
		few_conns();
		left_with(&p, 0, 0, b, 14000);
		peer_pump(&p);
		for (i = 0; i < others[how]; i++) {
			leave(&other, i, how);
			assert_int_equal(other.ngot, 3);
			peer_fini(&other);
		}
		peer_reset(&other); /* it leaves its place to this one */
		p.window = 64 << 10;
		peer_ack(&p);
		takes_all(&p, b, 14000);
		peer_fini(&p);
	}
	free(b);
}

/* There are so many of each kind; the oldest gives way, and is told unless it has ended. */
static void
test_left_bounded(void **state)
{
	struct peer first, p;
	enum left how;
	struct seen k;
	int i;

	(void)state;
	for (how = DELIVERS; how <= IN_TIME_WAIT; how++) {
		few_conns();
		leave(&first, 0, how);
		for (i = 1; i < LEFT_MAX; i++) {
			leave(&p, i, how);
			peer_fini(&p);
		}
		host_quiet();
		leave(&p, i, how);
		peer_fini(&p);
		if (how != IN_TIME_WAIT) {
			assert_true(host_take(&k));
			assert_true(endpoint_equal(&k.to, &first.me));
			assert_true(k.flags & RST);
		}
		host_quiet();
		/* It is not known any more. */
		peer_ack(&first);
		assert_true(host_take(&k));
		assert_true(k.flags & RST);
		peer_fini(&first);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_fin_lost),
		HOST_TEST(test_slow_reader),
		HOST_TEST(test_fin_from_application),
		HOST_TEST(test_fin_from_user),
		HOST_TEST(test_linger),
		HOST_TEST(test_linger_ends),
		HOST_TEST(test_abort),
		HOST_TEST(test_reset_from_application),
		HOST_TEST(test_time_wait),
		HOST_TEST(test_linger_swallows),
		HOST_TEST(test_linger_beside_others),
		HOST_TEST(test_left_bounded),
		HOST_TEST(test_asked),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* And with a device that cuts and sums. */
	host_offload = true;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
