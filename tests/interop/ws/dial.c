/* SPDX-License-Identifier: MIT */
/*
 * Dials a server through one transport layer over TCP, sends bytes and wants the same
 * back, and prints what the layer says about the server.
 *
 *	dial LAYER SERVER PATH EARLY BYTES CONNECTIONS
 *
 * LAYER is ws, httpupgrade or httphead; EARLY is how many bytes may go in the request,
 * with ":NAME" behind it where they have a field of their own.
 */
#include "base/addr.h"
#include "base/list.h"
#include "base/log.h"
#include "interop/echo.h"
#include "platform/sys.h"
#include "stream/httphead.h"
#include "stream/httpupgrade.h"
#include "stream/tcp.h"
#include "stream/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 60000, CONNS_MAX = 1000 };

struct conn {
	struct task task;
	struct echo echo;
	bool over;
};

static struct {
	struct loop *loop;
	struct conn conn[CONNS_MAX];
	size_t open, failed;
	uint64_t bytes;
	const char *layer;
	struct rng rng;
} all;

static const struct http_facts *
facts(const struct stream *s)
{
	if (all.layer[0] == 'w')
		return ws_facts(s);
	return strcmp(all.layer, "httphead") == 0 ? httphead_facts(s)
						  : httpupgrade_facts(s);
}

static void
conn_over(struct conn *c, bool good, int result)
{
	c->over = true;
	if (!good) {
		all.failed++;
		printf("failed: %d, %s, status %d, date %lld (sent %llu, got %llu)\n",
			result, stream_reason(c->echo.s), facts(c->echo.s)->status,
			(long long)facts(c->echo.s)->date,
			(unsigned long long)c->echo.sent,
			(unsigned long long)c->echo.got);
	}
	if (--all.open == 0)
		loop_stop(all.loop);
}

static void
run(struct task *t)
{
	struct conn *c = container_of(t, struct conn, task);
	int r;

	if (c->over)
		return;
	r = stream_open(c->echo.s);
	if (r == STREAM_OK)
		r = echo_send(&c->echo);
	if (r >= 0 && c->echo.sent)
		r = echo_take(&c->echo);
	if (r == STREAM_AGAIN && c->echo.got == all.bytes) {
		r = stream_shut(c->echo.s);
		if (r != STREAM_AGAIN)
			conn_over(c, r == STREAM_OK, r);
	} else if (r != STREAM_AGAIN && r != STREAM_OK) {
		conn_over(c, false, r);
	}
	stream_park(c->echo.s);
}

static struct stream *
layer(struct stream *lower, const struct http_request *q)
{
	if (strcmp(all.layer, "ws") == 0)
		return ws_new(q, lower, &all.rng, sys_unix_time);
	if (strcmp(all.layer, "httpupgrade") == 0)
		return httpupgrade_new(q, lower, sys_unix_time);
	return httphead_new(&httphead_default, lower, &all.rng, sys_unix_time);
}

static void
give_up(struct timer *t)
{
	(void)t;
	printf("failed: %zu connections still open after %d s\n", all.open,
		PATIENCE_MS / 1000);
	all.failed += all.open;
	loop_stop(all.loop);
}

static void
run_all(const struct endpoint *to, const struct http_request *q, size_t conns)
{
	struct tcp_memory *memory = tcp_memory_new();
	struct sock_options plain = { 0 };
	struct timer patience;
	uint64_t began = sys_monotonic();
	size_t i;

	all.open = conns;
	for (i = 0; i < conns; i++) {
		struct conn *c = &all.conn[i];

		task_init(&c->task, run);
		c->echo.bytes = all.bytes;
		c->echo.loop = all.loop;
		c->echo.task = &c->task;
		c->echo.s = layer(tcp_dial(all.loop, memory, to, &plain, &c->task), q);
		loop_ready(all.loop, &c->task);
	}
	timer_init(&patience, all.loop, give_up);
	timer_arm(&patience, PATIENCE_MS);
	loop_run(all.loop);
	timer_stop(&patience);
	if (!all.failed)
		printf("ok: %zu connections, %llu bytes each, %llu ms, status %d, date %lld\n",
			conns, (unsigned long long)all.bytes,
			(unsigned long long)(sys_monotonic() - began),
			facts(all.conn[0].echo.s)->status,
			(long long)facts(all.conn[0].echo.s)->date);
	for (i = 0; i < conns; i++) {
		stream_free(all.conn[i].echo.s);
		task_fini(&all.conn[i].task);
	}
	loop_free(all.loop);
	tcp_memory_free(memory);
}

int
main(int argc, char **argv)
{
	struct http_request q = { .host = "a.example", .early_name = "" };
	struct endpoint to;
	struct err e;
	size_t conns;
	char *colon;

	if (argc != 7 || !endpoint_parse(&to, argv[2]))
		return 2;
	all.layer = argv[1];
	q.path = argv[3];
	q.early_max = strtoul(argv[4], &colon, 10);
	if (*colon == ':')
		q.early_name = colon + 1;
	all.bytes = strtoull(argv[5], NULL, 10);
	conns = strtoul(argv[6], NULL, 10);
	if (conns == 0 || conns > CONNS_MAX)
		return 2;
	log_open(2, LOG_INFO, NULL);
	if (http_request_check(&q, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	rng_init(&all.rng);
	all.loop = loop_new();
	if (!all.loop)
		return 2;
	run_all(&to, &q, conns);
	rng_fini(&all.rng);
	return all.failed ? 1 : 0;
}
