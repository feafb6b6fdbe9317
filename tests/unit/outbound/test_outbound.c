/* SPDX-License-Identifier: MIT */
/* Freedom, blackhole and the transport beneath them, on loopback. */
#include "unit/outbound/bench.h"

#include "base/list.h"
#include "base/log.h"
#include "platform/sock.h"
#include "platform/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(&ip, text));
	return ip;
}

/* good.test is here; late.test has an address before it that refuses. */
static const struct ip here[] = { { 4, { 127, 0, 0, 1 } } };
static const struct ip late[] = { { 4, { 127, 0, 0, 3 } }, { 4, { 127, 0, 0, 1 } } };
static const struct names_host hosts[] = { { .name = "good.test", .ip = here, .n = 1 },
	{ .name = "late.test", .ip = late, .n = 2 } };

static uint16_t
closed_port(void)
{
	uint16_t port = 0;

	close(listen_at("127.0.0.1", &port));
	return port;
}

static const struct {
	const char *label, *name, *address;
	enum domain_strategy strategy;
	const char *redirect;
	bool redirects_port, closed;
	int want;
} dials[] = {
	{ "address", NULL, "127.0.0.1", DOMAIN_AS_IS, NULL, false, false, 0 },
	{ "refused", NULL, "127.0.0.1", DOMAIN_AS_IS, NULL, false, true, -ECONNREFUSED },
	{ "AsIs takes the address", "good.test", "127.0.0.3", DOMAIN_AS_IS, NULL, false,
		false, -ECONNREFUSED },
	{ "UseIP takes the name", "good.test", "127.0.0.3", DOMAIN_USE_IP, NULL, false,
		false, 0 },
	{ "UseIP without such a name takes the address", "::1", "127.0.0.1",
		DOMAIN_USE_IP4, NULL, false, false, 0 },
	{ "only a name", "good.test", NULL, DOMAIN_AS_IS, NULL, false, false, 0 },
	{ "the first address refuses", "late.test", NULL, DOMAIN_AS_IS, NULL, false,
		false, 0 },
	{ "all addresses refuse", "late.test", NULL, DOMAIN_AS_IS, NULL, false, true,
		-ECONNREFUSED },
	{ "no such family", "good.test", NULL, DOMAIN_USE_IP6, NULL, false, false,
		-ENOENT },
	{ "redirected to an address", NULL, "127.0.0.3", DOMAIN_AS_IS, "127.0.0.1", false,
		false, 0 },
	{ "redirected to a name", NULL, "127.0.0.3", DOMAIN_AS_IS, "good.test", false,
		false, 0 },
	{ "redirected to a port", NULL, "127.0.0.1", DOMAIN_AS_IS, "", true, true, 0 },
};

static void
test_freedom_dials(void **state)
{
	uint16_t port = 0, shut;
	size_t i;
	int fd, r;

	(void)state;
	fd = listen_at("127.0.0.1", &port);
	shut = closed_port();
	for (i = 0; i < sizeof(dials) / sizeof(*dials); i++) {
		struct outbound_spec spec = { .kind = OUTBOUND_FREEDOM,
			.u.freedom = { dials[i].strategy, dials[i].redirect,
				dials[i].redirects_port ? port : 0 } };
		struct target to = { .port = dials[i].closed ? shut : port,
			.name = dials[i].name };
		struct stream *s;

		if (dials[i].address)
			to.ip = ip_of(dials[i].address);
		bench_start_with(&spec, hosts, 2);
		s = outbound_dial(bench.o, &to, &bench.owner);
		assert_non_null(s);
		r = open_fully(s);
		if (r != dials[i].want)
			fail_msg("%s: %d, %s", dials[i].label, r, stream_reason(s));
		if (r < 0) {
			assert_true(*stream_reason(s));
			assert_int_equal(stream_open(s), r);
		}
		stream_free(s);
		bench_end();
	}
	close(fd);
}

/* Bytes pass in both directions, and a FIN passes as it comes. */
static void
test_freedom_carries(void **state)
{
	const struct outbound_spec spec = { .kind = OUTBOUND_FREEDOM };
	struct target to = { .ip = ip_of("127.0.0.1") };
	struct endpoint from;
	struct window w;
	struct stream *s;
	char p[16];
	int fd, far, r;

	(void)state;
	fd = listen_at("127.0.0.1", &to.port);
	bench_start_with(&spec, hosts, 2);
	assert_true(bench.o->ops->truthful && bench.o->ops->direct);
	assert_false(bench.o->ops->per_target);
	s = outbound_dial(bench.o, &to, &bench.owner);
	assert_int_equal(open_fully(s), STREAM_OK);
	far = sock_accept(fd, &from);
	assert_true(far >= 0);
	assert_int_equal(stream_send_buf(s, &w), STREAM_OK);
	memcpy(w.p, "ask", 3);
	assert_int_equal(stream_send_ack(s, 3), STREAM_OK);
	assert_int_equal(stream_shut(s), STREAM_OK);
	assert_int_equal(sock_read(far, p, sizeof(p)), 3);
	assert_int_equal(sock_read(far, p, sizeof(p)), 0);
	assert_int_equal(write(far, "answer", 6), 6);
	close(far);
	while ((r = stream_recv_buf(s, &w)) == STREAM_AGAIN)
		wait_woken();
	assert_int_equal(r, STREAM_OK);
	assert_int_equal(w.len, 6);
	stream_recv_ack(s, 6);
	while ((r = stream_recv_buf(s, &w)) == STREAM_AGAIN)
		wait_woken();
	assert_int_equal(r, STREAM_END);
	stream_free(s);
	close(fd);
	bench_end();
}

static const struct {
	const char *label, *name, *address, *redirect;
	enum domain_strategy strategy;
	bool per_target;
	const char *from; /* whom the answer seems to come from */
} binds[] = {
	{ "address", NULL, "127.0.0.1", NULL, DOMAIN_AS_IS, false, "127.0.0.1" },
	{ "only a name", "good.test", NULL, NULL, DOMAIN_AS_IS, false, "127.0.0.1" },
	{ "redirected", NULL, "192.0.2.9", "127.0.0.1", DOMAIN_AS_IS, true, "192.0.2.9" },
	{ "redirected to a name", NULL, "192.0.2.9", "good.test", DOMAIN_AS_IS, true,
		"192.0.2.9" },
	{ "UseIP", "good.test", "192.0.2.9", NULL, DOMAIN_USE_IP, true, "192.0.2.9" },
};

static void
test_freedom_binds(void **state)
{
	struct endpoint at = { .ip = ip_of("127.0.0.1") }, from;
	struct sock_options local = { .source = at.ip };
	struct ip want;
	char p[16];
	size_t i, n;
	int fd, r;

	(void)state;
	fd = sock_udp_open(4, &local);
	assert_true(fd >= 0);
	assert_int_equal(sock_local(fd, &at), 0);
	for (i = 0; i < sizeof(binds) / sizeof(*binds); i++) {
		struct outbound_spec spec = { .kind = OUTBOUND_FREEDOM,
			.u.freedom = { binds[i].strategy, binds[i].redirect, 0 } };
		struct target to = { .port = at.port, .name = binds[i].name };
		struct packets *k;

		if (binds[i].address)
			to.ip = ip_of(binds[i].address);
		bench_start_with(&spec, hosts, 2);
		assert_int_equal(bench.o->ops->per_target, binds[i].per_target);
		k = outbound_bind(bench.o, &to, &bench.owner);
		assert_non_null(k);
		while ((r = packets_send(k, &to, (uint8_t *)"ask", 3)) == STREAM_AGAIN)
			wait_woken();
		assert_int_equal(r, STREAM_OK);
		assert_int_equal(sock_recv_from(fd, &from, p, sizeof(p)), 3);
		assert_int_equal(sock_send_to(fd, &from, "answer", 6), 6);
		while ((r = packets_recv(k, &from, (uint8_t *)p, sizeof(p), &n)) ==
			STREAM_AGAIN)
			wait_woken();
		assert_int_equal(r, STREAM_OK);
		assert_int_equal(n, 6);
		want = ip_of(binds[i].from);
		if (!ip_equal(&from.ip, &want) || from.port != at.port)
			fail_msg("%s: from elsewhere", binds[i].label);
		packets_free(k);
		bench_end();
	}
	close(fd);
}

/* What the kernel may carry: whatever a setting would change is not plain. */
static void
test_plain(void **state)
{
	const struct outbound_spec others[] = {
		{ .kind = OUTBOUND_VMESS },
		{ .kind = OUTBOUND_BLACKHOLE },
		{ .kind = OUTBOUND_FREEDOM, .u.freedom.strategy = DOMAIN_USE_IP },
		{ .kind = OUTBOUND_FREEDOM, .u.freedom.redirect_address = "192.0.2.1" },
		{ .kind = OUTBOUND_FREEDOM, .u.freedom.redirect_address = "" },
		{ .kind = OUTBOUND_FREEDOM, .u.freedom.redirect_port = 80 },
		{ .kind = OUTBOUND_FREEDOM, .sock.source = ip_of("192.0.2.1") },
		{ .kind = OUTBOUND_FREEDOM, .sock.source = ip_of("2001:db8::1") },
		{ .kind = OUTBOUND_FREEDOM, .sock.interface = "eth0" },
		{ .kind = OUTBOUND_FREEDOM, .sock.mark = 1 },
	};
	const struct outbound_spec plain = {
		.kind = OUTBOUND_FREEDOM, .tag = "direct", .sock.nodelay = true
	};

	(void)state;
	assert_true(outbound_is_plain(&plain));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (outbound_is_plain(&others[i]))
			fail_msg("the outbound %zu is plain", i);
}

static void
test_blackhole(void **state)
{
	struct outbound_spec spec = { .kind = OUTBOUND_BLACKHOLE };
	const struct target to = { .ip = ip_of("192.0.2.1"), .port = 80 };
	struct endpoint from;
	struct packets *k;
	struct window w;
	struct stream *s;
	uint8_t p[16];
	size_t n;

	(void)state;
	bench_start_with(&spec, hosts, 2);
	s = outbound_dial(bench.o, &to, &bench.owner);
	assert_int_equal(stream_open(s), -ECONNREFUSED);
	assert_true(*stream_reason(s));
	stream_free(s);
	k = outbound_bind(bench.o, &to, &bench.owner);
	assert_int_equal(packets_open(k), STREAM_OK);
	assert_int_equal(packets_send(k, &to, p, 1), STREAM_OK);
	assert_int_equal(packets_recv(k, &from, p, sizeof(p), &n), STREAM_AGAIN);
	packets_free(k);
	bench_end();

	spec.u.blackhole.http = true;
	bench_start_with(&spec, hosts, 2);
	s = outbound_dial(bench.o, &to, &bench.owner);
	assert_int_equal(stream_open(s), STREAM_OK);
	assert_int_equal(stream_send_buf(s, &w), STREAM_OK);
	assert_int_equal(stream_send_ack(s, w.len), STREAM_OK);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_OK);
	assert_memory_equal(w.p, "HTTP/1.1 403 ", 13);
	stream_recv_ack(s, 10);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_OK);
	assert_memory_equal(w.p, "03 ", 2);
	stream_recv_ack(s, w.len);
	assert_int_equal(stream_recv_buf(s, &w), STREAM_END);
	assert_int_equal(stream_shut(s), STREAM_OK);
	stream_free(s);
	bench_end();
}

static const struct vmess_user_spec somebody = { .security = VMESS_AES128_GCM };

static const struct {
	const char *label, *tag, *address;
	uint16_t port;
	const char *says;
} bad[] = {
	{ "no address", "", "", 1, "outbounds[3]: settings.address" },
	{ "port 0", "", "a.example", 0, "outbounds[3]: settings.port: 0 is not a port" },
	{ "long tag", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"a.example", 1, "outbounds[3].tag" },
};

static void
test_bad_specs(void **state)
{
	struct outbound_env env = { .unix_time = sys_unix_time };
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct vmess_server_spec server = { .address = bad[i].address,
			.port = bad[i].port,
			.user = &somebody,
			.nuser = 1 };
		struct outbound_spec spec = { .tag = bad[i].tag,
			.path = "config.json: outbounds[3]",
			.kind = OUTBOUND_VMESS,
			.u.vmess = { &server, 1 } };

		assert_null(outbound_new(&spec, &env, &e));
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s: %s", bad[i].label, e.text);
	}
}

/* VMess is up when its transport is; where that does not come up, it says why. */
static void
test_vmess_dials(void **state)
{
	struct vmess_server_spec server = {
		.address = "Late.Test", .user = &somebody, .nuser = 1
	};
	const struct outbound_spec spec = { .kind = OUTBOUND_VMESS,
		.u.vmess = { &server, 1 } };
	const struct target to = { .name = "www.example.com", .port = 443 };
	struct stream *s;
	int fd;

	(void)state;
	fd = listen_at("127.0.0.1", &server.port);
	bench_start_with(&spec, hosts, 2);
	assert_false(bench.o->ops->truthful || bench.o->ops->direct);
	assert_true(bench.o->ops->per_target);
	s = outbound_dial(bench.o, &to, &bench.owner);
	assert_int_equal(open_fully(s), STREAM_OK);
	stream_free(s);
	close(fd);
	s = outbound_dial(bench.o, &to, &bench.owner);
	assert_int_equal(open_fully(s), -ECONNREFUSED);
	assert_non_null(strstr(stream_reason(s), "connection refused"));
	stream_free(s);
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freedom_dials),
		cmocka_unit_test(test_freedom_carries),
		cmocka_unit_test(test_freedom_binds),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_blackhole),
		cmocka_unit_test(test_bad_specs),
		cmocka_unit_test(test_vmess_dials),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
