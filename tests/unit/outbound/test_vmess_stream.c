/* SPDX-License-Identifier: MIT */
/* The VMess stream against a server in memory. */
#include "unit/outbound/check.h"

#include "base/list.h"
#include "outbound/outbound.h"
#include "outbound/vmess.h"
#include "unit/outbound/server.h"
#include "unit/stream/anylayer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1700000000 };

/* One engine's worth of things around an outbound. */
struct bench {
	struct loop *loop;
	struct tcp_memory *memory;
	struct outbound *o;
	struct task owner;
	uint8_t id[16];
	unsigned woken;
};

static struct bench bench;

static int64_t
fixed_time(void)
{
	return NOW;
}

static void
woken(struct task *t)
{
	container_of(t, struct bench, owner)->woken++;
}

static void
bench_start(enum vmess_security security)
{
	struct outbound_spec spec = { .tag = "proxy",
		.path = "outbounds[0]",
		.kind = OUTBOUND_VMESS,
		.u.vmess = {
			.address = "192.0.2.1", .port = 443, .security = security } };
	struct outbound_env env = { .unix_time = fixed_time };
	struct err e;

	memset(&bench, 0, sizeof(bench));
	bench.loop = env.loop = loop_new();
	bench.memory = env.memory = tcp_memory_new();
	assert_non_null(env.loop);
	assert_non_null(env.memory);
	assert_int_equal(
		vmess_id_parse(bench.id, "b831381d-6324-4d53-ad4f-8cda48b30811", &e), 0);
	memcpy(spec.u.vmess.id, bench.id, 16);
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
	loop_free(bench.loop);
	assert_int_equal(tcp_memory_blocks(bench.memory)->pool.out, 0);
	assert_int_equal(tcp_memory_large(bench.memory)->pool.out, 0);
	tcp_memory_free(bench.memory);
}

static struct vmess *
bench_vmess(void)
{
	return container_of(bench.o, struct vmess, o);
}

static const struct target somewhere = { .port = 443, .name = "www.example.com" };

/* The any-layer suite. */

struct layer {
	struct anylayer a;
	struct server server;
};

static struct stream *
layer_make(struct anylayer *a, struct memory *m)
{
	struct layer *l = container_of(a, struct layer, a);
	size_t chunk_max = l->server.chunk_max;

	server_init(&l->server, bench.id);
	l->server.chunk_max = chunk_max;
	return vmess_stream_new(bench_vmess(), &m->s, &somewhere, &bench.owner);
}

static void
layer_heard(void *arg, const uint8_t *p, size_t len)
{
	anylayer_heard(arg, p, len);
}

static int
layer_hear(struct anylayer *a, const uint8_t *wire, size_t len, size_t *at)
{
	struct server *s = &container_of(a, struct layer, a)->server;
	int r = server_hear(s, wire, len, at, layer_heard, a);

	a->heard_end = s->ended;
	return r < 0 || *at != len ? -1 : 0;
}

static void
feed(void *arg, const uint8_t *p, size_t len)
{
	memory_feed(arg, p, len);
}

static void
layer_say(struct anylayer *a, struct memory *m, const uint8_t *p, size_t len)
{
	server_say(&container_of(a, struct layer, a)->server, p, len, feed, m);
}

static void
layer_say_end(struct anylayer *a, struct memory *m)
{
	server_say(&container_of(a, struct layer, a)->server, NULL, 0, feed, m);
}

/* Frees what was deferred. */
static void
layer_unmake(struct anylayer *a)
{
	(void)a;
	loop_turn(bench.loop, 0);
}

static void
any_layer(enum vmess_security security, size_t chunk_max)
{
	struct layer l = { .a = { .name = "vmess",
				   .make = layer_make,
				   .hear = layer_hear,
				   .say = layer_say,
				   .say_end = layer_say_end,
				   .unmake = layer_unmake,
				   .authentic = security != VMESS_NONE,
				   .marks_end = true } };

	bench_start(security);
	l.server.chunk_max = chunk_max;
	anylayer_all(&l.a);
	bench_end();
}

static void
test_any_layer_gcm(void **state)
{
	(void)state;
	any_layer(VMESS_AES128_GCM, 2000);
}

static void
test_any_layer_chacha(void **state)
{
	(void)state;
	any_layer(VMESS_CHACHA20_POLY1305, 15000);
}

static void
test_any_layer_none(void **state)
{
	(void)state;
	any_layer(VMESS_NONE, 8192);
}

/* The largest chunk that the length field can say. */
static void
test_any_layer_large(void **state)
{
	(void)state;
	any_layer(VMESS_AES128_GCM, 65535 - 16 - 63);
}

/* Single cases. */

struct call {
	struct memory m;
	struct server server;
	struct stream *s;
	size_t at;
	uint8_t heard[100000];
	size_t heard_len;
};

static struct call call;

static void
call_heard(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	assert_true(call.heard_len + len <= sizeof(call.heard));
	memcpy(call.heard + call.heard_len, p, len);
	call.heard_len += len;
}

static void
call_start_to(const struct target *to)
{
	memset(&call, 0, sizeof(call));
	memory_init(&call.m);
	server_init(&call.server, bench.id);
	call.s = vmess_stream_new(bench_vmess(), &call.m.s, to, &bench.owner);
	assert_non_null(call.s);
}

static void
call_start(void)
{
	call_start_to(&somewhere);
	assert_int_equal(stream_open(call.s), STREAM_OK);
}

static void
call_end(void)
{
	stream_free(call.s);
	assert_true(call.m.freed);
	memory_fini(&call.m);
	loop_turn(bench.loop, 0);
}

static void
call_hear(void)
{
	assert_int_equal(server_hear(&call.server, call.m.out, call.m.out_len, &call.at,
				 call_heard, NULL),
		0);
}

static void
call_send(const char *text)
{
	struct window w;

	assert_int_equal(stream_send_buf(call.s, &w), STREAM_OK);
	assert_true(w.len >= strlen(text));
	memcpy(w.p, text, strlen(text));
	assert_int_equal(stream_send_ack(call.s, strlen(text)), STREAM_OK);
}

/* Waits until the owner is made ready. */
static void
wait_woken(void)
{
	unsigned before = bench.woken;

	while (bench.woken == before)
		loop_turn(bench.loop, -1);
}

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

	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	assert_int_equal(stream_recv_buf(call.s, &w), STREAM_AGAIN);
	assert_int_equal(call.m.out_len, 0);
	wait_woken();
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

static void
test_free_without_shut_aborts(void **state)
{
	(void)state;
	bench_start(VMESS_AES128_GCM);
	call_start();
	call_send("x");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
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
			call_send("x");
			assert_int_equal(stream_flush(call.s), STREAM_OK);
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
	call_send("x");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	call_hear();
	if (strcmp(answer, "header") == 0)
		server_answer(&call.server, feed, &call.m);
	else if (*answer)
		server_say(&call.server, (const uint8_t *)answer, strlen(answer), feed,
			&call.m);
	call.m.in_ends = true;
	while ((r = stream_recv_buf(call.s, &w)) == STREAM_OK)
		stream_recv_ack(call.s, w.len);
	assert_int_equal(r, want);
	assert_int_equal(bench_vmess()->unanswered, unanswered);
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
	bench_vmess()->marks = true;
	ending("hello", -ECONNRESET, 0);
	bench_end();
}

/* A log descriptor of the test's own. */
static size_t
logged(char *text, size_t cap, void (*what)(void))
{
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	log_open(fileno(f), LOG_WARNING, NULL);
	what();
	log_open(2, LOG_NONE, NULL);
	rewind(f);
	n = fread(text, 1, cap - 1, f);
	text[n] = '\0';
	fclose(f);
	return n;
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
		call_send("x");
		assert_int_equal(stream_flush(call.s), STREAM_OK);
		memory_feed(&call.m, (const uint8_t *)text, sizeof(text) - 1);
		assert_int_equal(stream_recv_buf(call.s, &w), -EBADMSG);
		assert_int_equal(bench_vmess()->unanswered, 0);
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
	bench_vmess()->unanswered = 0;
	logged(text, sizeof(text), many_silent_ends);
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "wrong id"));
	assert_non_null(strstr(text, "2023-11-14 22:13:20 UTC"));
	assert_non_null(strstr(text, "proxy, 192.0.2.1:443"));
	bench_vmess()->unanswered = 0;
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
	call_send("x");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
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
	call_send("x");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
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

/* Datagrams. */

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
	call.m.stutters = true;
	call.m.grain = 500;
	for (i = 0; i < 100; i++) {
		r = packets_send(k, &to, large, sizeof(large));
		if (r == STREAM_AGAIN)
			break;
		assert_int_equal(r, STREAM_OK);
		call.m.stutters = true;
		call.m.odd = false;
	}
	assert_int_equal(r, STREAM_AGAIN);
	call.m.stutters = false;
	call.m.grain = 0;
	assert_int_equal(packets_recv(k, &from, p, sizeof(p), &n), STREAM_AGAIN);
	call_hear();
	assert_int_equal(call.server.chunks, i);
	assert_int_equal(call.heard_len, i * sizeof(large));
	packets_free(k);
	memory_fini(&call.m);
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_leaves_with_payload),
		cmocka_unit_test(test_header_goes_alone),
		cmocka_unit_test(test_shut_without_payload),
		cmocka_unit_test(test_free_without_shut_aborts),
		cmocka_unit_test(test_memory_goes_back),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_plain_lines),
		cmocka_unit_test(test_wrong_tag),
		cmocka_unit_test(test_blocks_run_out),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_datagrams_held),
		cmocka_unit_test(test_any_layer_gcm),
		cmocka_unit_test(test_any_layer_chacha),
		cmocka_unit_test(test_any_layer_none),
		cmocka_unit_test(test_any_layer_large),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
