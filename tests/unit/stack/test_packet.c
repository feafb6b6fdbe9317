/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
fill(uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
}

static void
test_udp_in(void **state)
{
	static const size_t sizes[] = { 0, 1, 512, 1400 };
	struct endpoint me, to;
	uint8_t b[1400];
	size_t i, k;

	(void)state;
	fill(b, sizeof(b));
	for (i = 0; i < 2; i++) {
		me = at(pairs[i].me);
		to = at(pairs[i].to);
		for (k = 0; k < 4; k++) {
			host_input_udp(&me, &to, b, sizes[k]);
			assert_int_equal(host.ndatagram, i * 4 + k + 1);
			assert_int_equal(host.datagram_len, sizes[k]);
			assert_memory_equal(host.datagram, b, sizes[k]);
			assert_true(endpoint_equal(&host.source, &me));
			assert_true(endpoint_equal(&host.target, &to));
		}
	}
	host_quiet();
}

static void
test_udp_out(void **state)
{
	static const size_t sizes[] = { 0, 1, 513, 1400 };
	struct endpoint me, to;
	uint8_t b[1400];
	struct seen s;
	size_t i, k;

	(void)state;
	fill(b, sizeof(b));
	for (i = 0; i < 2; i++) {
		me = at(pairs[i].me);
		to = at(pairs[i].to);
		for (k = 0; k < 4; k++) {
			assert_int_equal(
				stack_udp_send(host.stack, &to, &me, b, sizes[k]), 0);
			assert_true(host_take(&s));
			assert_true(endpoint_equal(&s.from, &to));
			assert_true(endpoint_equal(&s.to, &me));
			assert_int_equal(s.len, sizes[k]);
			assert_memory_equal(s.p, b, s.len);
		}
	}
	host_quiet();
}

static void
test_parts_in(void **state)
{
	struct endpoint me, to;
	uint8_t b[8192];
	size_t i;

	(void)state;
	fill(b, sizeof(b));
	for (i = 0; i < 2; i++) {
		me = at(pairs[i].me);
		to = at(pairs[i].to);
		host_input_udp_parts(&me, &to, b, sizeof(b), 1448);
		assert_int_equal(host.ndatagram, 2 * i + 1);
		assert_int_equal(host.datagram_len, sizeof(b));
		assert_memory_equal(host.datagram, b, sizeof(b));
		host_input_udp_parts(&me, &to, b, 100, 8);
		assert_int_equal(host.ndatagram, 2 * i + 2);
		assert_int_equal(host.datagram_len, 100);
	}
	assert_int_equal(stack_counters(host.stack)->malformed, 0);
}

/* Puts fragments together, which come in order. */
static size_t
gather(uint8_t *mem, uint8_t proto)
{
	bool more = true;
	struct seen s;
	size_t n = 0;

	while (more) {
		assert_true(host_take(&s));
		assert_true(s.part);
		assert_int_equal(s.proto, proto);
		assert_int_equal(s.offset, n);
		memcpy(mem + n, s.p, s.len);
		n += s.len;
		more = s.more;
		assert_true(!more || s.len % 8 == 0);
	}
	host_quiet();
	return n;
}

static void
test_parts_out(void **state)
{
	uint8_t b[8192], mem[9000];
	struct endpoint me, to;
	size_t i, n;

	(void)state;
	fill(b, sizeof(b));
	for (i = 0; i < 2; i++) {
		me = at(pairs[i].me);
		to = at(pairs[i].to);
		assert_int_equal(stack_udp_send(host.stack, &to, &me, b, sizeof(b)), 0);
		n = gather(mem, 17);
		assert_int_equal(n, 8 + sizeof(b));
		assert_int_equal(be16_get(mem), to.port);
		assert_int_equal(be16_get(mem + 4), n);
		assert_memory_equal(mem + 8, b, sizeof(b));
		/* And back again, which checks the checksum. */
		host_input_udp_parts(&me, &to, mem + 8, n - 8, 1400);
		assert_memory_equal(host.datagram, b, sizeof(b));
		assert_int_equal(
			stack_echo_reply(host.stack, &to.ip, &me.ip, 1, 2, b, sizeof(b)),
			0);
		assert_int_equal(gather(mem, i ? 58 : 1), 8 + sizeof(b));
		assert_memory_equal(mem + 8, b, sizeof(b));
	}
}

static void
test_too_long(void **state)
{
	static uint8_t b[65536];
	struct endpoint me = at(pairs[0].me), to = at(pairs[0].to);
	struct endpoint me6 = at(pairs[1].me), to6 = at(pairs[1].to);
	struct seen s;

	(void)state;
	assert_int_equal(stack_udp_send(host.stack, &to, &me, b, 65508), -EMSGSIZE);
	assert_int_equal(stack_udp_send(host.stack, &to6, &me6, b, 65528), -EMSGSIZE);
	host_quiet();
	assert_int_equal(stack_udp_send(host.stack, &to, &me, b, 65507), 0);
	assert_int_equal(stack_udp_send(host.stack, &to6, &me6, b, 65527), 0);
	assert_int_equal(stack_udp_send(host.stack, &to6, &me, b, 1), -EAFNOSUPPORT);
	while (host_take(&s))
		;
	host.room = 0;
	assert_int_equal(stack_udp_send(host.stack, &to, &me, b, 1), -EAGAIN);
	host.room = -1;
	assert_int_equal(stack_udp_send(host.stack, &to, &me, b, 1), -EAGAIN);
	stack_resume(host.stack);
	assert_int_equal(stack_udp_send(host.stack, &to, &me, b, 1), 0);
	/* The largest that can be sent to us. */
	host_input_udp_parts(&me, &to, b, 65507, 1480);
	host_input_udp_parts(&me6, &to6, b, 65527, 1448);
	assert_int_equal(host.ndatagram, 2);
	assert_int_equal(host.datagram_len, 65527);
}

static void
test_refuse(void **state)
{
	struct endpoint me, to;
	struct seen s;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		me = at(pairs[i].me);
		to = at(pairs[i].to);
		stack_udp_refuse(host.stack, &me, &to, STACK_RESET);
		assert_true(host_take(&s));
		assert_int_equal(s.type, i ? 1 : 3);
		assert_int_equal(s.code, i ? 4 : 3);
		assert_true(ip_equal(&s.from.ip, &to.ip));
		host_quiet();
	}
}

static void
test_echo(void **state)
{
	struct endpoint me, to;
	struct seen s;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		me = at(pairs[i].me);
		to = at(pairs[i].to);
		host_input_echo(&me, &to, 77, 3, "abcdefg", 7);
		assert_int_equal(host.necho, i + 1);
		assert_int_equal(host.echo_id, 77);
		assert_int_equal(host.echo_seq, 3);
		assert_int_equal(host.datagram_len, 7);
		assert_true(ip_equal(&host.source.ip, &me.ip));
		assert_true(ip_equal(&host.target.ip, &to.ip));
		assert_int_equal(stack_echo_reply(host.stack, &to.ip, &me.ip, 77, 3,
					 (const uint8_t *)"abcdefg", 7),
			0);
		assert_true(host_take(&s));
		assert_int_equal(s.type, i ? 129 : 0);
		assert_int_equal(s.id, 77);
		assert_int_equal(s.no, 3);
		assert_int_equal(s.len, 7);
	}
	host_quiet();
}

/* Where each spoils a sound packet. */
enum spoil { NOTHING, SOURCE, TARGET, BYTE, CUT, FLAGS };

struct spoilt {
	const char *label;
	int family, proto;
	enum spoil how;
	const char *with; /* an endpoint */
	int at, value;    /* a byte; how many bytes to cut; TCP flags */
	bool resum;       /* right checksums again afterwards */
	bool unknown;     /* counted so, not as malformed */
};

static const struct spoilt spoilt[] = {
	{ "source unspecified", 4, 17, SOURCE, "0.0.0.0:5" },
	{ "source multicast", 4, 17, SOURCE, "224.0.0.1:5" },
	{ "source broadcast", 4, 6, SOURCE, "255.255.255.255:5" },
	{ "source loopback", 4, 6, SOURCE, "127.0.0.1:5" },
	{ "source port 0", 4, 6, SOURCE, "198.18.0.2:0" },
	{ "source is target", 4, 6, SOURCE, "203.0.113.7:443" },
	{ "source unspecified, IPv6", 6, 17, SOURCE, "[::]:5" },
	{ "source multicast, IPv6", 6, 6, SOURCE, "[ff02::1]:5" },
	{ "source loopback, IPv6", 6, 6, SOURCE, "[::1]:5" },
	{ "source mapped", 6, 6, SOURCE, "[::ffff:198.18.0.2]:5" },
	{ "target unspecified", 4, 6, TARGET, "0.0.0.0:5" },
	{ "target loopback", 4, 17, TARGET, "127.0.0.1:5" },
	{ "target port 0", 4, 17, TARGET, "203.0.113.7:0" },
	{ "target port 0, TCP", 6, 6, TARGET, "[2001:db8::9]:0" },
	{ "target mapped", 6, 6, TARGET, "[::ffff:203.0.113.7]:5" },
	{ "target multicast", 4, 17, TARGET, "224.0.0.251:5353", .unknown = true },
	{ "target broadcast", 4, 17, TARGET, "255.255.255.255:67", .unknown = true },
	{ "target multicast, IPv6", 6, 17, TARGET, "[ff02::fb]:5353", .unknown = true },
	{ "version 5", 4, 17, BYTE, .at = 0, .value = 0x55 },
	{ "header of 16 bytes", 4, 17, BYTE, .at = 0, .value = 0x44, .resum = true },
	{ "header of 60 bytes", 4, 17, BYTE, .at = 0, .value = 0x4f, .resum = true },
	{ "header checksum", 4, 17, BYTE, .at = 10, .value = 0x17 },
	{ "length too long", 4, 17, BYTE, .at = 3, .value = 255, .resum = true },
	{ "length too short", 4, 17, BYTE, .at = 3, .value = 19, .resum = true },
	{ "hops 0", 4, 17, BYTE, .at = 8, .value = 0, .resum = true },
	{ "reserved flag", 4, 17, BYTE, .at = 6, .value = 0x80, .resum = true },
	{ "protocol 47", 4, 17, BYTE, .at = 9, .value = 47, .resum = true,
		.unknown = true },
	{ "ICMPv6 in IPv4", 4, 17, BYTE, .at = 9, .value = 58, .resum = true,
		.unknown = true },
	{ "UDP checksum", 4, 17, BYTE, .at = 26, .value = 0x17 },
	{ "UDP length 7", 4, 17, BYTE, .at = 25, .value = 7 },
	{ "UDP length too long", 4, 17, BYTE, .at = 25, .value = 200 },
	{ "no UDP checksum, IPv6", 6, 17, BYTE, .at = 46, .value = -1 },
	{ "payload too long, IPv6", 6, 17, BYTE, .at = 5, .value = 200 },
	{ "hops 0, IPv6", 6, 17, BYTE, .at = 7, .value = 0 },
	{ "no next header", 6, 17, BYTE, .at = 6, .value = 59, .unknown = true },
	{ "ESP", 6, 17, BYTE, .at = 6, .value = 50, .unknown = true },
	{ "routing header", 6, 17, BYTE, .at = 6, .value = 43, .unknown = true },
	{ "cut in the IP header", 4, 17, CUT, .at = 19 },
	{ "cut in the UDP header", 4, 17, CUT, .at = 27 },
	{ "empty", 4, 17, CUT, .at = 0 },
	{ "one byte", 6, 17, CUT, .at = 1 },
	{ "cut in the IPv6 header", 6, 17, CUT, .at = 39 },
	{ "TCP header of 16 bytes", 4, 6, BYTE, .at = 32, .value = 0x40 },
	{ "TCP header of 60 bytes", 4, 6, BYTE, .at = 32, .value = 0xf0 },
	{ "TCP checksum", 6, 6, BYTE, .at = 56, .value = 0x17 },
	{ "null", 4, 6, FLAGS, .value = 0 },
	{ "FIN", 4, 6, FLAGS, .value = FIN },
	{ "Xmas", 4, 6, FLAGS, .value = FIN | PSH | URG },
	{ "SYN and FIN", 4, 6, FLAGS, .value = SYN | FIN },
	{ "SYN and RST", 6, 6, FLAGS, .value = SYN | RST },
	{ "SYN and ACK", 4, 6, FLAGS, .value = SYN | ACK },
	{ "everything", 6, 6, FLAGS, .value = 63 },
};

static void
spoil_bytes(uint8_t *mem, const struct spoilt *c)
{
	if (c->value >= 0)
		mem[c->at] = (uint8_t)c->value;
	else
		mem[c->at] = mem[c->at + 1] = 0;
	if (c->resum) {
		be16_put(mem + 10, 0);
		be16_put(mem + 10,
			checksum_fold(checksum_add(0, mem,
				(mem[0] & 15) * 4 > 28 ? 28 : (mem[0] & 15) * 4)));
	}
}

static void
spoilt_input(const struct spoilt *c)
{
	bool six = c->family == 6;
	struct endpoint me = at(pairs[six].me), to = at(pairs[six].to);
	uint8_t flags = c->how == FLAGS ? (uint8_t)c->value : SYN;
	uint8_t mem[128], *exact;
	size_t n;

	if (c->how == SOURCE)
		me = at(c->with);
	if (c->how == TARGET)
		to = at(c->with);
	if (c->proto == 6)
		n = tcp_build(mem, &me, &to, flags, 1, 0, 1000, NULL, 0, NULL, 0);
	else
		n = udp_build(mem, &me, &to, "12345678", 8);
	if (c->how == BYTE)
		spoil_bytes(mem, c);
	if (c->how == CUT)
		n = (size_t)c->at;
	exact = malloc(n ? n : 1);
	memcpy(exact, mem, n);
	stack_input(host.stack, exact, n, NULL);
	free(exact);
}

static void
test_spoilt(void **state)
{
	const struct stack_counters *n = stack_counters(host.stack);
	size_t i, unknown = 0, malformed = 0;

	(void)state;
	for (i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		spoilt_input(&spoilt[i]);
		if (spoilt[i].unknown)
			unknown++;
		else
			malformed++;
		if (n->unknown != unknown || n->malformed != malformed || host.nsyn ||
			host.ndatagram)
			fail_msg("%s: malformed %u unknown %u", spoilt[i].label,
				(unsigned)n->malformed, (unsigned)n->unknown);
	}
	host_settle();
	host_quiet();
	assert_int_equal(n->in, i);
}

/* What the device vouches for is not checked again. */
static void
test_offload(void **state)
{
	const struct offload partial = { .partial = true, .csum_start = 20 };
	const struct offload checked = { .checked = true };
	const struct offload three = { .gso = OFFLOAD_UDP, .segment = 3 };
	struct endpoint me = at(pairs[0].me), to = at(pairs[0].to);
	uint8_t mem[64];
	size_t n = udp_build(mem, &me, &to, "12345678", 8);

	(void)state;
	stack_input(host.stack, mem, n, &three);
	assert_int_equal(host.ndatagram, 1);
	assert_int_equal(host.segment, 3);
	assert_int_equal(host.datagram_len, 8);
	assert_memory_equal(host.datagram, "12345678", 8);
	mem[26] ^= 1;
	stack_input(host.stack, mem, n, NULL);
	assert_int_equal(host.ndatagram, 1);
	stack_input(host.stack, mem, n, &partial);
	stack_input(host.stack, mem, n, &checked);
	assert_int_equal(host.ndatagram, 3);
}

static void
test_options(void **state)
{
	struct endpoint me = at(pairs[0].me), to = at(pairs[0].to);
	uint8_t mem[64], with[68];
	size_t n = udp_build(mem, &me, &to, "12345678", 8);

	(void)state;
	memcpy(with, mem, 20);
	memcpy(with + 20, "\x83\x03\x04\x00", 4); /* a loose source route */
	memcpy(with + 24, mem + 20, n - 20);
	with[0] = 0x46;
	be16_put(with + 2, (uint16_t)(n + 4));
	be16_put(with + 10, 0);
	be16_put(with + 10, checksum_fold(checksum_add(0, with, 24)));
	stack_input(host.stack, with, n + 4, NULL);
	assert_int_equal(stack_counters(host.stack)->unknown, 1);
	assert_int_equal(host.ndatagram, 0);
}

/* Extension headers that may be skipped are; the others end the packet. */
static void
test_extensions(void **state)
{
	static const struct {
		const char *label;
		uint8_t bytes[16];
		size_t len;
		uint8_t first;
		bool passes;
	} cases[] = {
		{ "hop-by-hop, padding", { 17, 0, 1, 4 }, 8, 0, true },
		{ "destination, padding", { 17, 0, 1, 4 }, 8, 60, true },
		{ "unknown, may be skipped", { 17, 0, 0x1e, 4 }, 8, 60, true },
		{ "unknown, must not be", { 17, 0, 0xde, 4 }, 8, 60, false },
		{ "option beyond the header", { 17, 0, 1, 5 }, 8, 60, false },
		{ "header beyond the packet", { 17, 9, 1, 4 }, 8, 60, false },
		{ "hop-by-hop is not first", { 0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4 }, 16,
			60, false },
		{ "routing, type 0", { 17, 0, 0, 1 }, 8, 43, false },
		{ "fragment that is whole", { 17, 0, 0, 0 }, 8, 44, true },
	};
	struct endpoint me = at(pairs[1].me), to = at(pairs[1].to);
	uint8_t mem[128], with[144];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		n = udp_build(mem, &me, &to, "12345678", 8);
		memcpy(with, mem, 40);
		memcpy(with + 40, cases[i].bytes, cases[i].len);
		memcpy(with + 40 + cases[i].len, mem + 40, n - 40);
		with[6] = cases[i].first;
		be16_put(with + 4, (uint16_t)(n - 40 + cases[i].len));
		host.ndatagram = 0;
		stack_input(host.stack, with, n + cases[i].len, NULL);
		if (host.ndatagram != cases[i].passes)
			fail_msg("%s", cases[i].label);
	}
}

/* The number of each packet that may be cut, once; others, which cannot be, need none. */
static void
numbers_see(bool seen[static 65536], uint8_t proto, size_t least)
{
	struct seen k;
	size_t n = 0;

	while (host_take(&k)) {
		assert_int_equal(k.proto, proto);
		if (k.uncut) {
			assert_true(k.len == 0 && !k.part);
			continue;
		}
		assert_false(seen[k.number]);
		seen[k.number] = true;
		n++;
	}
	assert_true(n >= least);
}

/* Packets that may be cut on their way are told apart by their ids (RFC 6864 4.1). */
static void
test_numbers(void **state)
{
	struct endpoint me = at(pairs[0].me), to = at(pairs[0].to);
	static bool seen[65536];
	uint8_t b[14000];
	struct iovec v = { b, sizeof(b) };
	struct peer p;
	int i;

	(void)state;
	fill(b, sizeof(b));
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < 5; i++) {
		assert_int_equal(stack_udp_send(host.stack, &to, &me, b, 100), 0);
		assert_int_equal(
			stack_udp_send_many(host.stack, &to, &me, &v, 1, 1000), 14);
	}
	numbers_see(seen, 17, 75);
	for (i = 0; i < 5; i++) {
		stack_udp_refuse(host.stack, &me, &to, STACK_RESET);
		assert_int_equal(
			stack_echo_reply(host.stack, &to.ip, &me.ip, 1, 2, b, 100), 0);
	}
	numbers_see(seen, 1, 10);
	memset(seen, 0, sizeof(seen));
	peer_init(&p, pairs[0].me, pairs[0].to);
	p.window = 128 << 10;
	(void)peer_open(&p);
	peer_ack(&p);
	for (i = 0; i < 3; i++)
		(void)conn_write(host.conn[0], b, sizeof(b));
	host_settle();
	numbers_see(seen, 6, 3);
	peer_fini(&p);
}

/* No link has too little room for a header alone: it needs no id. */
static void
test_uncut(void **state)
{
	struct endpoint me = at(pairs[0].me), to = at(pairs[0].to);
	struct seen k;

	(void)state;
	host_input_tcp(&me, &to, ACK, 1, 1, 0, NULL, 0, NULL, 0);
	assert_true(host_take(&k));
	assert_int_equal(k.flags, RST);
	assert_true(k.uncut);
	assert_int_equal(k.number, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_udp_in),
		HOST_TEST(test_udp_out),
		HOST_TEST(test_parts_in),
		HOST_TEST(test_parts_out),
		HOST_TEST(test_too_long),
		HOST_TEST(test_refuse),
		HOST_TEST(test_echo),
		HOST_TEST(test_spoilt),
		HOST_TEST(test_offload),
		HOST_TEST(test_options),
		HOST_TEST(test_extensions),
		HOST_TEST(test_uncut),
		HOST_TEST(test_numbers),
		HOST_TEST_OFFLOAD(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
