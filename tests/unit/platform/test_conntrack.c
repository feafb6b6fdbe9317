/* SPDX-License-Identifier: MIT */
#include "platform/linux/conntrack.h"

#include "unit/platform/netlink_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>

static struct netlink_bytes m;
static struct net_direct_end end;

static void
begin(void)
{
	struct nfgenmsg g = { .nfgen_family = AF_INET };

	netlink_bytes_begin(
		&m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, &g, sizeof(g));
}

static void
finish(void)
{
	conntrack_read(netlink_bytes_end(&m), &end);
}

static void
put_address(uint16_t type, const char *text)
{
	struct ip ip;

	assert_true(ip_parse(&ip, text));
	netlink_bytes_put(&m, type, ip.b, ip.family == 6 ? 16 : 4);
}

static void
put_port(uint16_t type, uint16_t port)
{
	uint16_t n = htons(port);

	netlink_bytes_put(&m, type, &n, sizeof(n));
}

static void
put_tuple(uint16_t type, const char *source, const char *target, uint8_t proto)
{
	bool six = strchr(source, ':') != NULL;
	size_t tuple = netlink_bytes_open(&m, type), in;

	in = netlink_bytes_open(&m, CTA_TUPLE_IP);
	put_address(six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, source);
	put_address(six ? CTA_IP_V6_DST : CTA_IP_V4_DST, target);
	netlink_bytes_close(&m, in);
	in = netlink_bytes_open(&m, CTA_TUPLE_PROTO);
	netlink_bytes_put(&m, CTA_PROTO_NUM, &proto, 1);
	put_port(CTA_PROTO_SRC_PORT, 40000);
	put_port(CTA_PROTO_DST_PORT, 443);
	netlink_bytes_close(&m, in);
	netlink_bytes_close(&m, tuple);
}

static void
put_counters(uint16_t type, uint64_t packets, uint64_t bytes)
{
	uint64_t v[2] = { htobe64(packets), htobe64(bytes) };
	size_t at = netlink_bytes_open(&m, type);

	netlink_bytes_put(&m, CTA_COUNTERS_PACKETS, &v[0], sizeof(v[0]));
	netlink_bytes_put(&m, CTA_COUNTERS_BYTES, &v[1], sizeof(v[1]));
	netlink_bytes_close(&m, at);
}

static void
put_state(uint8_t state)
{
	size_t info = netlink_bytes_open(&m, CTA_PROTOINFO), tcp;

	tcp = netlink_bytes_open(&m, CTA_PROTOINFO_TCP);
	netlink_bytes_put(&m, CTA_PROTOINFO_TCP_STATE, &state, 1);
	netlink_bytes_close(&m, tcp);
	netlink_bytes_close(&m, info);
}

static void
put_status(uint32_t status)
{
	status = htonl(status);
	netlink_bytes_put(&m, CTA_STATUS, &status, sizeof(status));
}

static void
whole(const char *source, const char *target, uint8_t proto)
{
	begin();
	put_tuple(CTA_TUPLE_ORIG, source, target, proto);
	put_tuple(CTA_TUPLE_REPLY, target, source, proto);
	put_status(IPS_CONFIRMED | IPS_SEEN_REPLY);
	put_counters(CTA_COUNTERS_ORIG, 3, 1234);
	put_counters(CTA_COUNTERS_REPLY, 4, UINT64_C(5000000000));
	if (proto == IPPROTO_TCP)
		put_state(TCP_CONNTRACK_ESTABLISHED);
}

static void
check_end(const char *source, const char *target, enum network network)
{
	char text[ENDPOINT_TEXT];

	assert_string_equal(endpoint_format(&end.source, text), source);
	assert_string_equal(endpoint_format(&end.target, text), target);
	assert_int_equal(end.network, network);
	assert_int_equal(end.up, 1234);
	assert_int_equal(end.down, UINT64_C(5000000000));
	assert_true(end.counted && end.answered);
}

/* The application's ends are those of the original direction; counters of both. */
static void
whole_connections(void **state)
{
	(void)state;
	whole("198.18.0.1", "192.0.2.80", IPPROTO_TCP);
	finish();
	check_end("198.18.0.1:40000", "192.0.2.80:443", NETWORK_TCP);
	assert_true(end.open);
	whole("2001:db8::1", "2001:db8::80", IPPROTO_UDP);
	finish();
	check_end("[2001:db8::1]:40000", "[2001:db8::80]:443", NETWORK_UDP);
	assert_false(end.open);
	whole("198.18.0.1", "192.0.2.80", IPPROTO_ICMP);
	finish();
	assert_int_equal(end.network, NETWORK_ICMP);
}

static void
states(void **state)
{
	uint8_t s;

	(void)state;
	for (s = TCP_CONNTRACK_NONE; s < TCP_CONNTRACK_MAX; s++) {
		begin();
		put_state(s);
		finish();
		assert_int_equal(end.open,
			s >= TCP_CONNTRACK_SYN_SENT && s <= TCP_CONNTRACK_CLOSE_WAIT);
	}
}

static void
unanswered_and_uncounted(void **state)
{
	(void)state;
	begin();
	put_tuple(CTA_TUPLE_ORIG, "198.18.0.1", "192.0.2.80", IPPROTO_TCP);
	put_status(IPS_CONFIRMED);
	finish();
	assert_false(end.answered || end.counted || end.open);
	assert_int_equal(end.up + end.down, 0);
	assert_int_equal(end.target.port, 443);
}

/* An attribute of another size than it should have says nothing. */
static void
wrong_sizes(void **state)
{
	static const uint8_t bytes[16] = { 1, 2, 3 };
	size_t at, in, n;

	(void)state;
	for (n = 0; n < sizeof(bytes); n++) {
		begin();
		at = netlink_bytes_open(&m, CTA_TUPLE_ORIG);
		in = netlink_bytes_open(&m, CTA_TUPLE_IP);
		netlink_bytes_put(&m, CTA_IP_V6_SRC, bytes, n);
		if (n != 4)
			netlink_bytes_put(&m, CTA_IP_V4_SRC, bytes, n);
		netlink_bytes_close(&m, in);
		in = netlink_bytes_open(&m, CTA_TUPLE_PROTO);
		if (n != 2)
			netlink_bytes_put(&m, CTA_PROTO_SRC_PORT, bytes, n);
		if (n != 1)
			netlink_bytes_put(&m, CTA_PROTO_NUM, bytes, n);
		netlink_bytes_close(&m, in);
		netlink_bytes_close(&m, at);
		if (n != 4)
			netlink_bytes_put(&m, CTA_STATUS, bytes, n);
		finish();
		assert_int_equal(end.source.ip.family, 0);
		assert_int_equal(end.source.port, 0);
		assert_false(end.answered);
	}
}

/* Cut between any two words, in a copy of that size: whatever is said is from what is
 * there. */
static void
cut_short(void **state)
{
	struct nlmsghdr *h;
	size_t n, len;

	(void)state;
	whole("198.18.0.1", "192.0.2.80", IPPROTO_TCP);
	finish();
	len = m.len;
	for (n = sizeof(struct nlmsghdr); n < len; n += NLMSG_ALIGNTO) {
		h = malloc(n);
		assert_non_null(h);
		memcpy(h, m.p, n);
		h->nlmsg_len = (uint32_t)n;
		conntrack_read(h, &end);
		assert_true(end.up == 0 || end.up == 1234);
		assert_false(end.open);
		free(h);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_connections),
		cmocka_unit_test(states),
		cmocka_unit_test(unanswered_and_uncounted),
		cmocka_unit_test(wrong_sizes),
		cmocka_unit_test(cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
