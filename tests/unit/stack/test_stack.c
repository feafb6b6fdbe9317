/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"
#include "sim/script/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *label, *me, *to;
} ends[] = {
	{ "IPv4", "198.18.0.2:40000", "203.0.113.7:443" },
	{ "IPv6", "[2001:db8::2]:40000", "[2001:db8:ffff::7]:443" },
	{ "lowest and highest port", "198.18.0.2:1", "192.0.2.1:65535" },
	{ "link-local", "[fe80::2]:40000", "[fe80::7]:1" },
};

static void
test_handshake(void **state)
{
	struct seen k;
	struct peer p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		peer_init(&p, ends[i].me, ends[i].to);
		peer_syn(&p);
		assert_true(endpoint_equal(&host.source, &p.me));
		assert_true(endpoint_equal(&host.target, &p.to));
		host_settle();
		assert_true(host_take(&k));
		assert_int_equal(k.flags, SYN | ACK);
		assert_int_equal(k.ack, p.iss + 1);
		assert_int_equal(k.mss, p.me.ip.family == 4 ? 1460 : 1440);
		assert_int_equal(k.scale, 7);
		assert_true(k.sack);
		host_quiet();
		assert_int_equal(host.nconn, i);
		p.rcv = k.seq + 1;
		peer_ack(&p);
		assert_int_equal(host.nconn, i + 1);
		host_quiet();
	}
	assert_int_equal(stack_counters(host.stack)->conns, i);
	assert_int_equal(stack_counters(host.stack)->admitted, i);
}

static void
test_data_in(void **state)
{
	uint8_t mem[64];
	struct stream *c;
	struct peer p;
	size_t n = 0;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	assert_int_equal(conn_read(c, mem, sizeof(mem), &n), STREAM_AGAIN);
	peer_send(&p, "GET /", 5);
	peer_send(&p, " HTTP/1.1", 9);
	assert_int_equal(conn_read(c, mem, sizeof(mem), &n), STREAM_AGAIN);
	assert_int_equal(n, 14);
	assert_memory_equal(mem, "GET / HTTP/1.1", 14);
	/* Acknowledged when the turn ends, not a quarter of a second later. */
	peer_pump(&p);
	assert_int_equal(p.acked, p.snd);
}

/* An acknowledgement goes with the answer, where that comes soon, and alone where not. */
static void
test_ack_waits(void **state)
{
	struct stream *c;
	uint8_t mem[64];
	struct seen k;
	struct peer p;
	size_t n = 0;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_send(&p, "question", 8);
	conn_read(c, mem, sizeof(mem), &n);
	assert_true(script_settle(host.loop));
	host_quiet();
	assert_int_equal(conn_write(c, (const uint8_t *)"answer", 6), 6);
	assert_true(script_settle(host.loop));
	assert_true(host_take(&k));
	assert_int_equal(k.len, 6);
	assert_int_equal(k.ack, p.snd);
	host_quiet();
	host_pass(100);
	host_quiet();
	p.rcv += (uint32_t)k.len;
	peer_ack(&p);
	peer_send(&p, "question", 8);
	conn_read(c, mem, sizeof(mem), &n);
	assert_true(script_settle(host.loop));
	host_pass(HOST_ACK_MS - 1);
	host_quiet();
	host_pass(1);
	assert_true(host_take(&k));
	assert_int_equal(k.len, 0);
	assert_int_equal(k.ack, p.snd);
	host_quiet();
}

/* Of many bytes that nobody has read yet the application hears when they are read, or as
 * late as of a small message. */
static void
test_ack_waits_for_the_reader(void **state)
{
	uint8_t *b = pattern(8000), mem[8000];
	struct stream *c;
	struct seen k;
	struct peer p;
	size_t n = 0;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_send(&p, b, 4000);
	assert_true(script_settle(host.loop));
	host_quiet();
	conn_read(c, mem, sizeof(mem), &n);
	assert_true(script_settle(host.loop));
	assert_true(host_take(&k));
	assert_int_equal(k.ack, p.snd);
	peer_send(&p, b + 4000, 4000);
	assert_true(script_settle(host.loop));
	host_pass(HOST_ACK_MS - 1);
	host_quiet();
	host_pass(1);
	assert_true(host_take(&k));
	assert_int_equal(k.ack, p.snd);
	conn_read(c, mem, sizeof(mem), &n);
	assert_int_equal(n, 8000);
	assert_memory_equal(mem, b, 8000);
	free(b);
}

static void
test_megabyte(void **state)
{
	(void)state;
	peer_transfer(pairs[0].me, pairs[0].to, 64 << 10, 0);
	peer_transfer(pairs[1].me, pairs[1].to, 1 << 20, 0);
	peer_transfer("198.18.0.2:40001", pairs[0].to, 3000, 0);
}

/* The application may send no more than was offered, and more is offered only as the
 * user reads. */
static void
test_window_in(void **state)
{
	uint8_t *b = pattern(64 << 10), *got = malloc(128 << 10);
	struct stream *c;
	struct peer p;
	size_t n = 0;

	(void)state;
	host.config.window = 16 << 10;
	host_restart();
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_send(&p, b, 1);
	peer_pump(&p);
	assert_true(p.their_window <= 16 << 10 && p.their_window >= 15 << 10);
	peer_send(&p, b + 1, (16 << 10) - 1);
	peer_pump(&p);
	assert_true(p.their_window < 128);
	host_pass(5000);
	host_quiet();
	assert_int_equal(conn_read(c, got, 128 << 10, &n), STREAM_AGAIN);
	assert_int_equal(n, 16 << 10);
	assert_memory_equal(got, b, n);
	peer_pump(&p);
	assert_true(p.their_window >= 15 << 10);
	peer_send(&p, b, 1000);
	assert_int_equal(conn_read(c, got, 128 << 10, &n), STREAM_AGAIN);
	assert_int_equal(n, (16 << 10) + 1000);
	free(b);
	free(got);
}

/* A closed window keeps everything here; an opened one lets it go on. */
static void
test_window_out(void **state)
{
	uint8_t *b = pattern(MEGABYTE);
	struct stream *c;
	size_t n, total;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[1].me, pairs[1].to);
	peer_shrink(&p, 0);
	total = n = conn_write(c, b, MEGABYTE);
	assert_true(n > 0 && n < MEGABYTE);
	peer_pump(&p);
	assert_int_equal(p.ngot, 0);
	p.window = 64 << 10;
	peer_ack(&p);
	peer_pump(&p);
	assert_int_equal(p.ngot, n);
	while (total < MEGABYTE) {
		total += conn_write(c, b + total, MEGABYTE - total);
		peer_pump(&p);
	}
	assert_int_equal(p.ngot, MEGABYTE);
	assert_memory_equal(p.got, b, MEGABYTE);
	assert_int_equal(stack_counters(host.stack)->retransmitted, 0);
	peer_fini(&p);
	free(b);
}

static size_t woken;

static void
count(struct task *t)
{
	(void)t;
	woken++;
}

static void
test_wakes(void **state)
{
	uint8_t *b = pattern(MEGABYTE);
	struct stream *c;
	struct window w;
	struct task t;
	struct peer p;

	(void)state;
	woken = 0;
	task_init(&t, count);
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_send(&p, "x", 1);
	conn_own(c, &t);
	host_settle();
	assert_int_equal(woken, 1); /* for what was there before it had an owner */
	assert_int_equal(stream_recv_buf(c, &w), STREAM_OK);
	stream_recv_ack(c, w.len);
	host_settle();
	assert_int_equal(woken, 1);
	conn_write(c, b, MEGABYTE);
	assert_int_equal(stream_send_buf(c, &w), STREAM_AGAIN);
	peer_pump(&p);
	assert_true(woken > 1); /* there is room again */
	assert_int_equal(
		stream_flush(c), STREAM_OK); /* all that was sent is acknowledged */
	woken = 0;
	peer_fin(&p);
	host_settle();
	assert_int_equal(woken, 1);
	assert_int_equal(stream_recv_buf(c, &w), STREAM_END);
	task_fini(&t);
	conn_own(c, NULL);
	peer_fini(&p);
	free(b);
}

/* A full device delays and loses nothing. */
static void
test_full(void **state)
{
	uint8_t *b = pattern(MEGABYTE);
	struct stream *c;
	struct peer p;
	size_t n = 0;

	(void)state;
	peer_init(&p, pairs[0].me, pairs[0].to);
	host.room = 0;
	peer_syn(&p);
	host_settle();
	host_quiet();
	host.room = 1;
	stack_resume(host.stack);
	peer_pump(&p);
	assert_true(p.open);
	peer_ack(&p);
	assert_int_equal(host.nconn, 1);
	c = host.conn[0];
	while (n < MEGABYTE || p.ngot < MEGABYTE) {
		n += conn_write(c, b + n, MEGABYTE - n);
		peer_pump(&p);
		host.room = 3;
		stack_resume(host.stack);
		peer_pump(&p);
	}
	assert_memory_equal(p.got, b, MEGABYTE);
	assert_true(stack_counters(host.stack)->output_full > (host_offload ? 4 : 100));
	assert_int_equal(stack_counters(host.stack)->retransmitted, 0);
	/* A RST waits too. */
	host.room = 0;
	stream_free(c);
	host.nconn = 0;
	peer_pump(&p);
	assert_false(p.reset);
	host.room = -1;
	stack_resume(host.stack);
	peer_pump(&p);
	assert_true(p.reset);
	peer_fini(&p);
	free(b);
}

/* An acknowledgement that met a full device goes when it takes packets again. */
static void
test_full_ack(void **state)
{
	uint8_t mem[8];
	struct stream *c;
	struct peer p;
	size_t n = 0;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	host.room = 0;
	peer_send(&p, "x", 1);
	conn_read(c, mem, sizeof(mem), &n);
	host_settle();
	host_quiet();
	host.room = -1;
	stack_resume(host.stack);
	peer_pump(&p);
	assert_int_equal(p.acked, p.snd);
}

/* Without connections that wait for something, nothing wakes the machine. */
static void
test_sleeps(void **state)
{
	struct stream *c;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	conn_write(c, (const uint8_t *)"hello", 5);
	peer_pump(&p);
	host_pass(1000);
	/* A day in one step: a timer that ticks would need 345,600 turns. */
	host_pass(86400000);
	assert_int_equal(conn_write(c, (const uint8_t *)"again", 5), 5);
	peer_pump(&p);
	assert_int_equal(p.ngot, 10);
	assert_false(p.reset);
	peer_fini(&p);
}

/* A window that is closed to the last byte, and to the FIN: each probe carries all that
 * is left, and its acknowledgement ends the probing. */
static void
test_probe(void **state)
{
	struct stream *c;
	struct seen k;
	struct peer p;
	int i;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	peer_shrink(&p, 0);
	for (i = 0; i < 2; i++) {
		if (i == 0)
			assert_int_equal(conn_write(c, (const uint8_t *)"z", 1), 1);
		else
			stream_shut(c);
		host_settle();
		while (host_take(&k))
			assert_int_equal(k.len, 0);
		host_pass(
			2500); /* three to four ticks of lwIP's; the next takes twice that */
		assert_true(host_take(&k));
		assert_true(i == 0 ? k.len == 1 : k.flags & FIN);
		p.rcv++;
		peer_ack(&p);
		host_pass(60000);
		host_quiet();
	}
	assert_int_equal(stack_counters(host.stack)->retransmitted, 0);
}

/* A window that shrinks for good, below a segment that waits: some ticks later all goes by
 * what it has room for, and by whole segments again once it opens. */
static void
shrink_for_good(const struct pair *pair, uint32_t window)
{
	enum { SIZE = 400000, TICK = 250, PATIENCE = 1000 };
	uint8_t *b = pattern(SIZE);
	size_t n = 0, waited = 0, before;
	struct stream *c;
	struct peer p;

	c = peer_start(&p, pair->me, pair->to);
	peer_shrink(&p, window);
	while (p.ngot < SIZE) {
		if (p.ngot >= SIZE / 2)
			p.window = 64 << 10;
		before = p.ngot;
		n += conn_write(c, b + n, SIZE - n);
		peer_pump(&p);
		if (p.ngot > before)
			continue;
		host_pass(TICK);
		waited += TICK;
		assert_true(waited <= PATIENCE);
	}
	assert_memory_equal(p.got, b, SIZE);
	assert_int_equal(stack_counters(host.stack)->retransmitted, 0);
	peer_fini(&p);
	free(b);
}

static void
test_shrinks_for_good(void **state)
{
	(void)state;
	shrink_for_good(&pairs[0], 1280);
	shrink_for_good(&pairs[1], 20000);
}

/* Bytes that come one by one. */
static void
test_crumbs(void **state)
{
	enum { N = 16000 };
	uint8_t *b = pattern(N), *got = malloc(N + 1);
	struct stream *c;
	size_t n = 0, i;
	struct seen k;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	for (i = 0; i < N; i++) {
		peer_send(&p, b + i, 1);
		if (i == N / 2)
			conn_read(c, got, 3, &n);
		while (host_take(&k))
			assert_int_equal(k.len, 0);
	}
	assert_int_equal(conn_read(c, got, N + 1, &n), STREAM_AGAIN);
	assert_int_equal(n, N);
	assert_memory_equal(got, b, N);
	free(b);
	free(got);
}

/* What the peer would take may be more than the device takes. */
static void
test_mss(void **state)
{
	static const uint8_t jumbo[] = { 2, 4, 35, 0 };
	uint8_t *b = pattern(20000);
	struct seen k;
	struct peer p;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		peer_init(&p, pairs[i].me, pairs[i].to);
		p.plain = true;
		host_input_tcp(&p.me, &p.to, SYN, p.iss, 0, 64240, jumbo, sizeof(jumbo),
			NULL, 0);
		p.snd = p.acked = p.iss + 1;
		peer_pump(&p);
		peer_ack(&p);
		host_input_tcp(&p.me, &p.to, ACK, p.snd, p.rcv, 64240, NULL, 0, NULL, 0);
		conn_write(host.conn[i], b, 5000);
		host_settle();
		assert_true(host_take(&k)); /* which checks its length */
		assert_int_equal(k.len, i ? 1440 : 1460);
		while (host_take(&k))
			;
	}
	free(b);
}

/* A stream that contradicts itself: segments behind the window, a FIN and then bytes
 * behind it, bytes and then a FIN before them.  What is sound of it arrives. */
static void
test_contradictions(void **state)
{
	uint8_t *b = pattern(3000), *got = malloc(3000);
	struct stream *c;
	struct seen k;
	struct peer p;
	uint32_t from;
	size_t n = 0;

	(void)state;
	host.config.window = 16 << 10;
	host_restart();
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	from = p.snd;
	p.snd = from + (16 << 10) - 10; /* half of it is beyond the window */
	peer_send(&p, b, 20);
	p.snd = from + 2000;
	peer_fin(&p); /* before bytes that were seen */
	p.snd = from + 1000;
	peer_send(&p, b + 1000, 1000);
	p.snd = from;
	peer_send(&p, b, 1000);
	assert_int_equal(conn_read(c, got, 3000, &n), STREAM_AGAIN);
	assert_int_equal(n, 2000);
	assert_memory_equal(got, b, 2000);
	stream_free(c);
	host.nconn = 0;
	host_settle();
	while (host_take(&k))
		;

	c = peer_start(&p, pairs[1].me, pairs[1].to);
	from = p.snd;
	p.snd = from + 500;
	peer_fin(&p);
	p.snd = from + 400;
	peer_send(&p, b + 400, 200); /* goes over the FIN */
	p.snd = from;
	peer_send(&p, b, 450);
	n = 0;
	assert_int_equal(conn_read(c, got, 3000, &n), STREAM_END);
	assert_int_equal(n, 500);
	assert_memory_equal(got, b, 500);
	peer_fini(&p);
	free(b);
	free(got);
}

/* A lost segment comes again, and is counted. */
static void
test_repeats(void **state)
{
	struct stream *c;
	struct seen k;
	struct peer p;

	(void)state;
	c = peer_start(&p, pairs[0].me, pairs[0].to);
	conn_write(c, (const uint8_t *)"hello", 5);
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.len, 5);
	host_pass(5000);
	assert_true(stack_counters(host.stack)->retransmitted > 0);
	assert_true(host_take(&k));
	peer_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_handshake),
		HOST_TEST(test_data_in),
		HOST_TEST(test_ack_waits),
		HOST_TEST(test_ack_waits_for_the_reader),
		HOST_TEST(test_megabyte),
		HOST_TEST(test_window_in),
		HOST_TEST(test_window_out),
		HOST_TEST(test_wakes),
		HOST_TEST(test_full),
		HOST_TEST(test_full_ack),
		HOST_TEST(test_sleeps),
		HOST_TEST(test_probe),
		HOST_TEST(test_shrinks_for_good),
		HOST_TEST(test_crumbs),
		HOST_TEST(test_mss),
		HOST_TEST(test_contradictions),
		HOST_TEST(test_repeats),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* And with a device that cuts and sums. */
	host_offload = true;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
