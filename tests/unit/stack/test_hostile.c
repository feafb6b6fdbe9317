/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "stack/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Peers that mean no good: each costs little, and gets its right bytes or an end. */

enum { K = 1024 };

static void
drain(void)
{
	struct seen k;

	host_settle();
	while (host_take(&k))
		;
}

static struct stream *
closed_open(struct peer *p)
{
	struct stream *c;

	c = peer_start(p, "198.18.0.2:40000", "203.0.113.7:443");
	peer_shrink(p, 0);
	drain();
	return c;
}

/* A window that stays closed for days, and whose probes are answered: what was taken of
 * the user stays what it was, and is there when it opens. */
static void
test_closed_for_days(void **state)
{
	uint8_t *b = pattern(512 * K);
	struct stream *c;
	struct peer p;
	struct seen k;
	size_t n;
	int i;

	(void)state;
	c = closed_open(&p);
	n = conn_write(c, b, 512 * K);
	assert_true(n > 0 && n < 512 * K);
	for (i = 0; i < 3000; i++) {
		host_pass(60000);
		while (host_take(&k))
			peer_ack(&p);
		assert_int_equal(conn_write(c, b + n, 1), 0);
	}
	p.window = 64 * K;
	peer_ack(&p);
	while (p.ngot < 512 * K) {
		n += conn_write(c, b + n, 512 * K - n);
		peer_pump(&p);
	}
	assert_memory_equal(p.got, b, 512 * K);
	peer_fini(&p);
	free(b);
}

/* The same, and nobody answers: some minutes later it is over. */
static void
test_closed_and_silent(void **state)
{
	uint8_t *b = pattern(16 * K);
	struct stream *c;
	struct window w;
	struct peer p;
	int i;

	(void)state;
	c = closed_open(&p);
	conn_write(c, b, 16 * K);
	for (i = 0; i < 1800; i++) {
		host_pass(1000);
		drain();
	}
	assert_int_equal(stream_send_buf(c, &w), -ETIMEDOUT);
	stream_free(c);
	host.nconn = 0;
	host_settle();
	assert_int_equal(stack_counters(host.stack)->conns, 0);
	peer_fini(&p);
	free(b);
}

/* Every byte is acknowledged by itself, twice, and one that was never sent. */
static void
test_by_the_byte(void **state)
{
	enum { SIZE = 20000 };
	uint8_t *b = pattern(SIZE), *got = malloc(SIZE);
	size_t n = 0, written = 0, i;
	struct stream *c;
	struct seen k;
	struct peer p;

	(void)state;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.7:443");
	p.window = 3000;
	c = peer_open(&p);
	while (n < SIZE) {
		written += conn_write(c, b + written, SIZE - written);
		host_settle();
		while (host_take(&k)) {
			if (k.len == 0 || k.seq != p.rcv)
				continue;
			memcpy(got + n, k.p, k.len);
			n += k.len;
			for (i = 0; i < k.len; i++) {
				p.rcv++;
				peer_ack(&p);
				peer_ack(&p);
			}
			p.rcv += 90000;
			peer_ack(&p);
			p.rcv -= 90000;
		}
	}
	assert_memory_equal(got, b, SIZE);
	assert_int_equal(written, SIZE);
	peer_fini(&p);
	free(b);
	free(got);
}

/* What a SYN carries is not taken, and is there once when it comes again. */
static void
test_syn_with_data(void **state)
{
	static const uint8_t mss[] = { 2, 4, 5, 180 };
	uint8_t *b = pattern(1400), got[4000];
	struct peer p;
	size_t n = 0;

	(void)state;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.7:443");
	p.plain = true;
	host_input_tcp(&p.me, &p.to, SYN, p.iss, 0, 64240, mss, sizeof(mss), b, 1400);
	p.snd = p.acked = p.iss + 1;
	peer_pump(&p);
	assert_true(p.open);
	p.their_scale = 0;
	peer_ack(&p);
	peer_send(&p, b, 1400);
	peer_pump(&p);
	assert_int_equal(host.nconn, 1);
	conn_read(host.conn[0], got, sizeof(got), &n);
	assert_int_equal(n, 1400);
	assert_memory_equal(got, b, 1400);
	peer_fini(&p);
	free(b);
}

/* All but the first byte, in pieces, backwards and overlapping, of many: others get
 * their memory, and in the end all of it is there. */
enum { FLOODS = 60, FLOOD = 15000 };

static void
flood(struct peer *p, const uint8_t *b)
{
	uint32_t from = p->snd;
	size_t at;

	for (at = FLOOD - 100; at > 0; at -= 50) {
		p->snd = from + (uint32_t)at;
		peer_send(p, b + at, 100);
	}
	for (at = 1; at + 1400 < FLOOD; at += 700) {
		p->snd = from + (uint32_t)at;
		peer_send(p, b + at, 1400);
	}
	p->snd = from;
}

static void
honest(const uint8_t *b)
{
	uint8_t got[1000];
	struct stream *c;
	struct peer p;
	size_t n = 0;

	c = peer_start(&p, "198.18.0.3:1000", "203.0.113.7:443");
	peer_send(&p, b, sizeof(got));
	peer_pump(&p);
	conn_read(c, got, sizeof(got), &n);
	assert_int_equal(n, sizeof(got));
	assert_memory_equal(got, b, sizeof(got));
	peer_fini(&p);
}

static void
test_out_of_order_floods(void **state)
{
	static struct peer p[FLOODS];
	struct stream *c[FLOODS];
	uint8_t *b = pattern(FLOOD), *got = malloc(FLOOD);
	char me[32];
	size_t i, n;

	(void)state;
	host.config.memory = 4 << 20;
	host.config.conns_max = 2 * FLOODS;
	host_restart();
	for (i = 0; i < FLOODS; i++) {
		snprintf(me, sizeof(me), "198.18.0.2:%zu", 40000 + i);
		c[i] = peer_start(&p[i], me, "203.0.113.7:443");
		flood(&p[i], b);
		drain();
	}
	honest(b);
	for (i = 0; i < FLOODS; i++) {
		uint32_t from = p[i].snd;

		for (n = 0; n < FLOOD;) {
			p[i].snd = from + (uint32_t)n;
			peer_send(&p[i], b + n, n + 1400 < FLOOD ? 1400 : FLOOD - n);
			host_settle();
			conn_read(c[i], got, FLOOD, &n);
			drain();
		}
		assert_int_equal(n, FLOOD);
		assert_memory_equal(got, b, FLOOD);
		peer_fini(&p[i]);
	}
	free(b);
	free(got);
}

/*
 * Each byte by itself, out of order: it costs a hundred times what it promised.  There is a
 * bound to that, and in what is kept back of it the words and acknowledgements of others
 * pass.
 */
static void
test_memory_is_bounded(void **state)
{
	enum { CROWD = 300, BOUND = (256 << 10) + (1 << 20) / 2 + 2 * CROWD * 1024 };
	static struct peer p[CROWD];
	struct peer other;
	struct stream *c;
	uint8_t got[100], whole[1400] = { 0 };
	char me[32];
	size_t n;
	int i, at;

	(void)state;
	host.config.memory = 1 << 20;
	host.config.conns_max = 2 * CROWD;
	host_restart();
	c = peer_start(&other, "198.18.0.3:1000", "203.0.113.7:443");
	for (i = 0; i < CROWD; i++) {
		snprintf(me, sizeof(me), "198.18.0.2:%d", 40000 + i);
		peer_start(&p[i], me, "203.0.113.7:443");
	}
	for (i = 0; i < CROWD; i++) {
		for (at = 0; at < 400; at++) {
			p[i].snd += 2;
			peer_send(&p[i], "x", 1);
			p[i].snd--;
		}
		assert_true(memory_used() <= BOUND);
		drain();
	}
	assert_true(memory_used() > BOUND / 32 * 30);
	assert_true(stack_counters(host.stack)->over_limit > 0);
	for (i = 0; i < 1000; i++) {
		peer_send(&other, "0123456789", 10);
		peer_pump(&other);
		n = 0;
		conn_read(c, got, sizeof(got), &n);
		assert_int_equal(n, 10);
		assert_int_equal(conn_write(c, got, n), n);
		peer_pump(&other);
		assert_int_equal(other.ngot, 10 * (i + 1));
	}
	/* Of a whole segment a part is taken, and that is acknowledged. */
	peer_send(&other, whole, sizeof(whole));
	peer_pump(&other);
	assert_int_equal(other.snd - other.acked, sizeof(whole) - 1024);
	peer_fini(&other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_closed_for_days),
		TEST(test_closed_and_silent),
		TEST(test_by_the_byte),
		TEST(test_syn_with_data),
		TEST(test_out_of_order_floods),
		TEST(test_memory_is_bounded),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* And with a device that cuts and sums. */
	host_offload = true;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
