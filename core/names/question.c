/* SPDX-License-Identifier: MIT */
#include "names/question.h"

#include "platform/sock.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RETRY = 1000,     /* ms to the next query */
	LIMIT = 8000,     /* ms for all of it */
	TCP_LIMIT = 3000, /* ms for a connection, its question and its answer */
	SENDS = 2,        /* queries to a server before the next one is asked */
	UDP_CAP = 4096,   /* some servers answer more than they were allowed */
	BATCH = 16, /* datagrams a socket and turn, so that no flood holds the loop */
};

/* In a query of dns_write_query: where it counts additional records, and the length of the
 * one that is there. */
enum { ADDITIONAL = 10, EDNS = 11 };

static void question_ask(struct question *q);

static void
query_close(struct query *t)
{
	if (!t->open)
		return;
	watch_fini(&t->watch);
	sock_close(t->watch.fd);
	t->open = false;
}

/* Takes over fd. */
static void
query_open(struct question *q, struct query *t, int fd, unsigned events)
{
	watch_init(&t->watch, q->stub->loop, fd, &q->task);
	t->open = true;
	t->server = q->server;
	watch_want(&t->watch, events);
}

void
question_hang_up(struct question *q)
{
	int i;

	for (i = 0; i < QUERIES; i++)
		query_close(&q->udp[i]);
	query_close(&q->tcp);
	free(q->con.mem);
	memset(&q->con, 0, sizeof(q->con));
}

void
question_done(struct question *q, int status)
{
	struct list *l;

	question_hang_up(q);
	timer_stop(&q->timer);
	q->state = QUESTION_DONE;
	q->answer.status = status;
	table_remove(&q->stub->running, &q->node);
	for (l = q->waits.next; l != &q->waits; l = l->next)
		loop_ready(q->stub->loop,
			container_of(l, struct question_wait, node)->owner);
}

static __attribute__((format(printf, 2, 3))) void
question_note(struct question *q, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->answer.reason, sizeof(q->answer.reason), fmt, ap);
	va_end(ap);
}

static void
question_give_up(struct question *q)
{
	if (q->stub->nserver == 0)
		question_note(q, "there is no resolver to ask");
	else if (!q->answer.reason[0])
		question_note(q, "no resolver answered");
	question_done(q, q->unreachable ? -ENETUNREACH : -ETIMEDOUT);
}

static void
question_settle(struct question *q, const struct dns_message *m)
{
	uint32_t ttl = m->nanswer > 0 ? UINT32_MAX : m->negative_ttl;
	int i;

	for (i = 0; i < m->nanswer && i < NAMES_ADDRS; i++) {
		q->answer.ip[i] = m->answer[i].ip;
		if (m->answer[i].ttl < ttl)
			ttl = m->answer[i].ttl;
	}
	q->answer.n = (size_t)i;
	cache_put(q->stub->cache, loop_now(q->stub->loop), q->name, q->type, q->answer.ip,
		q->answer.n, ttl);
	q->answer.reason[0] = '\0';
	if (m->rcode == DNS_NXDOMAIN)
		question_note(q, "the name does not exist");
	else if (i == 0)
		question_note(q, "the name has no such address");
	question_done(q, i > 0 ? 0 : -ENOENT);
}

/* False when all have failed. */
static bool
server_next(struct question *q)
{
	int i, n = q->stub->nserver, at;

	for (i = 1; i <= n; i++) {
		at = (q->server + i) % n;
		if (!(q->failed >> at & 1)) {
			q->server = at;
			q->sends = 0;
			return true;
		}
	}
	return false;
}

/* This server cannot help. The next one is asked at once, if it is this one's turn. */
static void
server_failed(struct question *q, int server)
{
	bool next = q->server == server || q->state == QUESTION_TCP;

	q->failed |= 1u << server;
	if (!next)
		return;
	query_close(&q->tcp);
	q->state = QUESTION_UDP;
	if (server_next(q))
		question_ask(q);
	else
		question_give_up(q);
}

static void
server_failed_errno(struct question *q, int server, int error)
{
	char text[ENDPOINT_TEXT];

	question_note(q, "resolver %s: %s",
		endpoint_format(&q->stub->server[server], text), strerror(error));
	server_failed(q, server);
}

static void
server_failed_rcode(struct question *q, int server, int rcode)
{
	static const char *const word[] = {
		[DNS_FORMERR] = "FORMERR",
		[DNS_SERVFAIL] = "SERVFAIL",
		[DNS_NOTIMP] = "NOTIMP",
		[DNS_REFUSED] = "REFUSED",
	};
	char text[ENDPOINT_TEXT];
	bool known = rcode < (int)(sizeof(word) / sizeof(word[0])) && word[rcode];

	q->unreachable = false;
	question_note(q, "resolver %s answered %s",
		endpoint_format(&q->stub->server[server], text),
		known ? word[rcode] : "with an error");
	server_failed(q, server);
}

/*
 * Writes the query with an id of its own.  What is asked a second time may have
 * been lost because of its EDNS, which old servers refuse (RFC 6891 6.2.2) and
 * some firewalls drop; so it goes without, which is the end of the message.
 */
static void
query_write(struct question *q, struct query *t)
{
	uint16_t id;
	int n;

	rng_bytes(&q->stub->rng, &id, sizeof(id));
	n = dns_write_query(t->bytes + LEAD, QUERY_CAP, id, q->name, q->type);
	assert(n > EDNS); /* question_join has tried it */
	if (q->sends > 0 && q->state == QUESTION_UDP) {
		n -= EDNS;
		be16_put(t->bytes + LEAD + ADDITIONAL, 0);
	}
	t->len = (size_t)n;
	be16_put(t->bytes, (uint16_t)n);
}

static void
timer_next(struct question *q, uint64_t ms)
{
	uint64_t now = loop_now(q->stub->loop), left = q->end > now ? q->end - now : 0;

	timer_arm(&q->timer, ms < left ? ms : left);
}

/* Asks the current server over a fresh socket, so with a source port that nobody knows. */
static int
question_send(struct question *q)
{
	struct endpoint *to = &q->stub->server[q->server];
	struct query *t = &q->udp[q->next_query];
	ssize_t sent;
	int fd;

	q->next_query = (q->next_query + 1) % QUERIES;
	query_close(t);
	fd = sock_udp_open(to->ip.family, NULL);
	if (fd < 0)
		return fd;
	query_write(q, t);
	sent = sock_send_to(fd, to, t->bytes + LEAD, t->len);
	if (sent < 0 && sent != -EAGAIN) {
		sock_close(fd);
		return (int)sent;
	}
	query_open(q, t, fd, WATCH_READ);
	return 0;
}

static void
question_ask(struct question *q)
{
	int err;

	do {
		err = question_send(q);
		if (err == 0) {
			q->unreachable = false;
			q->sends++;
			timer_next(q, RETRY);
			return;
		}
		question_note(q, "no query could be sent: %s", strerror(-err));
		q->failed |= 1u << q->server;
	} while (server_next(q));
	question_give_up(q);
}

void
question_begin(struct question *q)
{
	q->end = loop_now(q->stub->loop) + LIMIT;
	q->server = q->stub->preferred;
	q->sends = 0;
	q->failed = 0;
	q->unreachable = true;
	q->state = QUESTION_UDP;
	q->answer.reason[0] = '\0';
	if (q->stub->nserver > 0)
		question_ask(q);
	else
		question_give_up(q);
}

void
question_fire(struct timer *t)
{
	struct question *q = container_of(t, struct question, timer);

	if (loop_now(q->stub->loop) >= q->end)
		question_give_up(q);
	else if (q->state == QUESTION_TCP)
		server_failed_errno(q, q->server, ETIMEDOUT);
	else if (q->sends < SENDS || server_next(q))
		question_ask(q);
	else
		question_give_up(q);
}

static bool
answer_is_to(
	const struct query *t, const struct dns_message *m, const uint8_t *p, size_t len)
{
	return m->response && m->opcode == 0 && m->id == be16_get(t->bytes + LEAD) &&
		dns_question_same(p, len, t->bytes + LEAD, t->len);
}

static void
question_connect(struct question *q, int server)
{
	int fd;

	question_hang_up(q);
	q->server = server;
	q->state = QUESTION_TCP;
	fd = sock_tcp_connect(&q->stub->server[server], NULL);
	if (fd < 0) {
		server_failed_errno(q, server, -fd);
		return;
	}
	query_write(q, &q->tcp);
	query_open(q, &q->tcp, fd, WATCH_WRITE);
	timer_next(q, TCP_LIMIT);
}

/* One message. False when it is no answer to this query. */
static bool
question_hear(struct question *q, const struct query *t, const uint8_t *p, size_t len)
{
	struct dns_message m;

	if (dns_read(&m, p, len) < 0 || !answer_is_to(t, &m, p, len))
		return false;
	if (m.truncated && q->state == QUESTION_UDP) {
		question_connect(q, t->server);
	} else if (m.rcode == DNS_NOERROR || m.rcode == DNS_NXDOMAIN) {
		q->stub->preferred = t->server;
		question_settle(q, &m);
	} else if ((m.rcode == DNS_FORMERR || m.rcode == DNS_NOTIMP) && q->sends == 1 &&
		q->state == QUESTION_UDP && t->server == q->server) {
		question_ask(q);
	} else {
		server_failed_rcode(q, t->server, m.rcode);
	}
	return true;
}

/* A router on the way, or the server's machine, says that nobody is there. False when
 * nothing was said. */
static bool
udp_error(struct question *q, struct query *t)
{
	struct endpoint about;
	int error;

	if (sock_next_error(t->watch.fd, &about, &error) < 0)
		return false;
	if (!endpoint_equal(&about, &q->stub->server[t->server]))
		return true;
	query_close(t);
	server_failed_errno(q, t->server, error);
	return true;
}

static void
udp_run(struct question *q, struct query *t)
{
	uint8_t p[UDP_CAP];
	struct endpoint from;
	ssize_t n;
	int i;

	t->watch.happened = 0;
	for (i = 0; i < BATCH && t->open && q->state == QUESTION_UDP; i++) {
		n = sock_recv_from(t->watch.fd, &from, p, sizeof(p));
		if (n < 0 && !udp_error(q, t))
			break;
		if (n < 0 || !endpoint_equal(&from, &q->stub->server[t->server]))
			continue;
		if (question_hear(q, t, p, (size_t)n))
			break;
	}
	if (t->open && q->state == QUESTION_UDP)
		watch_want(&t->watch, WATCH_READ);
}

/* 0 when all is sent, -EAGAIN, or another errno. */
static int
tcp_send(struct query *t, struct connection *c)
{
	struct iovec v;
	ssize_t n;

	while (c->sent < LEAD + t->len) {
		v.iov_base = t->bytes + c->sent;
		v.iov_len = LEAD + t->len - c->sent;
		n = sock_writev(t->watch.fd, &v, 1);
		if (n < 0)
			return (int)n;
		c->sent += (size_t)n;
	}
	return 0;
}

/* 0 when the answer is whole. */
static int
tcp_recv(struct query *t, struct connection *c)
{
	bool lead;
	ssize_t n;

	while (!c->mem || c->got < LEAD + c->len) {
		lead = c->got < LEAD;
		n = sock_read(t->watch.fd,
			lead ? c->lead + c->got : c->mem + c->got - LEAD,
			lead ? LEAD - c->got : LEAD + c->len - c->got);
		if (n <= 0)
			return n < 0 ? (int)n : -ECONNRESET;
		c->got += (size_t)n;
		if (c->got < LEAD || c->mem)
			continue;
		c->len = be16_get(c->lead);
		c->mem = c->len > 0 ? malloc(c->len) : NULL;
		if (!c->mem)
			return c->len > 0 ? -ENOMEM : -EBADMSG;
	}
	return 0;
}

/* The connection's way, as far as it goes now. 0 with the whole answer. */
static int
tcp_go(struct question *q)
{
	struct connection *c = &q->con;
	int err;

	if (!c->connected) {
		err = sock_tcp_connected(q->tcp.watch.fd);
		if (err < 0)
			return err;
		c->connected = true;
	}
	err = tcp_send(&q->tcp, c);
	return err < 0 ? err : tcp_recv(&q->tcp, c);
}

static void
tcp_run(struct question *q)
{
	struct connection *c = &q->con;
	uint8_t *answer;
	int err;

	q->tcp.watch.happened = 0;
	err = tcp_go(q);
	if (err == -EAGAIN) {
		watch_want(&q->tcp.watch,
			c->sent < LEAD + q->tcp.len ? WATCH_WRITE : WATCH_READ);
		return;
	}
	answer = c->mem;
	c->mem = NULL; /* since what follows may hang up */
	if (err == 0 && !question_hear(q, &q->tcp, answer, c->len))
		err = -EBADMSG;
	free(answer);
	if (err < 0) {
		memset(c, 0, sizeof(*c));
		server_failed_errno(q, q->tcp.server, -err);
	}
}

void
question_run(struct task *task)
{
	struct question *q = container_of(task, struct question, task);
	int i;

	for (i = 0; i < QUERIES; i++)
		if (q->state == QUESTION_UDP && q->udp[i].open &&
			q->udp[i].watch.happened)
			udp_run(q, &q->udp[i]);
	if (q->state == QUESTION_TCP && q->tcp.open && q->tcp.watch.happened)
		tcp_run(q);
}
