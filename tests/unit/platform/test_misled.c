/* SPDX-License-Identifier: MIT */
#include "platform/linux/misled.h"

#include "unit/platform/netlink_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct netlink_bytes m;
static struct net_misled got;
static uint8_t packet[60];

static void
put_number(uint16_t type, uint32_t n)
{
	n = htonl(n);
	netlink_bytes_put(&m, type, &n, sizeof n);
}

static void
begin(uint8_t hook)
{
	struct nfulnl_msg_packet_hdr p = { .hook = hook };
	struct nfgenmsg g = { .nfgen_family = AF_INET };

	netlink_bytes_begin(&m, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, &g, sizeof g);
	netlink_bytes_put(&m, NFULA_PACKET_HDR, &p, sizeof p);
}

/* What it comes to with so many bytes of the packet. */
static bool
reads(size_t len)
{
	netlink_bytes_put(&m, NFULA_PAYLOAD, packet, len);
	return misled_read(netlink_bytes_end(&m), &got);
}

static bool
is_at(const struct endpoint *e, const char *text)
{
	char is[ENDPOINT_TEXT];

	return strcmp(endpoint_format(e, is), text) == 0;
}

static void
ports_at(size_t at)
{
	static const uint8_t ports[] = { 0x9c, 0x40, 0x01, 0xbb };

	memcpy(packet + at, ports, sizeof ports);
}

static int
packet4(void **state)
{
	static const uint8_t head[20] = { [0] = 0x45,
		[8] = 64,
		[9] = IPPROTO_TCP,
		[12] = 198,
		18,
		0,
		2,
		192,
		0,
		2,
		80 };

	(void)state;
	memset(packet, 0, sizeof packet);
	memcpy(packet, head, sizeof head);
	ports_at(20);
	return 0;
}

static void
of_a_socket(void **state)
{
	(void)state;
	begin(NF_INET_POST_ROUTING);
	put_number(NFULA_MARK, 0x80000099);
	put_number(NFULA_UID, 998);
	assert_true(reads(40));
	assert_int_equal(got.how, NET_MISLED_BACK);
	assert_int_equal(got.network, NETWORK_TCP);
	assert_true(is_at(&got.source, "198.18.0.2:40000"));
	assert_true(is_at(&got.target, "192.0.2.80:443"));
	assert_true(got.is_socket && got.uid == 998 && got.mark == 0x80000099);
}

static void
of_nobody(void **state)
{
	(void)state;
	packet[9] = IPPROTO_UDP;
	begin(NF_INET_PRE_ROUTING);
	assert_true(reads(24));
	assert_int_equal(got.how, NET_MISLED_UNSEEN);
	assert_int_equal(got.network, NETWORK_UDP);
	assert_true(!got.is_socket && got.mark == 0);
	/* Without ports. */
	packet[9] = IPPROTO_ICMP;
	begin(NF_INET_POST_ROUTING);
	assert_true(reads(20));
	assert_int_equal(got.network, NETWORK_ICMP);
	assert_true(is_at(&got.target, "192.0.2.80:0"));
}

static void
with_options(void **state)
{
	(void)state;
	packet[0] = 0x47;
	ports_at(28);
	begin(NF_INET_POST_ROUTING);
	assert_true(reads(40));
	assert_true(is_at(&got.target, "192.0.2.80:443"));
}

static void
of_ipv6(void **state)
{
	static const uint8_t head[40] = { [0] = 0x60,
		[6] = IPPROTO_TCP,
		[7] = 64,
		[8] = 0x20,
		1,
		0xd,
		0xb8,
		[23] = 2,
		[24] = 0x20,
		1,
		0xd,
		0xb8,
		[39] = 0x80 };

	(void)state;
	memcpy(packet, head, sizeof head);
	ports_at(40);
	begin(NF_INET_POST_ROUTING);
	assert_true(reads(60));
	assert_true(is_at(&got.source, "[2001:db8::2]:40000"));
	assert_true(is_at(&got.target, "[2001:db8::80]:443"));
}

static void
cut_short(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < 24; n++) {
		begin(NF_INET_POST_ROUTING);
		assert_false(reads(n));
	}
	/* A later piece of a packet, a header shorter than there are, a packet of nothing. */
	packet[7] = 1;
	begin(NF_INET_POST_ROUTING);
	assert_false(reads(40));
	packet[7] = 0;
	packet[0] = 0x44;
	begin(NF_INET_POST_ROUTING);
	assert_false(reads(40));
	packet[0] = 0x15;
	begin(NF_INET_POST_ROUTING);
	assert_false(reads(40));
}

static void
other_news(void **state)
{
	struct nfgenmsg g = { .nfgen_family = AF_INET };

	(void)state;
	netlink_bytes_begin(&m, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, &g, sizeof g);
	assert_false(reads(40));
	begin(NF_INET_POST_ROUTING);
	assert_false(misled_read(netlink_bytes_end(&m), &got));
	/* Numbers that are none. */
	begin(NF_INET_POST_ROUTING);
	netlink_bytes_put(&m, NFULA_UID, "", 1);
	netlink_bytes_put(&m, NFULA_MARK, "12345678", 8);
	assert_true(reads(40));
	assert_true(!got.is_socket && got.mark == 0);
}

/* A kernel that has told of a packet before it answers, and with this error. */
static int sockets[2], told, answer;

/* What the linker puts in the place of the real ones. */
int __wrap_netlink_hear(int bus, unsigned groups);
ssize_t __wrap_nfevents_recv(int fd, void *p, size_t cap);

int
__wrap_netlink_hear(int bus, unsigned groups)
{
	(void)bus;
	(void)groups;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	return sockets[0];
}

ssize_t
__wrap_nfevents_recv(int fd, void *p, size_t cap)
{
	struct nlmsgerr e = { .error = answer };

	assert_int_equal(fd, sockets[0]);
	if (told++ == 0) {
		begin(NF_INET_POST_ROUTING);
		netlink_bytes_put(&m, NFULA_PAYLOAD, packet, 40);
	} else {
		netlink_bytes_begin(&m, NLMSG_ERROR, &e, sizeof e);
	}
	assert_true(m.len <= cap);
	memcpy(p, netlink_bytes_end(&m), m.len);
	return (ssize_t)m.len;
}

static void
told_before_the_answer(void **state)
{
	int fd;

	(void)state;
	told = answer = 0;
	fd = net_misled_watch(1);
	assert_int_equal(fd, sockets[0]);
	assert_int_equal(told, 2);
	close(sockets[0]);
	close(sockets[1]);
	told = 0;
	answer = -EBUSY;
	assert_int_equal(net_misled_watch(1), -EBUSY);
	close(sockets[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(of_a_socket, packet4),
		cmocka_unit_test_setup(of_nobody, packet4),
		cmocka_unit_test_setup(with_options, packet4),
		cmocka_unit_test_setup(of_ipv6, packet4),
		cmocka_unit_test_setup(cut_short, packet4),
		cmocka_unit_test_setup(other_news, packet4),
		cmocka_unit_test_setup(told_before_the_answer, packet4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
