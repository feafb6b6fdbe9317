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
#include "outbound/outbound.h"
#include "platform/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_BUDGET = 1 << 20, PATIENCE_MS = 60000, DATAGRAMS = 200, CONNS_MAX = 1000 };
enum { DATAGRAM_MAX = 1966 };

enum mode { ECHO, LISTEN, DATAGRAM, WRONG };

/* Bytes that anyone can make again from the same seed (xorshift64). */
struct pattern {
	uint64_t state;
	unsigned left;
};

struct conn {
	struct task task;
	struct stream *s;
	struct packets *k;
	struct pattern out, in;
	uint64_t sent, got;
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

static uint8_t
pattern_next(struct pattern *p)
{
	uint8_t b;

	if (p->left == 0) {
		p->state ^= p->state << 13;
		p->state ^= p->state >> 7;
		p->state ^= p->state << 17;
		p->left = 8;
	}
	b = (uint8_t)(p->state >> 8 * --p->left);
	return b;
}

static void
conn_over(struct conn *c, bool good, int result, const char *why)
{
	const char *reason = c->s ? stream_reason(c->s) : packets_reason(c->k);

	c->over = true;
	c->result = result;
	snprintf(c->reason, sizeof(c->reason), "%s", *reason ? reason : why);
	if (!good)
		all.failed++;
	if (!good || all.mode == WRONG)
		printf("%s: %d, %s (sent %llu, got %llu)\n",
			good ? "as wanted" : "failed", result, c->reason,
			(unsigned long long)c->sent, (unsigned long long)c->got);
	if (--all.open == 0)
		loop_stop(all.loop);
}

/* 0: go on. */
static int
send_some(struct conn *c)
{
	struct window w;
	size_t i, budget = TURN_BUDGET;
	int r = STREAM_OK;

	while (c->sent < all.bytes && budget > 0) {
		r = stream_send_buf(c->s, &w);
		if (r != STREAM_OK)
			break;
		if (w.len > all.bytes - c->sent)
			w.len = (size_t)(all.bytes - c->sent);
		for (i = 0; i < w.len; i++)
			w.p[i] = pattern_next(&c->out);
		c->sent += w.len;
		budget -= w.len < budget ? w.len : budget;
		r = stream_send_ack(c->s, w.len);
		if (r != STREAM_OK)
			break;
	}
	if (r >= 0)
		r = stream_flush(c->s);
	if (c->sent < all.bytes && budget == 0)
		loop_ready(all.loop, &c->task);
	return r;
}

static int
take_some(struct conn *c)
{
	struct window w;
	size_t i, budget = TURN_BUDGET;
	int r = STREAM_OK;

	while (budget > 0) {
		r = stream_recv_buf(c->s, &w);
		if (r != STREAM_OK)
			return r;
		for (i = 0; i < w.len; i++)
			if (all.mode == ECHO && w.p[i] != pattern_next(&c->in)) {
				conn_over(c, false, 0, "other bytes came back");
				return STREAM_AGAIN;
			}
		c->got += w.len;
		budget -= w.len < budget ? w.len : budget;
		stream_recv_ack(c->s, w.len);
	}
	loop_ready(all.loop, &c->task);
	return STREAM_AGAIN;
}

static void
judge(struct conn *c, int r)
{
	bool whole = all.mode == LISTEN ? c->got > 0 : c->got == all.bytes;

	if (c->over)
		return;
	if (r < 0 || r == STREAM_END) {
		if (all.mode == WRONG)
			conn_over(c, r < 0 || c->got == 0, r, "ended");
		else
			conn_over(c, whole && r == STREAM_END, r, "ended too early");
	} else if (whole && all.mode == ECHO && !c->shut) {
		r = stream_shut(c->s);
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
	r = stream_open(c->s);
	if (r == STREAM_OK) {
		r = send_some(c);
		if (r >= 0)
			r = take_some(c);
	}
	judge(c, r);
	stream_park(c->s);
}

static size_t
datagram_len(uint64_t i)
{
	return i == 0 ? DATAGRAM_MAX : 1 + (size_t)(i * 7919 % DATAGRAM_MAX);
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
		if (c->sent == c->got) {
			if (c->sent == DATAGRAMS) {
				conn_over(c, true, 0, "");
				return STREAM_AGAIN;
			}
			len = datagram_len(c->sent);
			for (i = 0; i < len; i++)
				p[i] = pattern_next(&c->out);
			r = packets_send(c->k, &all.to, p, len);
			if (r != STREAM_OK)
				return r;
			c->sent++;
		}
		r = packets_recv(c->k, &from, p, sizeof(p), &n);
		if (r != STREAM_OK)
			return r;
		len = datagram_len(c->got++);
		for (i = 0; i < n; i++)
			if (p[i] != pattern_next(&c->in))
				n = 0;
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
	c->out.state = c->in.state = 88172645463325252ull + i;
	if (all.mode == DATAGRAM) {
		task_init(&c->task, run_packets);
		c->k = outbound_bind(o, &all.to, &c->task);
	} else {
		task_init(&c->task, run_stream);
		c->s = outbound_dial(o, &all.to, &c->task);
	}
	if (!c->s && !c->k)
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
		stream_free(all.conn[i].s);
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
