/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

/* What the device does for the stack, and what it says of packets. */

/* Large segments in both directions, of every size that a packet can have. */
static void
test_megabyte(void **state)
{
	(void)state;
	peer_transfer("198.18.0.2:40001", "203.0.113.7:443", 1 << 20, 65483);
	peer_transfer("[2001:db8::2]:40001", "[2001:db8::7]:443", 1 << 20, 65463);
	peer_transfer("198.18.0.2:40002", "203.0.113.7:443", 64 << 10, 32768);
	peer_transfer("198.18.0.2:40003", "203.0.113.7:443", 3000, 5000);
	assert_true(stack_counters(host.stack)->in_large > 50);
	assert_true(stack_counters(host.stack)->out_large > 50);
}

/* What the user has not read keeps the blocks; when they run out, packets are copied. */
static void
test_kept(void **state)
{
	uint8_t *b = pattern(MEGABYTE), *got = malloc(MEGABYTE);
	struct stream *c;
	struct peer p;
	size_t n = 0, up, k;

	(void)state;
	host.config.window = 4 << 20;
	host_restart();
	peer_init(&p, "198.18.0.2:40000", "203.0.113.7:443");
	p.large = 40000;
	c = peer_open(&p);
	for (up = 0; up < MEGABYTE; up += k) {
		k = p.their_window - (p.snd - p.acked);
		k = k < MEGABYTE - up ? k : MEGABYTE - up;
		if (k == 0)
			break;
		peer_send(&p, b + up, k);
		peer_pump(&p);
	}
	conn_read(c, got, up, &n);
	assert_int_equal(n, up);
	assert_memory_equal(got, b, up);
	peer_fini(&p);
	free(b);
	free(got);
}

/* A peer that closes its window before long segments, and opens it a little. */
static void
test_narrow(void **state)
{
	uint8_t *b = pattern(MEGABYTE);
	struct stream *c;
	struct peer p;
	size_t n = 0;
	int i;

	(void)state;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.7:443");
	p.window = MEGABYTE;
	c = peer_open(&p);
	peer_ack(&p);
	host.room = 0; /* long segments are built, and stay */
	n += conn_write(c, b, MEGABYTE);
	host_settle();
	p.right = p.rcv + 2048;
	peer_shrink(&p, 2048);
	host.room = -1;
	for (i = 0; i < 4000 && p.ngot < MEGABYTE; i++) {
		stack_resume(host.stack);
		peer_pump(&p);
		host_pass(1000);
		n += conn_write(c, b + n, MEGABYTE - n);
		peer_pump(&p);
	}
	assert_int_equal(p.ngot, MEGABYTE);
	assert_memory_equal(p.got, b, MEGABYTE);
	peer_fini(&p);
	free(b);
}

/* What the device says that cannot be is dropped and counted. */
static void
test_lies(void **state)
{
	static const struct {
		const char *label;
		struct offload o;
		bool udp, sound;
	} cases[] = {
		{ "plain", { 0 }, false, true },
		{ "partial", { .partial = true, .csum_start = 20 }, false, true },
		{ "several", { OFFLOAD_TCP, 100, 40, .csum_start = 20, .partial = true },
			false, true },
		{ "a hint that is wrong",
			{ OFFLOAD_TCP, 100, 9999, .csum_start = 20, .partial = true },
			false, true },
		{ "sum elsewhere", { .partial = true, .csum_start = 24 }, false, false },
		{ "sum behind the end", { .partial = true, .csum_start = 65535 }, false,
			false },
		{ "no size", { OFFLOAD_TCP, 0, 40, .csum_start = 20, .partial = true },
			false, false },
		{ "segments of a datagram",
			{ OFFLOAD_TCP, 100, 28, .csum_start = 20, .partial = true }, true,
			false },
		{ "datagrams of a segment",
			{ OFFLOAD_UDP, 100, 40, .csum_start = 20, .partial = true },
			false, false },
		{ "datagrams",
			{ OFFLOAD_UDP, 300, 28, .csum_start = 20, .partial = true }, true,
			true },
		{ "too many datagrams",
			{ OFFLOAD_UDP, 1, 28, .csum_start = 20, .partial = true }, true,
			false },
	};
	struct endpoint a = at("198.18.0.2:40000"), b = at("203.0.113.7:443");
	static uint8_t mem[PACKET_MAX], body[1000];
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t before = stack_counters(host.stack)->malformed;

		len = cases[i].udp ? udp_build(mem, &a, &b, body, sizeof(body))
				   : tcp_build(mem, &a, &b, ACK, 1, 1, 100, NULL, 0, body,
					     sizeof(body));
		stack_input(host.stack, mem, len, &cases[i].o);
		if ((stack_counters(host.stack)->malformed == before) != cases[i].sound)
			fail_msg("%s", cases[i].label);
	}
	assert_int_equal(host.ndatagram, 1);
	assert_int_equal(host.segment, 300);
}

/* Beside them, and in their name, a connection's bytes are those that were sent. */
static void
test_lies_beside(void **state)
{
	static const struct offload lies[] = {
		{ .partial = true, .csum_start = 24 },
		{ .partial = true, .csum_start = 65535 },
		{ OFFLOAD_TCP, 0, 40, .csum_start = 20, .partial = true },
		{ OFFLOAD_UDP, 100, 40, .csum_start = 20, .partial = true },
	};
	enum { LIES = sizeof(lies) / sizeof(*lies), PIECE = 5000 };
	uint8_t *b = pattern(LIES * PIECE), got[LIES * PIECE];
	static uint8_t mem[PACKET_MAX], wrong[PIECE];
	struct stream *c;
	size_t i, len, n = 0;
	struct peer p;

	(void)state;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.7:443");
	p.large = PIECE;
	p.plain = true;
	c = peer_open(&p);
	for (i = 0; i < LIES; i++) {
		len = tcp_build(mem, &p.me, &p.to, ACK, p.snd, p.rcv, 500, NULL, 0, wrong,
			sizeof(wrong));
		stack_input(host.stack, mem, len, &lies[i]);
		peer_send(&p, b + i * PIECE, PIECE);
		stack_input(host.stack, mem, len, &lies[i]);
		peer_pump(&p);
		assert_int_equal(p.acked, p.snd);
		conn_read(c, got, sizeof(got), &n);
	}
	assert_int_equal(n, sizeof(got));
	assert_memory_equal(got, b, n);
	assert_int_equal(stack_counters(host.stack)->malformed, 2 * LIES);
	peer_fini(&p);
	free(b);
}

/* A fragment has no checksum of its own to complete. */
static void
test_part(void **state)
{
	struct endpoint a = at("198.18.0.2:40000"), b = at("203.0.113.7:53");
	struct shape s = {
		.from = &a, .to = &b, .proto = 17, .part = true, .more = true
	};
	const struct offload o = { .partial = true, .csum_start = 20 };
	static uint8_t mem[PACKET_MAX], body[64];

	(void)state;
	stack_input(host.stack, mem, ip_build(mem, &s, body, sizeof(body)), &o);
	assert_int_equal(stack_counters(host.stack)->malformed, 1);
}

int
main(void)
{
#define TEST(name) HOST_TEST_OFFLOAD(name)
	const struct CMUnitTest tests[] = {
		TEST(test_megabyte),
		TEST(test_kept),
		TEST(test_narrow),
		TEST(test_lies),
		TEST(test_lies_beside),
		TEST(test_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
