/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/tun.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A socket that keeps the borders of messages stands for the device.  The
 * header in front is that of virtio 1.1 section 5.1.6: flags, gso_type,
 * hdr_len, gso_size, csum_start, csum_offset, the numbers as this machine
 * writes them.
 */
struct header {
	uint8_t flags, type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

static int pair[2];

static int
set_up(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair);
}

static int
tear_down(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static ssize_t
read_with(const struct header *h, struct offload *o)
{
	uint8_t message[sizeof *h + 40] = { 0 }, packet[100];

	memcpy(message, h, sizeof *h);
	message[sizeof *h] = 0x45;
	assert_int_equal(write(pair[1], message, sizeof message), sizeof message);
	return tun_read(pair[0], packet, sizeof packet, o);
}

static void
reads_plain(void **state)
{
	const struct header h = { 0 };
	struct offload o;

	(void)state;
	assert_int_equal(read_with(&h, &o), 40);
	assert_true(o.gso == OFFLOAD_NONE && !o.partial && !o.checked);
	assert_int_equal(o.segment, 0);
}

static void
reads_offloads(void **state)
{
	static const struct {
		struct header h;
		int want, gso, segment, start;
		bool partial, checked;
	} cases[] = {
		{ { 1, 0, 0, 0, 20, 16 }, 40, OFFLOAD_NONE, 0, 20, true, false },
		{ { 2, 0, 0, 0, 0, 0 }, 40, OFFLOAD_NONE, 0, 0, false, true },
		{ { 1, 1, 40, 1400, 20, 16 }, 40, OFFLOAD_TCP, 1400, 20, true, false },
		{ { 1, 4, 60, 1380, 40, 16 }, 40, OFFLOAD_TCP, 1380, 40, true, false },
		{ { 1, 0x81, 40, 1400, 20, 16 }, 40, OFFLOAD_TCP, 1400, 20, true, false },
		{ { 1, 5, 28, 1200, 20, 6 }, 40, OFFLOAD_UDP, 1200, 20, true, false },
		{ { 1, 3, 28, 1200, 20, 6 }, 0, 0, 0, 0, false, false },  /* UFO */
		{ { 1, 77, 28, 1200, 20, 6 }, 0, 0, 0, 0, false, false }, /* unknown */
		{ { 1, 1, 40, 0, 20, 16 }, 0, 0, 0, 0, false, false },    /* no size */
	};
	struct offload o;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_with(&cases[i].h, &o), cases[i].want);
		if (cases[i].want == 0)
			continue;
		assert_int_equal(o.gso, cases[i].gso);
		assert_int_equal(o.segment, cases[i].segment);
		assert_int_equal(o.csum_start, cases[i].start);
		assert_int_equal(o.partial, cases[i].partial);
		assert_int_equal(o.checked, cases[i].checked);
	}
}

static void
reads_nothing(void **state)
{
	struct offload o;
	uint8_t p[10] = { 0 };

	(void)state;
	assert_int_equal(tun_read(pair[0], p, sizeof p, &o), -EAGAIN);
	assert_int_equal(write(pair[1], p, 10), 10); /* a header alone */
	assert_int_equal(tun_read(pair[0], p, sizeof p, &o), 0);
	assert_int_equal(write(pair[1], p, 3), 3);
	assert_int_equal(tun_read(pair[0], p, sizeof p, &o), 0);
}

/* Writes a packet of two pieces, IPv4 or IPv6 with the given protocol. */
static int
write_with(int version, int protocol, const struct offload *o, struct header *h)
{
	uint8_t head[40] = { 0 }, rest[20] = { 0 }, got[200];
	const struct iovec v[2] = { { head, sizeof head }, { rest, sizeof rest } };
	int r;

	head[0] = (uint8_t)(version << 4 | 5);
	head[version == 4 ? 9 : 6] = (uint8_t)protocol;
	r = tun_write(pair[0], v, 2, o);
	if (r == 0) {
		assert_int_equal(read(pair[1], got, sizeof got), sizeof *h + 60);
		memcpy(h, got, sizeof *h);
		assert_int_equal(got[sizeof *h], head[0]);
	}
	return r;
}

static void
writes(void **state)
{
	static const struct {
		int version, protocol;
		struct offload o;
		struct header want;
	} cases[] = {
		{ 4, 6, { 0 }, { 0 } },
		{ 4, 6, { .checked = true }, { 2, 0, 0, 0, 0, 0 } },
		{ 4, 6, { .partial = true, .csum_start = 20 }, { 1, 0, 0, 0, 20, 16 } },
		{ 4, 17, { .partial = true, .csum_start = 20 }, { 1, 0, 0, 0, 20, 6 } },
		{ 6, 6, { .partial = true, .csum_start = 40 }, { 1, 0, 0, 0, 40, 16 } },
		{ 6, 17, { .partial = true, .csum_start = 40 }, { 1, 0, 0, 0, 40, 6 } },
		{ 4, 6, { OFFLOAD_TCP, 1400, 40, 20, true, false },
			{ 1, 1, 40, 1400, 20, 16 } },
		{ 6, 6, { OFFLOAD_TCP, 1380, 60, 40, true, false },
			{ 1, 4, 60, 1380, 40, 16 } },
		{ 6, 17, { OFFLOAD_UDP, 1200, 48, 40, true, false },
			{ 1, 5, 48, 1200, 40, 6 } },
	};
	struct header h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(
			write_with(cases[i].version, cases[i].protocol, &cases[i].o, &h),
			0);
		assert_memory_equal(&h, &cases[i].want, sizeof h);
	}
}

/* A device without headers: bytes are what they are. */
static void
is_bare(void **state)
{
	uint8_t packet[40] = { 0x45, [39] = 7 }, got[100];
	const struct iovec v[2] = { { packet, 30 }, { packet + 30, 10 } };

	(void)state;
	assert_int_equal(tun_write(pair[0], v, 2, NULL), 0);
	assert_int_equal(tun_read(pair[1], got, sizeof got, NULL), sizeof packet);
	assert_memory_equal(got, packet, sizeof packet);
	assert_int_equal(tun_read(pair[1], got, sizeof got, NULL), -EAGAIN);
}

/* The kernel that the device is asked of: what it has of TUN_F_ bits, and was last told. */
static struct {
	bool headers;
	unsigned long has, told;
} kernel;

int
ioctl(int fd, unsigned long what, ...)
{
	unsigned long asked;
	struct ifreq *r;
	va_list v;

	va_start(v, what);
	assert_int_equal(fd, pair[0]);
	if (what == TUNGETIFF) {
		r = va_arg(v, struct ifreq *);
		r->ifr_flags = (short)(kernel.headers ? IFF_TUN | IFF_VNET_HDR : IFF_TUN);
		va_end(v);
		return 0;
	}
	assert_int_equal(what, TUNSETOFFLOAD);
	asked = va_arg(v, unsigned long);
	va_end(v);
	if ((asked & ~kernel.has) != 0) {
		errno = EINVAL;
		return -1;
	}
	kernel.told = asked;
	return 0;
}

static void
takes_what_there_is(void **state)
{
	enum { CSUM = 1, TSO = 2 | 4, USO = 0x20 | 0x40 };
	enum { ALL = TUN_SUMS | TUN_TCP | TUN_UDP };
	static const struct {
		const char *label;
		bool headers;
		unsigned long has;
		unsigned wanted, got;
		unsigned long told;
	} cases[] = {
		{ "all", true, CSUM | TSO | USO, ALL, ALL, CSUM | TSO | USO },
		{ "no USO", true, CSUM | TSO, ALL, TUN_SUMS | TUN_TCP, CSUM | TSO },
		{ "half of USO", true, CSUM | TSO | 0x20, ALL, TUN_SUMS | TUN_TCP,
			CSUM | TSO },
		{ "no TSO", true, CSUM, ALL, TUN_SUMS, CSUM },
		{ "half of TSO", true, CSUM | 2, ALL, TUN_SUMS, CSUM },
		{ "no sums", true, 0, ALL, 0, 0 },
		{ "no sums, but TSO", true, TSO | USO, ALL, 0, 0 },
		{ "no headers", false, CSUM | TSO | USO, ALL, 0, 99 },
		{ "none wanted", true, CSUM | TSO | USO, 0, 0, 0 },
		{ "less wanted", true, CSUM | TSO | USO, TUN_SUMS, TUN_SUMS, CSUM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		kernel.headers = cases[i].headers;
		kernel.has = cases[i].has;
		kernel.told = 99;
		assert_int_equal(tun_is_bare(pair[0]), !cases[i].headers);
		if (tun_offload(pair[0], cases[i].wanted) != cases[i].got ||
			kernel.told != cases[i].told)
			fail_msg("%s", cases[i].label);
	}
}

static void
refuses_to_write(void **state)
{
	static const struct {
		int version, protocol;
		struct offload o;
	} cases[] = {
		{ 4, 1,
			{ .partial = true,
				.csum_start = 20 } }, /* ICMP: nobody knows where */
		{ 4, 6, { OFFLOAD_TCP, 1400, 40, 20, false, false } },
		{ 4, 6, { OFFLOAD_TCP, 0, 40, 20, true, false } },
	};
	struct header h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(
			write_with(cases[i].version, cases[i].protocol, &cases[i].o, &h),
			-EINVAL);
	assert_int_equal(tun_write(pair[0], NULL, 0, NULL), -EINVAL);
}

static void
says_when_it_is_full(void **state)
{
	const struct offload o = { 0 };
	struct header h;
	uint8_t head[40] = { 0x45 };
	const struct iovec v = { head, sizeof head };
	int i, r = 0;

	(void)state;
	(void)h;
	for (i = 0; i < 1000000 && r == 0; i++)
		r = tun_write(pair[0], &v, 1, &o);
	assert_int_equal(r, -EAGAIN);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(reads_plain),
		TEST(reads_offloads),
		TEST(reads_nothing),
		TEST(writes),
		TEST(refuses_to_write),
		TEST(is_bare),
		TEST(takes_what_there_is),
		TEST(says_when_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
