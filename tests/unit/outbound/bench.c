/* SPDX-License-Identifier: MIT */
#include "unit/outbound/bench.h"

#include "base/list.h"
#include "base/log.h"
#include "platform/sock.h"
#include "platform/sys.h"

#include <stdio.h>
#include <string.h>

struct bench bench;
struct call call;

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

/* What env lacks is filled in. */
static void
start(const struct outbound_spec *spec, struct outbound_env *env)
{
	struct err e;

	bench.loop = env->loop;
	bench.names = env->names;
	bench.memory = env->memory = tcp_memory_new();
	assert_true(env->loop && env->memory);
	bench.o = outbound_new(spec, env, &e);
	if (!bench.o)
		fail_msg("%s", e.text);
	task_init(&bench.owner, woken);
}

void
bench_start_with(
	const struct outbound_spec *spec, const struct names_host *host, size_t n)
{
	const struct names_config config = { .host = host, .nhost = n };
	struct outbound_env env = { .loop = loop_new(), .unix_time = sys_unix_time };

	memset(&bench, 0, sizeof(bench));
	env.names = names_new(env.loop, &config);
	assert_non_null(env.names);
	start(spec, &env);
}

void
bench_start_as(const struct vmess_user_spec *as)
{
	struct vmess_user_spec user = *as;
	const struct vmess_server_spec server = {
		.address = "192.0.2.1", .port = 443, .user = &user, .nuser = 1
	};
	struct outbound_spec spec = { .tag = "proxy",
		.path = "outbounds[0]",
		.kind = OUTBOUND_VMESS,
		.u.vmess = { &server, 1 } };
	struct outbound_env env = { .loop = loop_new(), .unix_time = fixed_time };
	struct err e;

	memset(&bench, 0, sizeof(bench));
	assert_int_equal(
		vmess_id_parse(bench.id, "b831381d-6324-4d53-ad4f-8cda48b30811", &e), 0);
	memcpy(user.id, bench.id, 16);
	start(&spec, &env);
}

void
bench_start(enum vmess_security security)
{
	const struct vmess_user_spec user = { .security = security };

	bench_start_as(&user);
}

void
bench_end(void)
{
	assert_int_equal(bench.o->count, 1);
	outbound_drop(bench.o);
	names_free(bench.names);
	task_fini(&bench.owner);
	loop_free(bench.loop);
	assert_int_equal(tcp_memory_blocks(bench.memory)->pool.out, 0);
	assert_int_equal(tcp_memory_large(bench.memory)->pool.out, 0);
	tcp_memory_free(bench.memory);
}

struct vmess *
bench_vmess(void)
{
	return container_of(bench.o, struct vmess, o);
}

const struct target somewhere = { .port = 443, .name = "www.example.com" };

void
feed(void *arg, const uint8_t *p, size_t len)
{
	memory_feed(arg, p, len);
}

static void
call_heard(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	assert_true(call.heard_len + len <= sizeof(call.heard));
	memcpy(call.heard + call.heard_len, p, len);
	call.heard_len += len;
}

void
call_start_to(const struct target *to)
{
	memset(&call, 0, sizeof(call));
	memory_init(&call.m);
	server_init(&call.server, bench.id);
	call.s = vmess_stream_new(bench_vmess(), &call.m.s, to, &bench.owner);
	assert_non_null(call.s);
}

void
call_start(void)
{
	call_start_to(&somewhere);
	assert_int_equal(stream_open(call.s), STREAM_OK);
}

void
call_end(void)
{
	stream_free(call.s);
	assert_true(call.m.freed);
	memory_fini(&call.m);
	loop_turn(bench.loop, 0);
}

void
call_hear(void)
{
	assert_int_equal(server_hear(&call.server, call.m.out, call.m.out_len, &call.at,
				 call_heard, NULL),
		0);
}

void
call_send(const char *text)
{
	struct window w;

	assert_int_equal(stream_send_buf(call.s, &w), STREAM_OK);
	assert_true(w.len >= strlen(text));
	memcpy(w.p, text, strlen(text));
	assert_int_equal(stream_send_ack(call.s, strlen(text)), STREAM_OK);
}

void
call_ask(void)
{
	call_send("x");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
}

void
wait_woken(void)
{
	unsigned before = bench.woken;

	while (bench.woken == before)
		loop_turn(bench.loop, -1);
}

int
open_fully(struct stream *s)
{
	int r;

	while ((r = stream_open(s)) == STREAM_AGAIN)
		wait_woken();
	return r;
}

int
listen_at(const char *address, uint16_t *port)
{
	struct endpoint at = { .port = *port };
	int fd;

	assert_true(ip_parse(&at.ip, address));
	fd = sock_tcp_listen(&at, 64);
	assert_true(fd >= 0);
	assert_int_equal(sock_local(fd, &at), 0);
	*port = at.port;
	return fd;
}

size_t
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
