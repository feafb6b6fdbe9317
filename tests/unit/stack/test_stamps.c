/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"

#include <stdlib.h>

/* Timestamps (RFC 7323 3 and 4). */

static const char *const me = "198.18.0.2:40000", *const to = "203.0.113.7:443";

enum { STAMPED = 12 };

/* Whoever speaks of none gets none, in whatever segment; the peer looks at each. */
static void
test_both_kinds(void **state)
{
	struct seen k;
	struct peer p;
	int plain;

	(void)state;
	for (plain = 0; plain < 2; plain++) {
		peer_init(&p, plain ? "198.18.0.2:40001" : me, to);
		p.plain = plain;
		p.stamp = 7777;
		peer_syn(&p);
		host_settle();
		assert_true(host_take(&k));
		assert_int_equal(k.stamped, !plain);
		assert_int_equal(k.echo, plain ? 0 : 7777);
		assert_int_equal(k.mss, 1460); /* of which options take their part */
		p.rcv = k.seq + 1;
		p.their_scale = k.scale;
		peer_ack(&p);
		host_settle();
		conn_write(host.conn[plain], (const uint8_t *)"word", 4);
		peer_pump(&p);
		assert_int_equal(p.ngot, 4);
		peer_fini(&p);
	}
}

static void
test_plain_megabyte(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p, me, to);
	p.plain = true;
	p.large = host_offload ? 65495 : 0;
	p.window = MEGABYTE;
	peer_megabyte(&p);
	peer_fini(&p);
}

/* A SYN that is repeated is answered with what it said last. */
static void
test_syn_repeated(void **state)
{
	struct seen k;
	struct peer p;

	(void)state;
	peer_init(&p, me, to);
	p.stamp = 100;
	peer_syn(&p);
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.echo, 100);
	p.stamp = 1100;
	peer_syn(&p);
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.flags, SYN | ACK);
	assert_int_equal(k.echo, 1100);
}

/* What the stack sends next says that it has all before `ack`, and that `stamp` came. */
static void
echoes(uint32_t ack, uint32_t stamp)
{
	struct seen k;

	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.ack, ack);
	assert_int_equal(k.echo, stamp);
}

/* The segment that an acknowledgement is due for is echoed; not one behind a gap. */
static void
test_echo(void **state)
{
	struct peer p;

	(void)state;
	peer_start(&p, me, to);
	p.stamp = 500;
	peer_send(&p, "a", 1);
	peer_send(&p, "b", 1); /* 501: the acknowledgement says when the first came */
	echoes(p.snd, 500);
	p.snd += 1;
	p.stamp = 600;
	peer_send(&p, "d", 1);
	echoes(p.snd - 2, 500);
	p.snd -= 2;
	p.stamp = 700;
	peer_send(&p, "c", 1);
	echoes(p.snd + 1, 700);
}

/* What came before is not echoed again because it comes once more; nor is it lost. */
static void
test_never_back(void **state)
{
	struct peer p;

	(void)state;
	peer_start(&p, me, to);
	p.stamp = 500;
	peer_send(&p, "a", 1);
	echoes(p.snd, 500);
	p.snd -= 1;
	p.stamp = 400;
	peer_send(&p, "a", 1);
	echoes(p.snd, 500);
	p.stamp = 499;
	peer_send(&p, "b", 1);
	echoes(p.snd, 500);
	/* Days later the clock is more than half round. */
	p.stamp = 500 + 0x80000001;
	peer_send(&p, "c", 1);
	echoes(p.snd, 500 + 0x80000001);
}

/* Others write the option unpadded, and behind others. */
static void
test_odd_place(void **state)
{
	uint8_t options[16] = { 1, 5, 2, 8, 10, 0, 0, 9, 9 };
	struct peer p;

	(void)state;
	peer_start(&p, me, to);
	host_input_tcp(
		&p.me, &p.to, ACK, p.snd, p.rcv, 100, options, sizeof(options), "a", 1);
	echoes(p.snd + 1, 0x909);
}

/* Milliseconds. */
static void
test_clock(void **state)
{
	uint32_t before;
	struct peer p;

	(void)state;
	peer_start(&p, me, to);
	before = p.echo;
	host_pass(12345);
	peer_send(&p, "a", 1);
	peer_pump(&p);
	assert_in_range(p.echo - before, 12345, 12345 + 10 * HOST_ACK_MS);
	peer_fini(&p);
}

/* With its options a full segment has just the size of the link; more is cut from it. */
static void
test_full_segment(void **state)
{
	uint8_t *b = pattern(20000);
	struct stream *c;
	struct peer p;
	struct seen k;
	int i;

	(void)state;
	c = peer_start(&p, me, to);
	conn_write(c, b, 10 * (1460 - STAMPED));
	host_settle();
	for (i = 0; i < 4; i++) {
		if (!host_take(&k)) /* the window of congestion, without offload */
			break;
		assert_true(k.stamped);
		assert_int_equal(k.len, 1460 - STAMPED);
	}
	assert_true(i >= 2);
	while (host_take(&k))
		;
	free(b);
}

/* What lwIP sends beside its queue has a timestamp, too, and a probe its byte. */
static void
test_beside(void **state)
{
	struct stream *c;
	struct seen k;
	struct peer p;

	(void)state;
	c = peer_start(&p, me, to);
	conn_ask(c, false);
	assert_true(host_take(&k));
	assert_int_equal(k.seq + 1, p.rcv);
	assert_true(k.stamped);
	peer_shrink(&p, 0);
	host_settle();
	assert_true(host_take(&k));
	conn_write(c, (const uint8_t *)"z", 1);
	host_pass(2500);
	assert_true(host_take(&k));
	assert_int_equal(k.len, 1);
	assert_int_equal(*k.p, 'z');
	assert_true(k.stamped);
	assert_int_equal(k.echo, p.stamp - 2); /* of the two, which one answer had */
	stream_free(c);
	host.nconn = 0;
	assert_true(host_take(&k));
	assert_true(k.flags & RST);
	assert_true(k.stamped);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_both_kinds),
		HOST_TEST(test_plain_megabyte),
		HOST_TEST(test_syn_repeated),
		HOST_TEST(test_echo),
		HOST_TEST(test_never_back),
		HOST_TEST(test_odd_place),
		HOST_TEST(test_clock),
		HOST_TEST(test_full_segment),
		HOST_TEST(test_beside),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* And with a device that cuts and sums. */
	host_offload = true;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
