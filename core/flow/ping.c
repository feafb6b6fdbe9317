/* SPDX-License-Identifier: MIT */
#include "flow/ping.h"

#include "flow/facts.h"
#include "flow/flows.h"
#include "platform/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PING_TURN = 64 }; /* answers from one socket in a turn */

static struct ping_socket *
socket_for(struct pings *g, const struct ip *ip)
{
	return ip->family == 6 ? &g->v6 : &g->v4;
}

/* The direct way out that the rules have for a ping; NULL: it goes another way. */
static struct outbound *
way_of(struct flows *fs, const struct ip *source, const struct ip *target)
{
	struct endpoint from = { .ip = *source }, to = { .ip = *target };
	struct outbound *o = inquiry_way(
		fs->setup, fs->dns, fs->names, NETWORK_ICMP, &from, &to);

	return o != NULL && o->ops->direct ? o : NULL;
}

/* The request that an answer belongs to; NULL: nobody's. */
static struct ping *
ping_of(struct flows *fs, const struct ip *from, uint16_t ours)
{
	struct ping *p = &fs->pings.out[ours % PINGS_MAX];

	if (!p->waits || p->ours != ours || !ip_equal(&p->target, from) ||
		loop_now(fs->loop) - p->sent > PING_LIFE_MS)
		return NULL;
	return p;
}

static void
answers_read(struct ping_socket *s)
{
	struct flows *fs = s->flows;
	uint8_t *mem = fs->assocs.datagram;
	struct outbound *o;
	struct ping *ping;
	struct ip from;
	uint16_t seq;
	ssize_t n;

	for (int i = 0; i < PING_TURN; i++) {
		n = sock_ping_recv(s->fd, &from, &seq, mem, TUN_PACKET);
		if (n < 0)
			break;
		ping = ping_of(fs, &from, seq);
		if (ping == NULL)
			continue;
		ping->waits = false;
		stack_echo_reply(fs->stack, &ping->target, &ping->source, ping->id,
			ping->seq, mem, (size_t)n);
		o = way_of(fs, &ping->source, &ping->target);
		if (o != NULL)
			flows_note_bytes(fs, o, 0, (uint64_t)n);
	}
	/* An error of the socket (an ICMP message about one of the targets) is gone with
	 * having been told. */
	watch_want(&s->watch, WATCH_READ);
}

static void
socket_run(struct task *t)
{
	struct ping_socket *s = container_of(t, struct ping_socket, task);

	s->watch.happened = 0;
	answers_read(s);
}

static void
socket_init(struct ping_socket *s, struct flows *fs, int fd)
{
	s->flows = fs;
	s->fd = fd;
	if (fd < 0)
		return;
	task_init(&s->task, socket_run);
	watch_init(&s->watch, fs->loop, fd, &s->task);
	watch_want(&s->watch, WATCH_READ);
}

static void
socket_fini(struct ping_socket *s)
{
	if (s->fd < 0)
		return;
	watch_fini(&s->watch);
	task_fini(&s->task);
}

int
pings_init(struct flows *fs, int fd4, int fd6)
{
	struct pings *g = &fs->pings;

	g->out = calloc(PINGS_MAX, sizeof(*g->out));
	if (g->out == NULL)
		return -ENOMEM;
	socket_init(&g->v4, fs, fd4);
	socket_init(&g->v6, fs, fd6);
	return 0;
}

void
pings_fini(struct flows *fs)
{
	struct pings *g = &fs->pings;

	if (g->out == NULL)
		return;
	socket_fini(&g->v4);
	socket_fini(&g->v6);
	free(g->out);
	g->out = NULL;
}

/* A free place for a request; NULL: all are taken by requests that may still be answered.
 */
static struct ping *
place(struct flows *fs)
{
	struct pings *g = &fs->pings;
	struct ping *p = &g->out[g->next % PINGS_MAX];

	if (p->waits && loop_now(fs->loop) - p->sent <= PING_LIFE_MS)
		return NULL;
	p->ours = g->next++;
	return p;
}

void
ping_echo(struct flows *fs, const struct ip *source, const struct ip *target, uint16_t id,
	uint16_t seq, const uint8_t *p, size_t len)
{
	struct ping_socket *s = socket_for(&fs->pings, target);
	struct outbound *o;
	struct ping *ping;

	/* It is we who have this address. */
	if (flows_own(fs, target)) {
		stack_echo_reply(fs->stack, target, source, id, seq, p, len);
		return;
	}
	if (s->fd < 0 || flows_refuse(target) || flows_lead_back(fs, target))
		return;
	o = way_of(fs, source, target);
	if (o == NULL)
		return;
	ping = place(fs);
	if (ping == NULL) {
		fs->count.dropped++;
		return;
	}
	ping->source = *source;
	ping->target = *target;
	ping->id = id;
	ping->seq = seq;
	ping->sent = loop_now(fs->loop);
	ping->waits = sock_ping_send(s->fd, target, ping->ours, p, len) >= 0;
	if (ping->waits)
		flows_note_bytes(fs, o, len, 0);
}
