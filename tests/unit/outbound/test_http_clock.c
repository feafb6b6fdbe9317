/* SPDX-License-Identifier: MIT */
/* What a WebSocket server's errors tell of the clock: on loopback. */
#include "unit/outbound/check.h"

#include "base/log.h"
#include "outbound/http_clock.h"
#include "outbound/times.h"
#include "outbound/vmess.h"
#include "platform/sock.h"

#include <poll.h>
#include <string.h>
#include <sys/uio.h>

/* 1994-11-06 08:49:37 UTC is ten minutes before this clock. */
enum { NOW = 784111777 + 600 };

static struct bench {
	struct loop *loop;
	struct tcp_memory *memory;
	struct outbound *o;
	struct task owner;
	int fd;
	char asked[2048];
} bench;

static int64_t
fixed_time(void)
{
	return NOW;
}

static void
woken(struct task *t)
{
	(void)t;
}

static struct vmess_server *
the_server(void)
{
	return container_of(bench.o, struct vmess, o)->server;
}

static void
bench_start(void)
{
	static const struct vmess_user_spec user = { .security = VMESS_NONE };
	struct endpoint at = { .ip = { 4, { 127, 0, 0, 1 } } };
	struct vmess_server_spec server = { "127.0.0.1", 0, &user, 1 };
	struct outbound_spec spec = { .kind = OUTBOUND_VMESS,
		.u.vmess = { &server, 1,
			{ .kind = CARRIER_WEBSOCKET,
				.request = { .path = "/ws?ed=9",
					.early_name = "",
					.early_max = 9 } } } };
	struct outbound_env env = { .unix_time = fixed_time };
	struct err e;

	memset(&bench, 0, sizeof(bench));
	bench.fd = sock_tcp_listen(&at, 4);
	assert_true(bench.fd >= 0);
	assert_int_equal(sock_local(bench.fd, &at), 0);
	server.port = at.port;
	bench.loop = env.loop = loop_new();
	bench.memory = env.memory = tcp_memory_new();
	assert_true(env.loop && env.memory);
	bench.o = outbound_new(&spec, &env, &e);
	assert_non_null(bench.o);
	task_init(&bench.owner, woken);
}

static void
bench_end(void)
{
	assert_int_equal(bench.o->count, 1);
	outbound_drop(bench.o);
	task_fini(&bench.owner);
	loop_turn(bench.loop, 0);
	loop_free(bench.loop);
	tcp_memory_free(bench.memory);
	sock_close(bench.fd);
}

/* Turns the loop until there is something to read. */
static void
until_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, 0) == 0)
		loop_turn(bench.loop, 1);
}

/* Takes a request, and answers with this; the connection, which is then closed by the
 * caller. */
static int
serve(const char *answer)
{
	struct iovec v = { (char *)(uintptr_t)answer, strlen(answer) };
	struct endpoint from;
	ssize_t n;
	int fd;

	until_readable(bench.fd);
	fd = sock_accept(bench.fd, &from);
	assert_true(fd >= 0);
	until_readable(fd);
	n = sock_read(fd, bench.asked, sizeof(bench.asked) - 1);
	assert_true(n > 0);
	bench.asked[n] = '\0';
	assert_int_equal(sock_writev(fd, &v, 1), v.iov_len);
	return fd;
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static void
ask(struct http_clock *h)
{
	struct vmess *v = container_of(bench.o, struct vmess, o);
	const struct http_clock_server s = { .o = bench.o,
		.carrier = &the_server()->carrier,
		.way = { .to = the_server()->at, .sock = &v->sock },
		.to = &the_server()->clock.http };

	http_clock_ask(h, &s);
	assert_true(http_clock_busy(h));
}

/* A request that is refused has no early data, and no key. */
static void
test_asked(void **state)
{
	static const struct {
		const char *answer;
		bool told;
	} cases[] = {
		{ "HTTP/1.1 400 Bad Request\r\n" DATE "\r\n", true },
		{ "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" DATE
		  "\r\n",
			true },
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", false },
		{ "HTTP/1.1 400 Bad Request\r\nDate: today\r\n\r\n", false },
		{ "no HTTP at all\r\n", false },
	};
	struct http_clock h;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bench_start();
		http_clock_init(&h, bench.loop);
		ask(&h);
		fd = serve(cases[i].answer);
		while (http_clock_busy(&h))
			loop_turn(bench.loop, -1);
		assert_int_equal(
			strncmp(bench.asked, "GET /ws?ed=9 HTTP/1.1\r\n", 23), 0);
		assert_null(strstr(bench.asked, "Sec-WebSocket-Key"));
		assert_int_equal(the_server()->clock.http.told, cases[i].told);
		if (cases[i].told)
			assert_int_equal(the_server()->clock.http.ahead, 600);
		sock_close(fd);
		http_clock_fini(&h);
		bench_end();
	}
}

/* One that says nothing is hung up on, here by the engine's end. */
static void
test_ended(void **state)
{
	struct http_clock h;
	int fd;

	(void)state;
	bench_start();
	http_clock_init(&h, bench.loop);
	ask(&h);
	fd = serve("");
	http_clock_fini(&h);
	assert_false(http_clock_busy(&h));
	sock_close(fd);
	bench_end();
}

/* A refusal of the connection itself, which has no early data to wait for. */
static void
test_refused(void **state)
{
	static char text[] = "HTTP/1.1 404 Not Found\r\n" DATE "\r\n";
	const struct iovec refusal = { text, sizeof(text) - 1 };
	struct endpoint from;
	struct vmess *v;
	struct stream *s;
	int fd, r;

	(void)state;
	bench_start();
	v = container_of(bench.o, struct vmess, o);
	the_server()->carrier.request.early_max = 0;
	s = vmess_reach_new(v, &bench.owner);
	assert_non_null(s);
	/* The request goes once the connection is up, which the server sees first. */
	assert_int_equal(stream_open(s), STREAM_AGAIN);
	until_readable(bench.fd);
	fd = sock_accept(bench.fd, &from);
	assert_true(fd >= 0);
	assert_int_equal(sock_writev(fd, &refusal, 1), refusal.iov_len);
	while ((r = stream_open(s)) == STREAM_AGAIN)
		loop_turn(bench.loop, -1);
	assert_true(r < 0);
	assert_true(the_server()->clock.http.told);
	assert_int_equal(the_server()->clock.http.ahead, 600);
	stream_free(s);
	sock_close(fd);
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_refused),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
