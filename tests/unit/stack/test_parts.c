/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <stdlib.h>

/* Fragments, sound and not. */

/* One fragment of a datagram that begins with `offset`. */
static void
part(size_t i, uint16_t offset, size_t len, bool more, uint32_t id)
{
	struct endpoint me = at(pairs[i].me), to = at(pairs[i].to);
	struct shape s = { .from = &me,
		.to = &to,
		.proto = 17,
		.part = true,
		.more = more,
		.offset = offset,
		.id = id };
	static uint8_t mem[PACKET_MAX], b[PACKET_MAX];

	stack_input(host.stack, mem, ip_build(mem, &s, b, len), NULL);
}

static void
test_spoilt(void **state)
{
	const struct stack_counters *n = stack_counters(host.stack);
	uint64_t was;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		was = n->malformed;
		part(i, 0, 13, true, 1); /* not a multiple of 8 */
		assert_int_equal(n->malformed, was + 1);
		part(i, 65528, 64, false, 2); /* beyond the end of the world */
		assert_int_equal(n->malformed, was + 2);
		part(i, 0, 64, true, 3);
		part(i, 32, 64, true, 3); /* overlaps */
		assert_int_equal(n->malformed, was + 3);
		part(i, 0, 64, true, 4);
		part(i, 0, 64, true, 4); /* twice */
		assert_int_equal(n->malformed, was + 3);
		part(i, 64, 64, false, 5);
		part(i, 128, 64, true, 5); /* behind the end */
		assert_int_equal(n->malformed, was + 4);
		part(i, 64, 64, false, 6);
		part(i, 72, 48, false, 6); /* another end */
		assert_int_equal(n->malformed, was + 5);
	}
	assert_int_equal(host.ndatagram, 0);
}

enum { WHOLE = 3000, FIRST = 1448 };

/* The fragment of a sound datagram of WHOLE bytes that holds its bytes from `offset` on. */
static void
sound_part(size_t i, size_t offset, size_t len, uint32_t id)
{
	struct endpoint me = at(pairs[i].me), to = at(pairs[i].to);
	struct shape s = { .from = &me,
		.to = &to,
		.proto = 17,
		.part = true,
		.more = offset + len < 8 + WHOLE,
		.offset = (uint16_t)offset,
		.id = id };
	static uint8_t whole[PACKET_MAX], mem[PACKET_MAX];
	uint8_t *b = pattern(WHOLE);
	size_t n = udp_build(whole, &me, &to, b, WHOLE) - (8 + WHOLE);

	free(b);
	stack_input(host.stack, mem, ip_build(mem, &s, whole + n + offset, len), NULL);
}

static void
sound_first(size_t i, uint32_t id)
{
	sound_part(i, 0, FIRST, id);
}

/* Whether the rest makes it whole; then every byte is right. */
static bool
sound_rest(size_t i, uint32_t id)
{
	size_t before = host.ndatagram;
	uint8_t *b;

	sound_part(i, FIRST, 8 + WHOLE - FIRST, id);
	if (host.ndatagram == before)
		return false;
	b = pattern(WHOLE);
	assert_int_equal(host.datagram_len, WHOLE);
	assert_memory_equal(host.datagram, b, WHOLE);
	free(b);
	return true;
}

/* Fragments that overlap end their own packet (RFC 5722), and no other. */
static void
test_beside(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		sound_first(i, 1);
		part(i, 0, 64, true, 2);
		part(i, 32, 64, true, 2);
		part(!i, 0, 64, true, 1);
		part(!i, 32, 64, true, 1);
		assert_true(sound_rest(i, 1));
		sound_first(i, 3);
		part(i, 1440, 64, true, 3);
		assert_false(sound_rest(i, 3));
		sound_first(i, 4);
		part(i, 0, FIRST, true, 4); /* the same place once more, other bytes */
		assert_true(sound_rest(i, 4));
	}
}

/* What waits is given up when it is the oldest of too many, of too many bytes, or too old;
 * and not before. */
static void
test_given_up(void **state)
{
	static const struct {
		const char *label;
		size_t packets, len; /* that come behind its first fragment */
		uint64_t ms;
		bool stays;
	} cases[] = {
		{ "fewer", 63, 64, 0, true },
		{ "more", 64, 64, 0, false },
		{ "fewer bytes", 17, 61440, 0, true },
		{ "more bytes", 18, 61440, 0, false },
		{ "sooner", 0, 0, 14000, true },
		{ "later", 0, 0, 16000, false },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		sound_first(i % 2, 1);
		for (k = 0; k < cases[i].packets; k++)
			part(k % 2, 0, cases[i].len, true, (uint32_t)k + 100);
		host_pass(cases[i].ms);
		if (sound_rest(i % 2, 1) != cases[i].stays)
			fail_msg("%s", cases[i].label);
		host_pass(60000);
	}
	assert_int_equal(stack_counters(host.stack)->malformed, 0);
}

/* Fragments that never become whole do no harm, however many. */
static void
test_forever(void **state)
{
	uint32_t id;

	(void)state;
	for (id = 0; id < 5000; id++)
		part(id % 2, 32768, 1448, true, id);
	for (id = 0; id < 100; id++)
		part(id % 2, 0, 60000, true, id + 70000);
	host_pass(20000);
	assert_int_equal(stack_counters(host.stack)->malformed, 0);
	assert_int_equal(stack_counters(host.stack)->over_limit, 0);
	assert_int_equal(host.ndatagram, 0);
	host_quiet();
}

/* A SYN in two fragments is asked for like any other. */
static void
test_syn(void **state)
{
	struct endpoint me = at(pairs[1].me), to = at(pairs[1].to);
	struct shape s = { .from = &me, .to = &to, .proto = 6, .part = true, .id = 9 };
	uint8_t mem[128], piece[128];
	struct seen k;
	size_t n;

	(void)state;
	n = tcp_build(mem, &me, &to, SYN, 1, 0, 1000, NULL, 0, NULL, 0);
	s.more = true;
	stack_input(host.stack, piece, ip_build(piece, &s, mem + 40, 8), NULL);
	s.more = false;
	s.offset = 8;
	stack_input(host.stack, piece, ip_build(piece, &s, mem + 48, n - 48), NULL);
	assert_int_equal(host.nsyn, 1);
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.flags, SYN | ACK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_spoilt),
		HOST_TEST(test_beside),
		HOST_TEST(test_given_up),
		HOST_TEST(test_forever),
		HOST_TEST(test_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
