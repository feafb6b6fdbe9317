/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"
#include "stack/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Several datagrams in one packet, in and out, with a device that cuts and without. */

enum { BYTES = 200000 };

/* The next datagram that comes out, put together where it is in fragments; its length. */
static size_t
datagram_take(uint8_t *mem)
{
	struct seen k;
	size_t n = 0;

	assert_true(host_take(&k));
	if (!k.part) {
		memcpy(mem, k.p, k.len);
		return k.len;
	}
	for (;;) {
		memcpy(mem + k.offset, k.p, k.len);
		n += k.len;
		if (!k.more)
			break;
		assert_true(host_take(&k) && k.part);
	}
	assert_int_equal(be16_get(mem + 4), n);
	memmove(mem, mem + 8, n - 8);
	return n - 8;
}

/* `len` bytes in pieces of `each`, which are datagrams of `segment`, arrive as they are. */
static void
passes(size_t pair, size_t len, size_t each, size_t segment)
{
	struct endpoint me = at(pairs[pair].me), to = at(pairs[pair].to);
	uint8_t *b = pattern(BYTES), *got = malloc(65536);
	struct iovec v[32];
	size_t done, n, want, count = 0;
	int pieces = 0;

	for (done = 0; done < len; done += v[pieces++].iov_len) {
		n = len - done < each ? len - done : each;
		v[pieces] = (struct iovec){ b + done, n };
	}
	count = (len + segment - 1) / segment;
	assert_int_equal(
		stack_udp_send_many(host.stack, &to, &me, v, pieces, segment), count);
	for (done = 0; done < len; done += want) {
		want = len - done < segment ? len - done : segment;
		assert_int_equal(datagram_take(got), want);
		assert_memory_equal(got, b + done, want);
	}
	host_quiet();
	free(b);
	free(got);
}

static void
test_out(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		passes(i, 100, 100, 100);
		passes(i, 3 * 1200, 1200, 1200);
		passes(i, 3 * 1200 + 1, 1200, 1200);
		passes(i, 30 * 1200 + 77, 15 * 1200, 1200);
		passes(i, 10 * 4000 + 1, 4000, 4000); /* each in fragments */
		passes(i, 128, 128, 1);
		passes(i, 200, 10, 1);    /* more than a packet may stand for */
		passes(i, 4096, 4096, 8); /* more than one piece may */
		passes(i, 54 * 1200, 1200 * 2, 1200);
		passes(i, 55 * 1200, 1200 * 11, 1200); /* more than 64 KB */
		passes(i, 65507, 65507, 1400);
		passes(i, 150 * 1200, 30 * 1200, 1200);
	}
}

static void
test_one_packet(void **state)
{
	struct endpoint me = at(pairs[0].me), to = at(pairs[0].to);
	struct iovec v;
	uint8_t *b = pattern(BYTES);
	uint64_t before = stack_counters(host.stack)->out;

	(void)state;
	v = (struct iovec){ b, 40 * 1472 };
	assert_int_equal(stack_udp_send_many(host.stack, &to, &me, &v, 1, 1472), 40);
	assert_int_equal(stack_counters(host.stack)->out, before + 1);
	/* One byte more than the link carries. */
	v.iov_len = 3 * 1473;
	assert_int_equal(stack_udp_send_many(host.stack, &to, &me, &v, 1, 1473), 3);
	assert_int_equal(stack_counters(host.stack)->out, before + 7);
	free(b);
}

static void
test_refusals(void **state)
{
	struct endpoint me = at(pairs[0].me), to = at(pairs[1].to);
	struct iovec v[33] = { { (void *)"x", 1 } };

	(void)state;
	assert_int_equal(
		stack_udp_send_many(host.stack, &to, &me, v, 1, 1), -EAFNOSUPPORT);
	to = at(pairs[0].to);
	assert_int_equal(stack_udp_send_many(host.stack, &to, &me, v, 33, 1), -EMSGSIZE);
	host.room = 0;
	assert_int_equal(stack_udp_send_many(host.stack, &to, &me, v, 1, 1), 0);
	host.room = -1;
	stack_resume(host.stack);
	host_quiet();
}

/* As the kernel hands over what it has not cut. */
static void
input(size_t pair, size_t len, size_t segment)
{
	struct endpoint me = at(pairs[pair].me), to = at(pairs[pair].to);
	struct offload o = { .partial = true, .gso = OFFLOAD_UDP };
	uint8_t *b = pattern(BYTES), *mem = malloc(PACKET_MAX + 100);
	size_t n = udp_build(mem, &me, &to, b, len);

	o.csum_start = pair == 0 ? 20 : 40;
	o.hdr_len = o.csum_start + 8;
	o.segment = (uint16_t)segment;
	stack_input(host.stack, mem, n, &o);
	free(b);
	free(mem);
}

static void
test_in(void **state)
{
	static const struct {
		size_t len, segment, want; /* 0: one datagram */
		bool sound;
	} cases[] = {
		{ 3000, 1200, 1200, true },
		{ 2400, 1200, 1200, true },
		{ 1200, 1200, 0, true },
		{ 1200, 1201, 0, true }, /* larger than all that is there */
		{ 1, 65535, 0, true },
		{ 0, 1, 0, true },
		{ 1200, 0, 0, false },
		{ 128, 1, 1, true },
		{ 129, 1, 0, false },
		{ 65487, 1472, 1472, true },
		{ 65487, 512, 512, true },
		{ 65487, 511, 0, false },
		{ 65487, 65486, 65486, true },
	};
	uint64_t bad = 0;
	size_t i, seen = 0;

	(void)state;
	for (i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		input(i & 1, cases[i / 2].len, cases[i / 2].segment);
		bad += !cases[i / 2].sound;
		seen += cases[i / 2].sound;
		assert_int_equal(stack_counters(host.stack)->malformed, bad);
		assert_int_equal(host.ndatagram, seen);
		if (!cases[i / 2].sound)
			continue;
		assert_int_equal(host.datagram_len, cases[i / 2].len);
		assert_int_equal(host.segment, cases[i / 2].want);
	}
}

/* RFC 1191 4, RFC 4443 3.2. */
static void
test_too_big(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct endpoint me = at(pairs[i].me), to = at(pairs[i].to);
		struct seen k;

		stack_udp_too_big(host.stack, &me, &to, 4000, 1966);
		assert_true(host_take(&k));
		assert_int_equal(k.type, i == 0 ? 3 : 2);
		assert_int_equal(k.code, i == 0 ? 4 : 0);
		assert_true(ip_equal(&k.from.ip, &to.ip));
		assert_true(ip_equal(&k.to.ip, &me.ip));
		host_quiet();
	}
}

/* Who may be told that a datagram is too big. */
static void
test_uncut(void **state)
{
	struct endpoint me = at(pairs[0].me), to = at(pairs[0].to);
	uint8_t mem[200];
	size_t n;

	(void)state;
	n = udp_build(mem, &me, &to, "x", 1);
	stack_input(host.stack, mem, n, NULL);
	assert_false(host.uncut);
	mem[6] |= 0x40;
	be16_put(mem + 10, 0);
	be16_put(mem + 10, checksum_fold(checksum_add(0, mem, 20)));
	stack_input(host.stack, mem, n, NULL);
	assert_int_equal(host.ndatagram, 2);
	assert_true(host.uncut);
	me = at(pairs[1].me);
	to = at(pairs[1].to);
	stack_input(host.stack, mem, udp_build(mem, &me, &to, "x", 1), NULL);
	assert_true(host.uncut);
	host_input_udp_parts(&me, &to, mem, 100, 8);
	assert_int_equal(host.ndatagram, 4);
	assert_false(host.uncut);
}

static void
tell_too_big(struct endpoint from, struct endpoint to, uint32_t mtu)
{
	host_input_too_big(&from, &to, 17, (const uint8_t[8]){ 0 }, mtu);
}

/* How many packets a datagram of `len` bytes is, and what the longest of them carries. */
static int
parts_of(size_t len, size_t *longest)
{
	struct endpoint me = at(pairs[1].me), to = at(pairs[1].to);
	uint8_t *b = pattern(len);
	struct seen k;
	int n = 0;

	*longest = 0;
	assert_int_equal(stack_udp_send(host.stack, &to, &me, b, len), 0);
	free(b);
	while (host_take(&k)) {
		n++;
		*longest = k.len > *longest ? k.len : *longest;
	}
	return n;
}

/* Behind this machine a link is narrower than the device. */
static void
test_narrow_path(void **state)
{
	struct endpoint me = at(pairs[1].me), to = at(pairs[1].to);
	struct endpoint other = at("[2001:db8::3]:1");
	size_t longest;
	int i;

	(void)state;
	host.config.mtu = 9000;
	host_restart();
	assert_int_equal(parts_of(3000, &longest), 1);
	tell_too_big(to, other, 1500);
	tell_too_big(to, me, 9001);
	assert_int_equal(parts_of(3000, &longest), 1);
	tell_too_big(to, me, 1500);
	assert_int_equal(parts_of(3000, &longest), 3);
	assert_int_equal(longest, 1448);
	assert_int_equal(parts_of(1452, &longest), 1);
	assert_int_equal(parts_of(1453, &longest), 2);
	tell_too_big(to, me, 68); /* less than IPv6 allows */
	assert_int_equal(parts_of(1300, &longest), 2);
	assert_int_equal(longest, 1232);
	host_pass(5 * 60 * 1000);
	tell_too_big(to, me, 1500); /* said of a packet before: no wider, and no longer */
	assert_int_equal(parts_of(1300, &longest), 2);
	assert_int_equal(longest, 1232);
	host_pass(5 * 60 * 1000);
	assert_int_equal(parts_of(3000, &longest), 1);
	tell_too_big(to, me, 1500);
	for (i = 0; i < 16; i++) {
		host_pass(1);
		other.ip.b[15] = (uint8_t)(100 + i);
		tell_too_big(to, other, 1400);
	}
	assert_int_equal(parts_of(3000, &longest), 1); /* forgotten for the others */
	assert_int_equal(stack_counters(host.stack)->malformed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_out),
		HOST_TEST_OFFLOAD(test_out),
		HOST_TEST_OFFLOAD(test_one_packet),
		HOST_TEST(test_refusals),
		HOST_TEST_OFFLOAD(test_refusals),
		HOST_TEST_OFFLOAD(test_in),
		HOST_TEST(test_too_big),
		HOST_TEST(test_uncut),
		HOST_TEST(test_narrow_path),
		HOST_TEST_OFFLOAD(test_narrow_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
