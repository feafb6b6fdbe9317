/* SPDX-License-Identifier: MIT */
#include "flow/cut.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PAYLOAD = 2500 };

static uint8_t mem[4096];

/* A packet with `len` bytes of payload that count up, its lengths and address made up. */
static struct stack_packet
packet(int family, enum network network, size_t len)
{
	size_t ip = family == 6 ? 40 : 20, head = network == NETWORK_TCP ? 32 : 8, i;
	struct stack_packet k = { .p = mem, .len = ip + head + len, .at = ip };

	memset(mem, 0, sizeof(mem));
	for (i = 0; i < (family == 6 ? 32 : 8); i++)
		mem[(family == 6 ? 8 : 12) + i] = (uint8_t)(i + 1);
	mem[0] = family == 6 ? 0x60 : 0x45;
	mem[family == 6 ? 6 : 9] = network == NETWORK_TCP ? 6 : 17;
	if (family == 6)
		be16_put(mem + 4, (uint16_t)(head + len));
	else
		be16_put(mem + 2, (uint16_t)k.len);
	if (network == NETWORK_TCP) {
		be32_put(mem + ip + 4, 0xfffffff0);
		mem[ip + 12] = 8 << 4;
		mem[ip + 13] = 0x80 | 0x18 | 1; /* CWR, ACK, PSH, FIN */
	} else {
		be16_put(mem + ip + 4, (uint16_t)(8 + len));
	}
	for (i = 0; i < len; i++)
		mem[ip + head + i] = (uint8_t)i;
	return k;
}

/* Whether the transport checksum of what was cut holds. */
static bool
sum_holds(const struct cut *c, int family)
{
	size_t at = c->whole->at, len = c->header - at + c->v[1].iov_len;
	uint8_t tail[4] = { 0, c->network == NETWORK_TCP ? 6 : 17 };
	const uint8_t *h = c->v[0].iov_base;
	uint32_t sum;

	be16_put(tail + 2, (uint16_t)len);
	sum = checksum_add(0, h + (family == 6 ? 8 : 12), family == 6 ? 32 : 8);
	sum = checksum_add(sum, tail, 4);
	sum = checksum_add(sum, h + at, c->header - at);
	return checksum_fold(checksum_add(sum, c->v[1].iov_base, c->v[1].iov_len)) == 0;
}

static size_t
length_of(const uint8_t *h, int family)
{
	return family == 6 ? 40u + be16_get(h + 4) : be16_get(h + 2);
}

static void
one_is_as_it_was(void **state)
{
	struct stack_packet k = packet(4, NETWORK_TCP, 100);
	struct cut c;

	(void)state;
	assert_true(cut_begin(&c, &k, NETWORK_TCP));
	assert_true(cut_next(&c));
	assert_int_equal(c.v[0].iov_len + c.v[1].iov_len, k.len);
	assert_memory_equal(c.v[0].iov_base, mem, 52);
	assert_ptr_equal(c.v[1].iov_base, mem + 52);
	assert_false(cut_next(&c));
}

static void
an_empty_one_is_one(void **state)
{
	struct stack_packet k = packet(6, NETWORK_UDP, 0);
	struct cut c;

	(void)state;
	assert_true(cut_begin(&c, &k, NETWORK_UDP));
	assert_true(cut_next(&c));
	assert_int_equal(c.v[0].iov_len, 48);
	assert_int_equal(c.v[1].iov_len, 0);
	assert_false(cut_next(&c));
}

static void
a_sum_is_made_whole(void **state)
{
	struct stack_packet k = packet(6, NETWORK_TCP, 33);
	struct cut c;

	(void)state;
	k.offload.partial = true;
	assert_true(cut_begin(&c, &k, NETWORK_TCP));
	assert_true(cut_next(&c));
	assert_true(sum_holds(&c, 6));
}

static void
segments_follow_each_other(void **state)
{
	static const int families[] = { 4, 6 };
	size_t f, at;

	(void)state;
	for (f = 0; f < 2; f++) {
		struct stack_packet k = packet(families[f], NETWORK_TCP, PAYLOAD);
		struct cut c;

		k.offload = (struct offload){ .gso = OFFLOAD_TCP, .segment = 1000 };
		assert_true(cut_begin(&c, &k, NETWORK_TCP));
		for (at = 0; cut_next(&c); at += c.v[1].iov_len) {
			const uint8_t *h = c.v[0].iov_base, *t = h + k.at;
			bool last = at + c.v[1].iov_len == PAYLOAD;

			assert_int_equal(be32_get(t + 4), (uint32_t)(0xfffffff0 + at));
			assert_int_equal(
				t[13], 0x10 | (at == 0 ? 0x80 : 0) | (last ? 8 | 1 : 0));
			assert_int_equal(
				length_of(h, families[f]), c.header + c.v[1].iov_len);
			assert_true(sum_holds(&c, families[f]));
			if (families[f] == 4)
				assert_int_equal(
					checksum_fold(checksum_add(0, h, 20)), 0);
		}
		assert_int_equal(at, PAYLOAD);
		assert_int_equal(c.n, 3);
	}
}

static void
datagrams_have_lengths_of_their_own(void **state)
{
	struct stack_packet k = packet(4, NETWORK_UDP, PAYLOAD);
	size_t sizes[4], n = 0;
	struct cut c;

	(void)state;
	k.offload = (struct offload){
		.gso = OFFLOAD_UDP, .segment = 1200, .partial = true
	};
	assert_true(cut_begin(&c, &k, NETWORK_UDP));
	while (cut_next(&c)) {
		assert_true(sum_holds(&c, 4));
		assert_int_equal(
			be16_get((uint8_t *)c.v[0].iov_base + 24), 8 + c.v[1].iov_len);
		sizes[n++] = c.v[1].iov_len;
	}
	assert_int_equal(n, 3);
	assert_int_equal(sizes[0], 1200);
	assert_int_equal(sizes[2], 100);
}

/* Amid a packet of several, of which the first has left. */
static void
what_is_too_long_is_cut_again(void **state)
{
	static const int families[] = { 4, 6 };
	size_t f, at;

	(void)state;
	for (f = 0; f < 2; f++) {
		struct stack_packet k = packet(families[f], NETWORK_TCP, PAYLOAD);
		unsigned n = 1;
		struct cut c;

		k.offload = (struct offload){
			.gso = OFFLOAD_TCP, .segment = 1000, .partial = true
		};
		assert_true(cut_begin(&c, &k, NETWORK_TCP));
		assert_true(cut_next(&c) && cut_next(&c));
		assert_true(cut_again(&c, c.header + 400));
		for (at = 1000; cut_next(&c); at += c.v[1].iov_len) {
			const uint8_t *h = c.v[0].iov_base;
			bool last = at + c.v[1].iov_len == PAYLOAD;

			assert_ptr_equal(c.v[1].iov_base, mem + c.header + at);
			assert_int_equal(c.v[1].iov_len, last ? 300 : 400);
			assert_int_equal(
				be32_get(h + k.at + 4), (uint32_t)(0xfffffff0 + at));
			assert_int_equal(h[k.at + 13], 0x10 | (last ? 8 | 1 : 0));
			assert_true(sum_holds(&c, families[f]));
			assert_int_equal(c.n, ++n);
		}
		assert_int_equal(at, PAYLOAD);
	}
}

/* One that came alone and whole, so that it keeps its sum no longer. */
static void
one_is_cut_in_two(void **state)
{
	struct stack_packet k = packet(4, NETWORK_TCP, 100);
	struct cut c;

	(void)state;
	assert_true(cut_begin(&c, &k, NETWORK_TCP));
	assert_true(cut_next(&c));
	assert_true(cut_again(&c, 52 + 99));
	assert_true(cut_next(&c) && sum_holds(&c, 4));
	assert_int_equal(c.v[1].iov_len, 99);
	assert_true(cut_next(&c) && sum_holds(&c, 4));
	assert_int_equal(c.v[1].iov_len, 1);
	assert_false(cut_next(&c));
}

static void
what_cannot_be_cut_again_is_not(void **state)
{
	struct stack_packet k = packet(4, NETWORK_TCP, 100);
	struct cut c;

	(void)state;
	assert_true(cut_begin(&c, &k, NETWORK_TCP) && cut_next(&c));
	assert_false(cut_again(&c, 0));
	assert_false(cut_again(&c, 52));
	assert_false(cut_again(&c, 52 + 100));
	mem[20 + 13] = 2; /* SYN */
	assert_true(cut_begin(&c, &k, NETWORK_TCP) && cut_next(&c));
	assert_false(cut_again(&c, 100));
	k = packet(4, NETWORK_UDP, 100);
	assert_true(cut_begin(&c, &k, NETWORK_UDP) && cut_next(&c));
	assert_false(cut_again(&c, 100));
}

static void
a_header_too_long_is_refused(void **state)
{
	struct stack_packet k = packet(6, NETWORK_UDP, 10);
	struct cut c;

	(void)state;
	k.at = CUT_HEADER;
	k.len = CUT_HEADER + 20;
	assert_false(cut_begin(&c, &k, NETWORK_UDP));
}

/* The pieces of a datagram, put together, and the offset of each. */
static void
a_datagram_becomes_fragments(void **state)
{
	static const size_t sizes[] = { 8 + 968, 976, 556 };
	struct stack_packet k = packet(4, NETWORK_UDP, PAYLOAD);
	uint16_t id = 41;
	size_t at = 0, i;
	struct cut c;

	(void)state;
	assert_true(cut_begin(&c, &k, NETWORK_UDP) && cut_next(&c));
	for (i = 0; cut_fragment(&c, 1000, &id); i++) {
		const uint8_t *h = c.v[0].iov_base;
		size_t header = i == 0 ? 28 : 20;

		assert_in_range(i, 0, 2);
		assert_int_equal(c.v[0].iov_len, header);
		assert_int_equal(header - 20 + c.v[1].iov_len, sizes[i]);
		assert_int_equal(be16_get(h + 4), 42);
		assert_int_equal(be16_get(h + 6), (i < 2 ? 0x2000 : 0) | at / 8);
		assert_ptr_equal(c.v[1].iov_base, mem + 20 + at + (i == 0 ? 8 : 0));
		at += sizes[i];
	}
	assert_int_equal(at, 8 + PAYLOAD);
	assert_false(cut_next(&c));
}

/* The numbers of the datagrams in k, all of whose fragments have one. */
static size_t
numbers_of(const struct stack_packet *k, uint16_t *id, uint16_t numbers[static 3])
{
	size_t n = 0;
	struct cut c;

	assert_true(cut_begin(&c, k, NETWORK_UDP));
	for (; cut_next(&c); n++) {
		assert_in_range(n, 0, 2);
		assert_true(cut_fragment(&c, 600, id));
		numbers[n] = be16_get(c.mem + 4);
		while (cut_fragment(&c, 600, id))
			assert_int_equal(be16_get(c.mem + 4), numbers[n]);
	}
	return n;
}

static void
datagrams_have_numbers_of_their_own(void **state)
{
	struct stack_packet k = packet(4, NETWORK_UDP, PAYLOAD);
	uint16_t id = 0xfffe, numbers[3];

	(void)state;
	assert_int_equal(numbers_of(&k, &id, numbers), 1);
	assert_int_equal(numbers[0], 0xffff);
	assert_int_equal(numbers_of(&k, &id, numbers), 1);
	assert_int_equal(numbers[0], 1);
	k.offload = (struct offload){ .gso = OFFLOAD_UDP, .segment = 1000 };
	assert_int_equal(numbers_of(&k, &id, numbers), 3);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(numbers[i], 2 + i);
	be16_put(mem + 4, 0xffff);
	assert_int_equal(numbers_of(&k, &id, numbers), 3);
	assert_int_equal(numbers[0], 0xffff);
	assert_int_equal(numbers[1], 5);
	assert_int_equal(numbers[2], 1);
}

static void
what_may_not_be_cut_is_not(void **state)
{
	static const struct {
		int family;
		enum network network;
		uint8_t flags;
		size_t max;
	} cases[] = {
		{ 6, NETWORK_UDP, 0, 1400 },
		{ 4, NETWORK_TCP, 0, 1400 },
		{ 4, NETWORK_UDP, 0x40, 1400 },
		{ 4, NETWORK_UDP, 0, 35 },
		{ 4, NETWORK_UDP, 0, 0 },
	};

	uint16_t id = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stack_packet k = packet(
			cases[i].family, cases[i].network, PAYLOAD);
		struct cut c;

		if (cases[i].family == 4)
			mem[6] = cases[i].flags;
		assert_true(cut_begin(&c, &k, cases[i].network) && cut_next(&c));
		assert_false(cut_fragment(&c, cases[i].max, &id));
	}
}

static void
a_reset_has_the_number_alone(void **state)
{
	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		struct stack_packet k = packet(family, NETWORK_TCP, PAYLOAD);
		const uint8_t *h;
		struct cut c;

		k.offload = (struct offload){ .gso = OFFLOAD_TCP, .segment = 1000 };
		assert_true(cut_begin(&c, &k, NETWORK_TCP));
		cut_reset(&c);
		h = c.v[0].iov_base;
		assert_int_equal(c.v[0].iov_len, k.at + 20);
		assert_int_equal(c.v[1].iov_len, 0);
		assert_int_equal(length_of(h, family), k.at + 20);
		assert_memory_equal(h + k.at, mem + k.at, 8);
		assert_int_equal(be16_get(h + k.at + 12), 5 << 12 | 4);
		assert_true(sum_holds(&c, family));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_becomes_fragments),
		cmocka_unit_test(datagrams_have_numbers_of_their_own),
		cmocka_unit_test(what_may_not_be_cut_is_not),
		cmocka_unit_test(one_is_as_it_was),
		cmocka_unit_test(an_empty_one_is_one),
		cmocka_unit_test(a_sum_is_made_whole),
		cmocka_unit_test(segments_follow_each_other),
		cmocka_unit_test(datagrams_have_lengths_of_their_own),
		cmocka_unit_test(what_is_too_long_is_cut_again),
		cmocka_unit_test(one_is_cut_in_two),
		cmocka_unit_test(what_cannot_be_cut_again_is_not),
		cmocka_unit_test(a_header_too_long_is_refused),
		cmocka_unit_test(a_reset_has_the_number_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
