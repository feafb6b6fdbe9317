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
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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
		assert_int_equal(end.reset, s == TCP_CONNTRACK_CLOSE);
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

/*
 * A kernel that tracks what is in `tracked`, and notes what it is asked.  It
 * has the library's names, so that nothing reaches the real one.
 */
enum { TRACKED_MAX = 4, ASKED_MAX = 16 };

static struct {
	struct netlink_bytes tracked[TRACKED_MAX];
	int ntracked;
	struct netlink_bytes asked[ASKED_MAX];
	int nasked;
	struct netlink_bytes answer[TRACKED_MAX + 1]; /* of the last question */
	int nanswer, nread;
	int refusal; /* -errno, of each deletion */
} kernel;

struct mnl_socket *
mnl_socket_open2(int bus, int flags)
{
	static int fds[2];
	static int n;

	(void)flags;
	assert_int_equal(bus, NETLINK_NETFILTER);
	/* Options are set on it, so it must be one. */
	fds[n % 2] = socket(AF_UNIX, SOCK_DGRAM, 0);
	return (struct mnl_socket *)&fds[n++ % 2];
}

int
mnl_socket_bind(struct mnl_socket *s, unsigned groups, pid_t pid)
{
	(void)s;
	(void)groups;
	(void)pid;
	return 0;
}

int
mnl_socket_close(struct mnl_socket *s)
{
	return close(*(int *)s);
}

int
mnl_socket_get_fd(const struct mnl_socket *s)
{
	return *(const int *)s;
}

unsigned
mnl_socket_get_portid(const struct mnl_socket *s)
{
	(void)s;
	return 0;
}

static void
kernel_says(uint16_t type, uint16_t flags, int number)
{
	struct netlink_bytes *b = &kernel.answer[kernel.nanswer++];
	struct nlmsgerr e = { .error = number };
	struct nlmsghdr *h;

	netlink_bytes_begin(b, type, &e, sizeof(e));
	netlink_bytes_end(b);
	h = (void *)b->p;
	h->nlmsg_flags = flags;
}

/* The list comes whole at once, before anything is asked about one of it. */
ssize_t
mnl_socket_sendto(const struct mnl_socket *s, const void *p, size_t n)
{
	struct netlink_bytes *b = &kernel.asked[kernel.nasked++];
	const struct nlmsghdr *h = p;

	(void)s;
	assert_true(kernel.nasked <= ASKED_MAX && n <= sizeof(b->p));
	memcpy(b->p, p, n);
	b->len = n;
	kernel.nanswer = kernel.nread = 0;
	if ((h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
		kernel_says(NLMSG_ERROR, 0, kernel.refusal);
		return (ssize_t)n;
	}
	for (int i = 0; i < kernel.ntracked; i++)
		kernel.answer[kernel.nanswer++] = kernel.tracked[i];
	kernel_says(NLMSG_DONE, NLM_F_MULTI, 0);
	return (ssize_t)n;
}

/* All that there is at once. */
ssize_t
mnl_socket_recvfrom(const struct mnl_socket *s, void *to, size_t cap)
{
	size_t n = 0;

	(void)s;
	for (; kernel.nread < kernel.nanswer; kernel.nread++) {
		struct netlink_bytes *b = &kernel.answer[kernel.nread];

		assert_true(n + b->len <= cap);
		memcpy((uint8_t *)to + n, b->p, b->len);
		n += b->len;
	}
	assert_true(n > 0);
	return (ssize_t)n;
}

static void
kernel_tracks(const char *source, const char *target, uint8_t proto, uint32_t id)
{
	struct nfgenmsg g = { .nfgen_family = strchr(source, ':') ? AF_INET6 : AF_INET };

	netlink_bytes_begin(
		&m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, &g, sizeof(g));
	put_tuple(CTA_TUPLE_ORIG, source, target, proto);
	put_tuple(CTA_TUPLE_REPLY, target, source, proto);
	netlink_bytes_put(&m, CTA_ID, &id, sizeof(id));
	netlink_bytes_end(&m);
	((struct nlmsghdr *)(void *)m.p)->nlmsg_flags = NLM_F_MULTI;
	kernel.tracked[kernel.ntracked++] = m;
}

static int
kernel_begin(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

static void
shown(const struct net_direct_end *e, void *arg)
{
	struct net_direct_end *seen = arg;

	/* Before it is forgotten. */
	assert_int_equal(kernel.nasked, e->network == NETWORK_TCP ? 1 : 2);
	*seen = *e;
}

static const struct nlattr *
attribute(const struct netlink_bytes *b, uint16_t type)
{
	const struct nlmsghdr *h = (const void *)b->p;
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

/* A deletion of all with a mark holds up every rule set of the machine, so there is none:
 * each of them names its connection. */
static void
forgotten_one_by_one(void **state)
{
	struct net_direct_end seen = { 0 };

	(void)state;
	kernel_tracks("198.18.0.1", "192.0.2.80", IPPROTO_TCP, 7);
	kernel_tracks("2001:db8::1", "2001:db8::80", IPPROTO_UDP, 8);
	assert_int_equal(conntrack_forget(0, 5, shown, &seen), 0);
	assert_int_equal(seen.network, NETWORK_UDP);
	assert_int_equal(kernel.nasked, 3);
	for (int i = 1; i < kernel.nasked; i++) {
		const struct netlink_bytes *b = &kernel.asked[i];
		const struct nlmsghdr *h = (const void *)b->p;
		const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
		const struct nlattr *tuple = attribute(b, CTA_TUPLE_ORIG),
				    *was = attribute(
					    &kernel.tracked[i - 1], CTA_TUPLE_ORIG);

		assert_int_equal(
			h->nlmsg_type, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
		assert_int_equal(g->nfgen_family, i == 1 ? AF_INET : AF_INET6);
		assert_non_null(tuple);
		assert_memory_equal(tuple, was, was->nla_len);
		assert_non_null(attribute(b, CTA_ID));
		assert_int_equal(mnl_attr_get_u32(attribute(b, CTA_ID)), 6 + i);
	}
}

/* A deletion without a name would be one of all connections of the machine. */
static void
nameless_ones_stay(void **state)
{
	struct nfgenmsg g = { .nfgen_family = AF_INET };
	uint32_t id = 7;

	(void)state;
	netlink_bytes_begin(
		&m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, &g, sizeof(g));
	netlink_bytes_put(&m, CTA_ID, &id, sizeof(id));
	netlink_bytes_end(&m);
	((struct nlmsghdr *)(void *)m.p)->nlmsg_flags = NLM_F_MULTI;
	kernel.tracked[kernel.ntracked++] = m;
	assert_int_equal(conntrack_forget(4, 5, NULL, NULL), 0);
	assert_int_equal(kernel.nasked, 1);
}

/* The others are tried all the same, and one that has just ended is no failure. */
static void
refusals(void **state)
{
	(void)state;
	kernel_tracks("198.18.0.1", "192.0.2.80", IPPROTO_TCP, 7);
	kernel_tracks("198.18.0.1", "192.0.2.81", IPPROTO_TCP, 8);
	kernel.refusal = -EPERM;
	assert_int_equal(conntrack_forget(4, 5, NULL, NULL), -EPERM);
	assert_int_equal(kernel.nasked, 3);
	kernel.refusal = -ENOENT;
	assert_int_equal(conntrack_forget(4, 5, NULL, NULL), 0);
	assert_int_equal(kernel.nasked, 6);
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
		cmocka_unit_test_setup(forgotten_one_by_one, kernel_begin),
		cmocka_unit_test_setup(nameless_ones_stay, kernel_begin),
		cmocka_unit_test_setup(refusals, kernel_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
