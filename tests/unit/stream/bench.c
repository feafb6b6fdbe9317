/* SPDX-License-Identifier: MIT */
#include "unit/stream/bench.h"

#include "base/list.h"
#include "platform/sock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void
woken(struct task *t)
{
	container_of(t, struct bench, owner)->woken++;
}

void
bench_start(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->loop = loop_new();
	b->memory = tcp_memory_new();
	b->far = -1;
	assert_non_null(b->loop);
	assert_non_null(b->memory);
	task_init(&b->owner, woken);
}

void
bench_end(struct bench *b)
{
	stream_free(b->s);
	if (b->far >= 0)
		close(b->far);
	task_fini(&b->owner);
	loop_free(b->loop);
	assert_int_equal(tcp_memory_blocks(b->memory)->pool.out, 0);
	tcp_memory_free(b->memory);
}

void
wait_woken(struct bench *b)
{
	unsigned before = b->woken;

	while (b->woken == before)
		loop_turn(b->loop, -1);
}

struct endpoint
loopback(int family, uint16_t port)
{
	const uint8_t v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };
	struct endpoint e = { .ip = ip_make(family, family == 4 ? v4 : v6),
		.port = port };

	return e;
}

int
open_fully(struct bench *b)
{
	int r;

	while ((r = stream_open(b->s)) == STREAM_AGAIN)
		wait_woken(b);
	return r;
}

void
bench_connected(struct bench *b)
{
	struct endpoint at = loopback(4, 0), from;
	int listener;

	bench_start(b);
	listener = sock_tcp_listen(&at, 1);
	assert_true(listener >= 0);
	assert_int_equal(sock_local(listener, &at), 0);
	b->s = tcp_dial(b->loop, b->memory, &at, NULL, &b->owner);
	assert_non_null(b->s);
	assert_int_equal(open_fully(b), STREAM_OK);
	b->far = sock_accept(listener, &from);
	assert_true(b->far >= 0);
	fcntl(b->far, F_SETFL, fcntl(b->far, F_GETFL) & ~O_NONBLOCK);
	close(listener);
}
