/* SPDX-License-Identifier: MIT */
/*
 * Dials through an outbound as the engine would, and judges what comes back.
 *
 *	dial echo     every connection sends BYTES and wants the same back
 *	dial listen   sends nothing, and wants what the server says first
 *	dial datagram sends datagrams of many sizes and wants each one back
 *	dial wrong    wants every connection to fail, and says how it did
 *
 * Arguments: MODE SECURITY ID SERVER TARGET [BYTES [CONNECTIONS]]; SECURITY
 * `freedom` goes directly. Exit status 0 when all is as the mode wants it.
 */
#include "base/addr.h"
#include "base/list.h"
#include "base/log.h"
#include "interop/echo.h"
#include "outbound/outbound.h"
#include "platform/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 60000, DATAGRAMS = 200, CONNS_MAX = 1000 };
enum { DATAGRAM_MAX = 1966 };

enum mode { ECHO, LISTEN, DATAGRAM, WRONG };

struct conn {
	struct task task;
	struct echo echo; /* of datagrams it counts those */
	struct packets *k;
	int result; /* of the call that ended it */
	bool over, shut;
	char reason[256];
};

static struct {
	struct loop *loop;
	enum mode mode;
	uint64_t bytes;
	struct target to;
	size_t open, failed;
	struct conn *conn;
} all;

static void
conn_over(struct conn *c, bool good, int result, const char *why)
{
	const char *reason = c->echo.s ? stream_reason(c->echo.s) : packets_reason(c->k);

	c->over = true;
	c->result = result;
	snprintf(c->reason, sizeof(c->reason), "%s", *reason ? reason : why);
	if (!good)
		all.failed++;
	if (!good || all.mode == WRONG)
		printf("%s: %d, %s (sent %llu, got %llu)\n",
			good ? "as wanted" : "failed", result, c->reason,
			(unsigned long long)c->echo.sent,
			(unsigned long long)c->echo.got);
	if (--all.open == 0)
		loop_stop(all.loop);
}

static int
take_some(struct conn *c)
{
	int r = echo_take(&c->echo);

	if (r == -EILSEQ)
		conn_over(c, false, 0, "other bytes came back");
	return r;
}

static void
judge(struct conn *c, int r)
{
	bool whole = all.mode == LISTEN ? c->echo.got > 0 : c->echo.got == all.bytes;

	if (c->over)
		return;
	if (r < 0 || r == STREAM_END) {
		if (all.mode == WRONG)
			conn_over(c, r < 0 || c->echo.got == 0, r, "ended");
		else
			conn_over(c, whole && r == STREAM_END, r, "ended too early");
	} else if (whole && all.mode == ECHO && !c->shut) {
		r = stream_shut(c->echo.s);
		c->shut = r == STREAM_OK;
		if (r < 0)
			conn_over(c, false, r, "cannot shut");
		else if (c->shut)
			conn_over(c, true, 0, "");
	}
}

static void
run_stream(struct task *t)
{
	struct conn *c = container_of(t, struct conn, task);
	int r;

	if (c->over)
		return;
	r = stream_open(c->echo.s);
	if (r == STREAM_OK) {
		r = echo_send(&c->echo);
		if (r >= 0)
			r = take_some(c);
	}
	judge(c, r);
	stream_park(c->echo.s);
}

static size_t
datagram_len(uint64_t i)
{
	return i == 0 ? DATAGRAM_MAX : 1 + (size_t)(i * 7919 % DATAGRAM_MAX);
}

static uint8_t
datagram_byte(const struct conn *c, uint64_t number, size_t i)
{
	return echo_byte(&c->echo, number << 16 | i);
}

/* One at a time: the next one goes when the answer to the last has come. */
static int
exchange(struct conn *c)
{
	uint8_t p[65536];
	struct endpoint from;
	size_t n, i, len;
	int r;

	for (;;) {
		if (c->echo.sent == c->echo.got) {
			if (c->echo.sent == DATAGRAMS) {
				conn_over(c, true, 0, "");
				return STREAM_AGAIN;
			}
			len = datagram_len(c->echo.sent);
			for (i = 0; i < len; i++)
				p[i] = datagram_byte(c, c->echo.sent, i);
			r = packets_send(c->k, &all.to, p, len);
			if (r != STREAM_OK)
				return r;
			c->echo.sent++;
		}
		r = packets_recv(c->k, &from, p, sizeof(p), &n);
		if (r != STREAM_OK)
			return r;
		len = datagram_len(c->echo.got);
		for (i = 0; i < n; i++)
			if (p[i] != datagram_byte(c, c->echo.got, i))
				n = 0;
		c->echo.got++;
		if (n != len || from.port != all.to.port)
			return -EBADMSG;
	}
}

static void
run_packets(struct task *t)
{
	struct conn *c = container_of(t, struct conn, task);
	int r;

	if (c->over)
		return;
	r = packets_open(c->k);
	if (r == STREAM_OK)
		r = exchange(c);
	if (r != STREAM_OK && r != STREAM_AGAIN && !c->over)
		conn_over(c, all.mode == WRONG, r, "a datagram came back wrong");
}

static void
conn_start(struct conn *c, struct outbound *o, size_t i)
{
	c->echo.seed = i;
	c->echo.bytes = all.bytes;
	c->echo.loop = all.loop;
	c->echo.task = &c->task;
	c->echo.counts = all.mode != ECHO;
	if (all.mode == DATAGRAM) {
		task_init(&c->task, run_packets);
		c->k = outbound_bind(o, &all.to, &c->task);
	} else {
		task_init(&c->task, run_stream);
		c->echo.s = outbound_dial(o, &all.to, &c->task);
	}
	if (!c->echo.s && !c->k)
		exit(2);
	loop_ready(all.loop, &c->task);
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
usage(void)
{
	fprintf(stderr,
		"usage: dial echo|listen|datagram|wrong SECURITY ID SERVER TARGET "
		"[BYTES [CONNECTIONS]]\n");
	exit(2);
}

static enum mode
mode_of(const char *s)
{
	static const char *const word[] = { "echo", "listen", "datagram", "wrong" };
	size_t i;

	for (i = 0; i < 4; i++)
		if (strcmp(s, word[i]) == 0)
			return (enum mode)i;
	usage();
	return ECHO;
}

static void
spec_of(struct outbound_spec *spec, char *const *argv)
{
	static char address[64];
	static struct vmess_user_spec user;
	static struct vmess_server_spec server = { .user = &user, .nuser = 1 };
	struct endpoint at;
	struct err e;

	spec->tag = "proxy";
	spec->path = "outbounds[0]";
	if (strcmp(argv[2], "freedom") == 0) {
		spec->kind = OUTBOUND_FREEDOM;
		return;
	}
	spec->kind = OUTBOUND_VMESS;
	user.security = strcmp(argv[2], "none") == 0 ? VMESS_NONE
		: argv[2][0] == 'c'                  ? VMESS_CHACHA20_POLY1305
						     : VMESS_AES128_GCM;
	if (vmess_id_parse(user.id, argv[3], &e) < 0 || !endpoint_parse(&at, argv[4]))
		usage();
	server.address = ip_format(&at.ip, address);
	server.port = at.port;
	spec->u.vmess = (struct vmess_spec){ &server, 1 };
}

/* An address with a port, or name:port. */
static void
target_of(struct target *to, char *text)
{
	struct endpoint at;
	char *colon = strrchr(text, ':');

	if (endpoint_parse(&at, text)) {
		to->ip = at.ip;
		to->port = at.port;
		return;
	}
	if (!colon)
		usage();
	*colon = '\0';
	to->name = text;
	to->port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

static void
run(struct outbound *o, size_t conns)
{
	uint64_t began = sys_monotonic(), took;
	struct timer patience;
	size_t i;

	all.conn = calloc(conns, sizeof(*all.conn));
	if (!all.conn)
		exit(2);
	all.open = conns;
	for (i = 0; i < conns; i++)
		conn_start(&all.conn[i], o, i);
	timer_init(&patience, all.loop, give_up);
	timer_arm(&patience, PATIENCE_MS);
	loop_run(all.loop);
	timer_stop(&patience);
	took = sys_monotonic() - began;
	for (i = 0; i < conns; i++) {
		stream_free(all.conn[i].echo.s);
		packets_free(all.conn[i].k);
		task_fini(&all.conn[i].task);
	}
	if (!all.failed)
		printf("ok: %zu connections, %llu bytes each, %llu ms\n", conns,
			(unsigned long long)all.bytes, (unsigned long long)took);
}

int
main(int argc, char **argv)
{
	struct outbound_spec spec = { 0 };
	struct outbound_env env = { .unix_time = sys_unix_time };
	struct outbound *o;
	struct err e;
	size_t conns;

	if (argc < 6)
		usage();
	all.mode = mode_of(argv[1]);
	spec_of(&spec, argv);
	target_of(&all.to, argv[5]);
	all.bytes = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
	conns = argc > 7 ? strtoull(argv[7], NULL, 10) : 1;
	if (conns == 0 || conns > CONNS_MAX)
		usage();
	log_open(2, LOG_INFO, NULL);
	env.loop = all.loop = loop_new();
	env.memory = tcp_memory_new();
	o = outbound_new(&spec, &env, &e);
	if (!o) {
		fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	run(o, conns);
	outbound_drop(o);
	loop_free(all.loop);
	tcp_memory_free(env.memory);
	free(all.conn);
	return all.failed ? 1 : 0;
}
