/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

/* Behind this machine a link is narrower than the device. */

static const char me[] = "[2001:db8::2]:40000", to[] = "[2001:db8:ffff::7]:443";

enum { SIZE = 200000 };

/* What a router says of p's segment at `seq`. */
static void
tell(const struct peer *p, uint32_t seq, uint32_t mtu)
{
	uint8_t head[8];

	be16_put(head, p->to.port);
	be16_put(head + 2, p->me.port);
	be32_put(head + 4, seq);
	host_input_too_big(&p->to, &p->me, 6, head, mtu);
}

/* The length of a packet that carries something. */
static size_t
packet_of(const struct seen *k)
{
	size_t headers = (k->to.ip.family == 4 ? 20 : 40) + 20 + (k->stamped ? 12 : 0);

	return k->len ? headers + k->len : 0;
}

/* All that the stack has sent, lost on its way; the longest packet of it. */
static size_t
lose(uint32_t *first)
{
	struct seen k;
	size_t longest = 0;

	*first = 0;
	host_settle();
	while (host_take(&k)) {
		assert_int_equal(k.flags & RST, 0);
		if (k.len && !*first)
			*first = k.seq;
		if (packet_of(&k) > longest)
			longest = packet_of(&k);
	}
	return longest;
}

/* The rest of b, of which n bytes are written, arrives in packets of at most `mtu` bytes. */
static void
arrives(struct stream *c, struct peer *p, const uint8_t *b, size_t n, size_t mtu)
{
	host.config.mtu = (int)mtu; /* host_take fails the test on any that is longer */
	while (p->ngot < SIZE) {
		n += conn_write(c, b + n, SIZE - n);
		peer_pump(p);
	}
	assert_int_equal(p->ngot, SIZE);
	assert_memory_equal(p->got, b, SIZE);
	assert_false(p->reset);
	host.config.mtu = 1500;
}

static void
transfer(uint32_t told, size_t mtu)
{
	uint8_t *b = pattern(SIZE);
	struct stream *c;
	struct peer p;
	uint32_t first;
	size_t n;

	peer_init(&p, me, to);
	p.window = SIZE;
	c = peer_open(&p);
	peer_ack(&p);
	n = conn_write(c, b, SIZE);
	assert_int_equal(lose(&first), 1500);
	assert_int_equal(first, p.rcv);
	tell(&p, first, told);
	arrives(c, &p, b, n, mtu);
	peer_fini(&p);
	free(b);
}

static void
test_segments(void **state)
{
	(void)state;
	transfer(1400, 1400);
	assert_true(stack_counters(host.stack)->retransmitted > 0);
	assert_int_equal(stack_counters(host.stack)->malformed, 0);
}

/* No link of IPv6 has less than 1,280 bytes. */
static void
test_least(void **state)
{
	(void)state;
	transfer(68, 1280);
}

/* Segments that are longer by far than what passes, and cut into several each. */
static void
test_wide_device(void **state)
{
	static const uint8_t options[] = { 2, 4, 0x3e, 0x80, 1, 3, 3, 7 }; /* 16,000 */
	uint8_t *b = pattern(SIZE);
	struct peer p;
	uint32_t first;
	size_t n;

	(void)state;
	host.config.mtu = 65535;
	host_restart();
	peer_init(&p, me, to);
	p.plain = true;
	host_input_tcp(
		&p.me, &p.to, SYN, p.iss, 0, 64240, options, sizeof(options), NULL, 0);
	p.snd = p.acked = p.iss + 1;
	peer_pump(&p);
	peer_ack(&p);
	host_settle();
	n = conn_write(host.conn[0], b, SIZE);
	assert_int_equal(lose(&first), 16000 + 60);
	tell(&p, first, 1280);
	arrives(host.conn[0], &p, b, n, 1280);
	peer_fini(&p);
	free(b);
}

/* Who has seen no segment cannot say which are on their way (RFC 5927 4.1). */
static void
test_lies(void **state)
{
	uint8_t *b = pattern(SIZE);
	struct stream *c;
	struct peer p, other;
	uint32_t first, again;
	size_t n;

	(void)state;
	peer_init(&p, me, to);
	p.window = SIZE;
	c = peer_open(&p);
	peer_ack(&p);
	tell(&p, p.rcv, 1300); /* nothing is on its way */
	n = conn_write(c, b, SIZE);
	assert_int_equal(lose(&first), 1500);
	tell(&p, first - 1, 1300);
	tell(&p, first + (uint32_t)n, 1300);
	tell(&p, first + 0x80000000, 1300);
	other = p;
	other.me.port++;
	tell(&other, first, 1300);
	tell(&p, first, 1500);
	tell(&p, first, 9000);
	assert_int_equal(lose(&again), 0);
	c = peer_start(&other, "[2001:db8::2]:40001", to);
	conn_write(c, b, SIZE);
	assert_int_equal(lose(&again), 1500);
	/* And one that is true is believed once. */
	tell(&p, first, 1400);
	assert_int_equal(lose(&again), 1400);
	assert_int_equal(again, first);
	tell(&p, first, 1400);
	tell(&p, first, 1450);
	assert_int_equal(lose(&again), 0);
	peer_fini(&p);
	free(b);
}

/* Connections that come later know; those to other hosts do not. */
static void
test_later(void **state)
{
	static const struct {
		const char *me, *to;
		size_t longest;
	} cases[] = {
		{ "[2001:db8::2]:40001", "[2001:db8:ffff::7]:443", 1400 },
		{ "[2001:db8::3]:40001", "[2001:db8:ffff::7]:443", 1500 },
		{ "198.18.0.2:40001", "203.0.113.7:443", 1500 },
	};
	uint8_t *b = pattern(SIZE);
	struct peer p;
	uint32_t first;
	size_t i;

	(void)state;
	transfer(1400, 1400);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		conn_write(peer_start(&p, cases[i].me, cases[i].to), b, SIZE);
		assert_int_equal(lose(&first), cases[i].longest);
		peer_fini(&p);
	}
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_segments),
		HOST_TEST(test_least),
		HOST_TEST(test_wide_device),
		HOST_TEST(test_lies),
		HOST_TEST(test_later),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	/* And with a device that cuts and sums. */
	host_offload = true;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
