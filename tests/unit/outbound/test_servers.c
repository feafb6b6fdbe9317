/* SPDX-License-Identifier: MIT */
/* Which server a connection takes, and which address of it: on loopback. */
#include "unit/outbound/bench.h"

#include "base/list.h"
#include "base/log.h"
#include "platform/sock.h"
#include "platform/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Only 127.0.0.1 has a listener. 198.51.100.0/24 leads nowhere from here. */
static const struct ip both[] = { { 6, { [15] = 1 } }, { 4, { 127, 0, 0, 1 } } };
static const struct ip many[] = { { 4, { 127, 0, 0, 2 } }, { 4, { 127, 0, 0, 3 } },
	{ 4, { 127, 0, 0, 4 } }, { 4, { 127, 0, 0, 5 } }, { 4, { 127, 0, 0, 6 } },
	{ 4, { 127, 0, 0, 7 } }, { 4, { 127, 0, 0, 8 } }, { 4, { 127, 0, 0, 1 } } };
static const struct names_host hosts[] = { { .name = "both.test", .ip = both, .n = 2 },
	{ .name = "many.test", .ip = many, .n = 8 } };

static void
start(const struct vmess_server_spec *server, size_t nserver)
{
	const struct outbound_spec spec = { .tag = "proxy",
		.path = "outbounds[0]",
		.kind = OUTBOUND_VMESS,
		.policy.handshake = 3,
		.u.vmess = { server, nserver } };

	bench_start_with(&spec, hosts, 2);
}

static const struct vmess_user_spec users[] = { { .id = { 1 },
							.security = VMESS_AES128_GCM },
	{ .id = { 2 }, .security = VMESS_NONE } };

/* The server of a new connection, as its place in the list; -1: none could be reached. */
static int
server_taken(void)
{
	struct vmess *v = bench_vmess();
	struct stream *s = vmess_reach_new(v, &bench.owner);
	int taken = -1, r;

	assert_non_null(s);
	r = open_fully(s);
	if (r == STREAM_OK)
		taken = (int)(vmess_reached(v, s).server - v->server);
	else
		assert_true(*stream_reason(s) && stream_open(s) == r);
	stream_free(s);
	return taken;
}

static void
test_round_robin(void **state)
{
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port), i;
	const struct vmess_server_spec servers[] = { { "127.0.0.1", port, users, 1 },
		{ "127.0.0.1", port, users, 1 }, { "127.0.0.1", port, users, 1 } };

	(void)state;
	start(servers, 3);
	for (i = 0; i < 7; i++)
		assert_int_equal(server_taken(), i % 3);
	close(fd);
	bench_end();
}

static void
test_users_by_chance(void **state)
{
	const struct vmess_server_spec server = { "127.0.0.1", 1, users, 2 };
	struct vmess_pick p;
	unsigned seen = 0;
	struct vmess *v;

	(void)state;
	start(&server, 1);
	v = bench_vmess();
	while (seen != 3) {
		assert_true(vmess_servers_pick(v, 0, &p));
		seen |= 1u << (p.user - v->server[0].user);
	}
	assert_false(vmess_servers_pick(v, 1, &p));
	bench_end();
}

/* The second one refuses: it is left for the next one, and then not asked again. */
static void
test_failover(void **state)
{
	uint16_t port = 0, none = 0;
	int fd = listen_at("127.0.0.1", &port), gone = listen_at("127.0.0.1", &none);
	const struct vmess_server_spec servers[] = { { "127.0.0.1", port, users, 1 },
		{ "127.0.0.1", none, users, 1 }, { "127.0.0.1", port, users, 1 } };
	struct vmess *v;
	uint64_t now;

	(void)state;
	close(gone);
	start(servers, 3);
	v = bench_vmess();
	now = loop_now(bench.loop);
	assert_int_equal(server_taken(), 0);
	assert_int_equal(server_taken(), 2);
	assert_int_equal(v->server[1].failures, 1);
	assert_true(v->server[1].resume >= now + 10000);
	assert_int_equal(server_taken(), 0);
	assert_int_equal(server_taken(), 2);
	assert_int_equal(v->server[1].failures, 1);

	/* Its time has come, and it is there again. */
	v->server[1].resume = 0;
	gone = listen_at("127.0.0.1", &none);
	assert_int_equal(server_taken(), 0);
	assert_int_equal(server_taken(), 1);
	assert_int_equal(v->server[1].failures, 0);
	close(gone);
	close(fd);
	bench_end();
}

/* A server whose name is a place-holder is built, and says why it cannot be reached. */
static void
test_dead_servers(void **state)
{
	static const char *const names[] = { "...", "<server>", "https://a.example",
		"a b\nc" };
	static const char *const shown[] = { "...", "<server>", "https://a.example",
		"a b?c" };
	struct vmess_server_spec server = { NULL, 443, users, 1 };
	char want[128];
	struct stream *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		server.address = names[i];
		start(&server, 1);
		s = vmess_reach_new(bench_vmess(), &bench.owner);
		assert_int_equal(open_fully(s), -EDESTADDRREQ);
		snprintf(want, sizeof(want),
			"%s is not an address, and no name that can be found", shown[i]);
		assert_string_equal(stream_reason(s), want);
		assert_string_equal(vmess_dead(bench.o), want);
		stream_free(s);
		bench_end();
	}
}

static void
test_dead_among_others(void **state)
{
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port);
	const struct vmess_server_spec servers[] = { { "...", port, users, 1 },
		{ "127.0.0.1", port, users, 1 } };

	(void)state;
	start(servers, 2);
	assert_int_equal(server_taken(), 1);
	assert_int_equal(bench_vmess()->server[0].failures, 1);
	assert_int_equal(server_taken(), 1);
	close(fd);
	bench_end();
}

/* No certificate can have the name that TLS shall ask for. */
static void
test_dead_by_certificate(void **state)
{
	const struct vmess_server_spec server = { "127.0.0.1", 443, users, 1 };
	const struct outbound_spec spec = { .tag = "proxy",
		.kind = OUTBOUND_VMESS,
		.u.vmess = {
			&server, 1, { .secured = true, .tls = { .name = "..." } } } };
	struct err e;

	(void)state;
	start(&server, 1);
	assert_null(vmess_dead(bench.o));
	outbound_drop(bench.o);
	bench.o = outbound_new(&spec,
		&(struct outbound_env){ .loop = bench.loop,
			.memory = bench.memory,
			.unix_time = sys_unix_time },
		&e);
	assert_non_null(bench.o);
	assert_string_equal(vmess_dead(bench.o),
		"serverName ... is not an address, and no name that a certificate can have");
	assert_int_equal(server_taken(), -1);
	bench_end();
}

/* None is left out for good: when all are away, all are tried. */
static void
test_all_away(void **state)
{
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port);
	const struct vmess_server_spec servers[] = { { "127.0.0.1", port, users, 1 },
		{ "nowhere.invalid.", port, users, 1 } };

	(void)state;
	close(fd);
	start(servers, 2);
	assert_int_equal(server_taken(), -1);
	assert_int_equal(server_taken(), -1);
	assert_int_equal(bench_vmess()->server[0].failures, 1);
	assert_int_equal(bench_vmess()->server[1].failures, 1);
	fd = listen_at("127.0.0.1", &port);
	assert_int_equal(server_taken(), 0);
	close(fd);
	bench_end();
}

static void
test_backoff_is_bounded(void **state)
{
	static const unsigned seconds[] = { 10, 20, 40, 80, 160, 300, 300 };
	const struct vmess_server_spec server = { "127.0.0.1", 1, users, 1 };
	struct vmess_server *s;
	size_t i;

	(void)state;
	start(&server, 1);
	s = bench_vmess()->server;
	for (i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		vmess_server_failed(bench_vmess(), s, "why");
		assert_int_equal(s->resume, loop_now(bench.loop) + seconds[i] * 1000);
		vmess_server_failed(bench_vmess(), s, "at the same time");
		assert_int_equal(s->failures, i + 1);
		s->resume = 0;
	}
	bench_end();
}

/* A full backlog: the kernel takes no connection there, and says nothing. */
static int
listen_deaf(const char *address, uint16_t *port, int *filler, size_t n)
{
	struct endpoint at = { .port = 0 };
	const struct sock_options options = { 0 };
	size_t i;
	int fd;

	assert_true(ip_parse(&at.ip, address));
	fd = sock_tcp_listen(&at, 0);
	assert_true(fd >= 0);
	assert_int_equal(sock_local(fd, &at), 0);
	*port = at.port;
	for (i = 0; i < n; i++)
		filler[i] = sock_tcp_connect(&at, &options);
	return fd;
}

/* The policy's handshake is over before the kernel's patience. */
static void
test_handshake_ends(void **state)
{
	int filler[4], fd;
	uint16_t port;
	struct vmess_server_spec server = { "127.0.0.1", 0, users, 1 };
	struct stream *s;
	uint64_t began;
	size_t i;

	(void)state;
	fd = listen_deaf("127.0.0.1", &port, filler, 4);
	server.port = port;
	start(&server, 1);
	bench.o->policy.handshake = 1;
	s = vmess_reach_new(bench_vmess(), &bench.owner);
	began = loop_now(bench.loop);
	assert_int_equal(open_fully(s), -ETIMEDOUT);
	assert_true(loop_now(bench.loop) - began < 5000);
	assert_non_null(strstr(stream_reason(s), "in time"));
	stream_free(s);
	bench_end();
	for (i = 0; i < 4; i++)
		close(filler[i]);
	close(fd);
}

/* An address that says nothing does not hold the next one up. */
static void
test_silence_is_passed(void **state)
{
	static const struct ip quiet[] = { { 4, { 127, 0, 0, 2 } },
		{ 4, { 127, 0, 0, 1 } } };
	const struct names_host host = { .name = "quiet.test", .ip = quiet, .n = 2 };
	const struct names_config config = { .host = &host, .nhost = 1 };
	struct vmess_server_spec server = { "quiet.test", 0, users, 1 };
	int filler[4], deaf, fd;
	uint16_t port = 0;
	size_t i;

	(void)state;
	deaf = listen_deaf("127.0.0.2", &port, filler, 4);
	fd = listen_at("127.0.0.1", &port);
	server.port = port;
	start(&server, 1);
	names_free(bench.names);
	bench.names = bench.o->env.names = names_new(bench.loop, &config);
	assert_int_equal(server_taken(), 0);
	bench_end();
	for (i = 0; i < 4; i++)
		close(filler[i]);
	close(deaf);
	close(fd);
}

/* IPv6 is first and silent, as where a network only pretends to have it: IPv4 gets its turn
 * long before anybody grows impatient, and is first from then on. */
static void
test_silent_ipv6_is_passed(void **state)
{
	struct vmess_server_spec server = { "both.test", 0, users, 1 };
	int filler[4], deaf, fd;
	uint64_t began, took;
	size_t i;

	(void)state;
	deaf = listen_deaf("::1", &server.port, filler, 4);
	fd = listen_at("127.0.0.1", &server.port);
	start(&server, 1);
	began = loop_now(bench.loop);
	assert_int_equal(server_taken(), 0);
	took = loop_now(bench.loop) - began;
	assert_in_range(took, 250, 2000);
	assert_int_equal(bench_vmess()->server[0].family.family, 4);
	bench_end();
	for (i = 0; i < 4; i++)
		close(filler[i]);
	close(deaf);
	close(fd);
}

static void
test_many_addresses(void **state)
{
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port);
	const struct vmess_server_spec server = { "many.test", port, users, 1 };

	(void)state;
	start(&server, 1);
	assert_int_equal(server_taken(), 0);
	/* All were of one family: nothing was learnt. */
	assert_int_equal(bench_vmess()->server[0].family.family, 0);
	close(fd);
	assert_int_equal(server_taken(), -1);
	bench_end();
}

/* The family that won is first for a while. */
static void
test_family_is_remembered(void **state)
{
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port);
	const struct vmess_server_spec server = { "both.test", port, users, 1 };
	struct vmess_server *s;
	uint64_t until;

	(void)state;
	start(&server, 1);
	s = bench_vmess()->server;
	assert_int_equal(server_taken(), 0);
	assert_int_equal(s->family.family, 4);
	until = s->family.until;
	assert_true(until > loop_now(bench.loop));
	/* It is not prolonged by itself: the other one gets its chance. */
	loop_turn(bench.loop, 2);
	assert_int_equal(server_taken(), 0);
	assert_int_equal(s->family.until, until);
	close(fd);
	bench_end();
}

static const struct {
	const char *label, *address, *said, *tls_name;
	bool secured;
	const char *want;
} asked[] = {
	{ "what is said", "a.example", "h.example:81", NULL, false, "h.example:81" },
	{ "the server's name", "a.example", NULL, NULL, false, "a.example" },
	{ "the server's address", "192.0.2.1", "", NULL, false, "192.0.2.1" },
	{ "an IPv6 address", "2001:db8::1", NULL, NULL, false, "[2001:db8::1]" },
	{ "the name that TLS has", "a.example", NULL, "s.example", true, "s.example" },
	{ "TLS without a name", "a.example", NULL, NULL, true, "a.example" },
};

/* Whom the request asks for. */
static void
test_hosts(void **state)
{
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		struct outbound_env env = { .loop = loop_new(),
			.unix_time = sys_unix_time,
			.tls = tls_stock_new("/dev/null", 1) };
		const struct vmess_server_spec servers[] = {
			{ asked[i].address, 1, users, 1 },
			{ asked[i].address, 2, users, 1 },
		};
		const struct outbound_spec spec = { .kind = OUTBOUND_VMESS,
			.u.vmess = { servers, 2,
				{ .kind = CARRIER_WEBSOCKET,
					.request = { .host = asked[i].said,
						.path = "/",
						.early_name = "" },
					.secured = asked[i].secured,
					.tls = { .name = asked[i].tls_name,
						.allow_insecure = true,
						.disable_system_root = true } } } };
		struct outbound *o = outbound_new(&spec, &env, &e);
		struct vmess *v;

		if (!o)
			fail_msg("%s: %s", asked[i].label, e.text);
		v = container_of(o, struct vmess, o);
		if (strcmp(v->server[1].carrier.request.host, asked[i].want) != 0)
			fail_msg("%s: %s", asked[i].label,
				v->server[1].carrier.request.host);
		/* One setup for all where nothing in it is the server's own. */
		assert_int_equal(v->server[0].carrier.tls == v->server[1].carrier.tls,
			!asked[i].secured || asked[i].tls_name);
		outbound_drop(o);
		tls_stock_drop(env.tls);
		loop_free(env.loop);
	}
}

static void
nobody_hears(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
}

/* What the server says: `arg` is its descriptor. */
static void
tell(void *arg, const uint8_t *p, size_t len)
{
	assert_int_equal(write(*(int *)arg, p, len), len);
}

static int
receive(struct stream *s, struct window *w)
{
	int r;

	while ((r = stream_recv_buf(s, w)) == STREAM_AGAIN)
		wait_woken();
	return r;
}

/* A server takes the request and answers it. */
static void
be_answered(struct stream *s, struct server *server, int far)
{
	uint8_t wire[2048];
	struct window w;
	size_t at = 0;
	ssize_t n;

	assert_int_equal(stream_send_buf(s, &w), STREAM_OK);
	*w.p = 'x';
	assert_int_equal(stream_send_ack(s, 1), STREAM_OK);
	assert_int_equal(stream_flush(s), STREAM_OK);
	n = read(far, wire, sizeof(wire));
	assert_true(n > 0);
	assert_int_equal(
		server_hear(server, wire, (size_t)n, &at, nobody_hears, NULL), 0);
	server_say(server, (const uint8_t *)"y", 1, tell, &far);
	assert_int_equal(receive(s, &w), STREAM_OK);
	assert_true(w.len == 1 && *w.p == 'y');
	stream_recv_ack(s, 1);
	stream_park(s);
}

/* Once the server has answered, nothing but the socket lies beneath, and goes on. */
static void
test_what_was_for_opening_goes(void **state)
{
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port), far;
	const struct vmess_server_spec spec = { "127.0.0.1", port, users, 1 };
	struct server server;
	struct budget *g;
	struct stream *s;
	struct window w;

	(void)state;
	start(&spec, 1);
	g = tcp_memory_budget(bench.memory);
	server_init(&server, users[0].id);
	s = outbound_dial(bench.o, &somewhere, &bench.owner);
	assert_int_equal(open_fully(s), STREAM_OK);
	assert_string_equal(s->lower->ops->name, "reach");
	assert_int_equal(g->used, VMESS_CONNECTION + VMESS_OPENING);
	far = sock_accept(fd, NULL);
	assert_true(far >= 0);
	be_answered(s, &server, far);
	assert_string_equal(s->lower->ops->name, "tcp");
	assert_int_equal(g->used, VMESS_CONNECTION);
	assert_int_equal(bench.o->count, 2);
	loop_turn(bench.loop, 0);
	server_say(&server, NULL, 0, tell, &far);
	assert_int_equal(receive(s, &w), STREAM_END);
	stream_free(s);
	assert_int_equal(g->used, 0);
	server_fini(&server);
	close(far);
	close(fd);
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_robin),
		cmocka_unit_test(test_users_by_chance),
		cmocka_unit_test(test_failover),
		cmocka_unit_test(test_dead_servers),
		cmocka_unit_test(test_dead_among_others),
		cmocka_unit_test(test_dead_by_certificate),
		cmocka_unit_test(test_all_away),
		cmocka_unit_test(test_backoff_is_bounded),
		cmocka_unit_test(test_handshake_ends),
		cmocka_unit_test(test_silence_is_passed),
		cmocka_unit_test(test_silent_ipv6_is_passed),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_family_is_remembered),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_what_was_for_opening_goes),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
