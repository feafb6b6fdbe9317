/* SPDX-License-Identifier: MIT */
/* VMess datagrams against a server in memory. */
#include "unit/outbound/bench.h"

#include <errno.h>
#include <string.h>

static struct packets *
packets_start(const struct target *to)
{
	struct packets *k;

	memset(&call, 0, sizeof(call));
	memory_init(&call.m);
	server_init(&call.server, bench.id);
	k = vmess_packets_new(bench_vmess(), &call.m.s, to, &bench.owner);
	assert_non_null(k);
	assert_int_equal(packets_open(k), STREAM_OK);
	return k;
}

static void
test_datagrams(void **state)
{
	static uint8_t large[1967];
	const uint8_t ip[] = { 192, 0, 2, 53 };
	const struct target to = { .ip = ip_make(4, ip), .port = 53 };
	struct endpoint from;
	struct packets *k;
	uint8_t p[65536];
	size_t n;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	k = packets_start(&to);
	assert_int_equal(packets_send(k, &to, (const uint8_t *)"q1", 2), STREAM_OK);
	assert_int_equal(packets_send(k, &to, (const uint8_t *)"", 0), STREAM_OK);
	assert_int_equal(packets_send(k, &to, large, sizeof(large)), -EMSGSIZE);
	assert_int_equal(packets_send(k, &to, large, sizeof(large) - 1), STREAM_OK);
	call_hear();
	assert_int_equal(call.server.command, 2);
	assert_int_equal(call.server.chunks, 2);
	assert_int_equal(call.heard_len, 2 + sizeof(large) - 1);
	assert_false(call.server.ended);
	assert_int_equal(packets_recv(k, &from, p, sizeof(p), &n), STREAM_AGAIN);
	server_say(&call.server, (const uint8_t *)"a1", 2, feed, &call.m);
	server_say(&call.server, (const uint8_t *)"a number 2", 10, feed, &call.m);
	assert_int_equal(packets_recv(k, &from, p, sizeof(p), &n), STREAM_OK);
	assert_int_equal(n, 2);
	assert_memory_equal(p, "a1", 2);
	assert_int_equal(from.port, 53);
	assert_true(ip_equal(&from.ip, &to.ip));
	/* One that does not fit is dropped, not cut. */
	assert_int_equal(packets_recv(k, &from, p, 9, &n), STREAM_AGAIN);
	assert_int_equal(tcp_memory_blocks(bench.memory)->pool.out, 0);
	server_say(&call.server, NULL, 0, feed, &call.m);
	assert_int_equal(packets_recv(k, &from, p, sizeof(p), &n), -ECONNRESET);
	packets_free(k);
	memory_fini(&call.m);
	bench_end();
}

/* What the lower stream does not take at once is kept and goes on later. */
static void
test_datagrams_held(void **state)
{
	const struct target to = { .port = 53, .name = "dns.example" };
	static uint8_t large[1900];
	struct endpoint from;
	struct packets *k;
	uint8_t p[16];
	size_t n, i;
	int r;

	(void)state;
	bench_start(VMESS_NONE);
	k = packets_start(&to);
	call.m.full = true;
	for (i = 0; i < 100; i++) {
		r = packets_send(k, &to, large, sizeof(large));
		if (r == STREAM_AGAIN)
			break;
		assert_int_equal(r, STREAM_OK);
	}
	assert_int_equal(r, STREAM_AGAIN);
	assert_true(i > 10);
	call.m.full = false;
	assert_int_equal(packets_recv(k, &from, p, sizeof(p), &n), STREAM_AGAIN);
	call_hear();
	assert_int_equal(call.server.chunks, i);
	assert_int_equal(call.heard_len, i * sizeof(large));
	packets_free(k);
	memory_fini(&call.m);
	bench_end();
}

/* Who looked for answers before anything was sent looks again when something was. */
static void
test_first_is_kept_back(void **state)
{
	static uint8_t large[1967];
	const uint8_t ip[] = { 192, 0, 2, 53 };
	const struct target to = { .ip = ip_make(4, ip), .port = 53 };
	struct endpoint from;
	struct packets *k;
	uint8_t p[16];
	unsigned woken;
	size_t n;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	k = packets_start(&to);
	assert_int_equal(packets_send(k, &to, large, sizeof(large)), -EMSGSIZE);
	assert_int_equal(packets_recv(k, &from, p, sizeof(p), &n), STREAM_AGAIN);
	woken = bench.woken;
	assert_int_equal(packets_send(k, &to, large, 10), STREAM_OK);
	loop_turn(bench.loop, 0);
	assert_int_equal(bench.woken, woken + 1);
	assert_int_equal(packets_send(k, &to, large, 10), STREAM_OK);
	loop_turn(bench.loop, 0);
	assert_int_equal(bench.woken, woken + 1);
	assert_int_equal(packets_most(k), 1966);
	packets_free(k);
	memory_fini(&call.m);
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_datagrams_held),
		cmocka_unit_test(test_first_is_kept_back),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
