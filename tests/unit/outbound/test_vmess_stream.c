/* SPDX-License-Identifier: MIT */
/* The VMess stream, case by case, against a server in memory. */
#include "unit/outbound/bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
test_header_leaves_with_payload(void **state)
{
	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	assert_int_equal(call.m.out_len, 0);
	call_send("one ");
	call_send("chunk");
	assert_int_equal(call.m.out_len, 0);
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	call_hear();
	assert_int_equal(call.server.chunks, 1);
	assert_int_equal(call.heard_len, 9);
	assert_memory_equal(call.heard, "one chunk", 9);
	assert_int_equal(call.server.time, NOW);
	assert_int_equal(call.server.options, 0x0d);
	assert_int_equal(call.server.command, 1);
	assert_int_equal(call.server.port, 443);
	assert_string_equal((char *)call.server.address, "www.example.com");
	call_end();
	bench_end();
}

static void
test_header_goes_alone(void **state)
{
	struct window w;
	uint64_t began;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	began = loop_now(bench.loop);
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	assert_int_equal(call.m.out_len, 0);
	wait_woken();
	assert_true(loop_now(bench.loop) - began >= 10);
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	assert_true(call.m.out_len > 0);
	call_hear();
	assert_true(call.server.greeted);
	assert_int_equal(call.at, call.m.out_len);
	assert_false(call.server.ended);
	server_say(&call.server, (const uint8_t *)"220", 3, feed, &call.m);
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_OK);
	assert_int_equal(w.len, 3);
	call_end();
	bench_end();
}

/* Who asked for bytes before the header went is called to ask again when it goes: nothing
 * beneath was armed for reading before. */
static void
test_asked_before_the_header(void **state)
{
	struct window w;
	unsigned before;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	before = bench.woken;
	call_send("x");
	loop_turn(bench.loop, 0);
	assert_int_equal(bench.woken, before + 1);
	call_end();
	bench_end();
}

static void
test_shut_without_payload(void **state)
{
	(void)state;
	bench_start(VMESS_NONE);
	call_start();
	assert_int_equal(stream_shut(call.s), STREAM_OK);
	call_hear();
	assert_true(call.server.ended);
	assert_int_equal(call.server.options, 0x05);
	assert_int_equal(call.server.security, 5);
	assert_false(call.m.shut);
	call_end();
	/* Everything was said: closed, not reset. */
	assert_true(call.m.shut);
	bench_end();
}

/* Full to the last byte, and the end mark still finds its place behind everything. */
static void
test_shut_when_full(void **state)
{
	struct window w;
	size_t sent = 0;
	int r;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	call.m.full = true;
	while ((r = stream_send_buf(call.s, &w)) == STREAM_OK) {
		/* A short first chunk, so that the last one is cut by the block's end. */
		if (sent == 0)
			w.len = 10000;
		memset(w.p, 'x', w.len);
		sent += w.len;
		assert_int_equal(stream_send_ack(call.s, w.len), STREAM_OK);
		assert_true(stream_flush(call.s) == STREAM_AGAIN);
	}
	assert_int_equal(r, STREAM_AGAIN);
	assert_int_equal(stream_shut(call.s), STREAM_AGAIN);
	stream_park(call.s);
	call.m.full = false;
	assert_int_equal(stream_shut(call.s), STREAM_OK);
	assert_int_equal(stream_send_buf(call.s, &w), -EPIPE);
	call_hear();
	assert_int_equal(call.heard_len, sent);
	assert_true(call.server.ended);
	call_end();
	bench_end();
}

static void
test_free_without_shut_aborts(void **state)
{
	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	call_ask();
	call_end();
	assert_false(call.m.shut);
	bench_end();
}

static void
test_memory_goes_back(void **state)
{
	struct window w;
	struct pool *p;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	p = &tcp_memory_blocks(bench.memory)->pool;
	call_start();
	call_send("x");
	stream_park(call.s);
	assert_int_equal(p->out, 1); /* x is held */
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	stream_park(call.s);
	assert_int_equal(p->out, 0);
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	stream_park(call.s);
	assert_int_equal(p->out, 0);
	call_end();
	bench_end();
}

static const struct {
	const char *label, *name, *address;
	int type; /* what the server sees; 0: refused */
} targets[] = {
	{ "name", "a.example", NULL, 2 },
	{ "IPv4", NULL, "192.0.2.7", 1 },
	{ "IPv6", NULL, "2001:db8::7", 3 },
	{ "both: the name", "a.example", "192.0.2.7", 2 },
	{ "a name that cannot be sent, and an address", "\xc3\xbc.example", "192.0.2.7",
		1 },
	{ "a name that cannot be sent", "\xc3\xbc.example", NULL, 0 },
};

static void
test_targets(void **state)
{
	size_t i;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	for (i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		struct target to = { .port = 80, .name = targets[i].name };

		if (targets[i].address)
			assert_true(ip_parse(&to.ip, targets[i].address));
		call_start_to(&to);
		if (targets[i].type == 0) {
			assert_int_equal(stream_open(call.s), -EINVAL);
			assert_non_null(strstr(stream_reason(call.s), "punycode"));
		} else {
			assert_int_equal(stream_open(call.s), STREAM_OK);
			call_ask();
			call_hear();
			assert_int_equal(call.server.type, targets[i].type);
		}
		call_end();
	}
	bench_end();
}

/* What the end of the lower stream means after the request went out. */
static void
ending(const char *answer, int want, unsigned unanswered)
{
	struct window w;
	int r;

	call_start();
	call_ask();
	call_hear();
	if (strcmp(answer, "header") == 0)
		server_answer(&call.server, feed, &call.m);
	else if (*answer)
		server_say(&call.server, (const uint8_t *)answer, strlen(answer), feed,
			&call.m);
	if (want == -EPROTO)
		memory_feed(&call.m, (const uint8_t *)"", 1);
	call.m.in_ends = true;
	while ((r = stream_recv_buf(call.s, &w)) == STREAM_OK)
		stream_recv_ack(call.s, w.len);
	assert_int_equal(r, want);
	assert_int_equal(bench_vmess()->server[0].unanswered, unanswered);
	call_end();
}

static void
test_endings(void **state)
{
	(void)state;
	bench_start(VMESS_AES128_GCM);
	ending("", -ECONNRESET, 1);
	ending("", -ECONNRESET, 2);
	ending("header", -ECONNRESET, 0);
	ending("", -ECONNRESET, 1);
	/* This server was not seen to send end marks: its close is an end. */
	ending("hello", STREAM_END, 0);
	ending("hello", -EPROTO, 0); /* in the middle of a length */
	bench_vmess()->server[0].marks = true;
	ending("hello", -ECONNRESET, 0);
	bench_end();
}

static void
many_silent_ends(void)
{
	unsigned i;

	for (i = 1; i < 10; i++)
		ending("", -ECONNRESET, i);
}

static void
one_silent_end(void)
{
	ending("", -ECONNRESET, 1);
}

static void
garbage(void)
{
	static const char text[] =
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	struct window w;
	int i;

	for (i = 0; i < 3; i++) {
		call_start();
		call_ask();
		memory_feed(&call.m, (const uint8_t *)text, sizeof(text) - 1);
		assert_int_equal(stream_recv_buf(call.s, &w), -EBADMSG);
		assert_int_equal(bench_vmess()->server[0].unanswered, 0);
		call_end();
	}
}

static size_t
lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void
test_plain_lines(void **state)
{
	char text[4096];

	(void)state;
	bench_start(VMESS_AES128_GCM);
	assert_int_equal(logged(text, sizeof(text), one_silent_end), 0);
	bench_vmess()->server[0].unanswered = 0;
	logged(text, sizeof(text), many_silent_ends);
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "wrong id"));
	assert_non_null(strstr(text, "2023-11-14 22:13:20 UTC"));
	assert_non_null(strstr(text, "proxy, 192.0.2.1:443"));
	bench_vmess()->server[0].unanswered = 0;
	logged(text, sizeof(text), garbage);
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "not VMess with this id"));
	bench_end();
}

static void
test_wrong_tag(void **state)
{
	struct window w;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	call_ask();
	call_hear();
	call.server.tag++;
	server_say(&call.server, (const uint8_t *)"hello", 5, feed, &call.m);
	assert_int_equal(stream_recv_buf(call.s, &w), -EBADMSG);
	assert_int_equal(stream_recv_buf(call.s, &w), -EBADMSG);
	call_end();
	bench_end();
}

/* At the maximum of blocks a stream waits, and is made ready when one comes home. */
static void
test_blocks_run_out(void **state)
{
	struct window w;
	struct pool *p;
	size_t max;

	(void)state;
	bench_start(VMESS_AES128_GCM);
	p = &tcp_memory_blocks(bench.memory)->pool;
	max = p->max;
	p->max = 1;
	call_start();
	call_ask();
	assert_int_equal(p->out, 1);
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	stream_park(call.s);
	assert_int_equal(p->out, 0);
	wait_woken();
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	p->max = max;
	call_end();
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_leaves_with_payload),
		cmocka_unit_test(test_header_goes_alone),
		cmocka_unit_test(test_asked_before_the_header),
		cmocka_unit_test(test_shut_without_payload),
		cmocka_unit_test(test_shut_when_full),
		cmocka_unit_test(test_free_without_shut_aborts),
		cmocka_unit_test(test_memory_goes_back),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_plain_lines),
		cmocka_unit_test(test_wrong_tag),
		cmocka_unit_test(test_blocks_run_out),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
