/* SPDX-License-Identifier: MIT */
#include "flow/flows.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHORTAGE_EVERY_MS = 60000 }; /* one line a minute */

static struct flows *
flows_of(struct stack_user *u)
{
	return container_of(u, struct flows, user);
}

static bool
on_elsewhere(struct stack_user *u, const struct endpoint *source,
	const struct endpoint *target, enum stack_answer *a)
{
	return handback_syn(flows_of(u), source, target, a);
}

static enum stack_answer
on_syn(struct stack_user *u, const struct endpoint *source, const struct endpoint *target,
	struct held *held, void **cookie)
{
	return flow_syn(flows_of(u), source, target, held, cookie);
}

static void
on_conn(struct stack_user *u, void *cookie, struct stream *conn)
{
	(void)u;
	flow_conn(cookie, conn);
}

static void
on_gone(struct stack_user *u, void *cookie, enum stack_gone why)
{
	(void)u;
	flow_gone(cookie, why);
}

static void
on_datagram(struct stack_user *u, const struct stack_datagram *d)
{
	struct flows *fs = flows_of(u);

	if (!handback_datagram(fs, &d->source, &d->target))
		assoc_datagram(fs, d);
}

static void
on_echo(struct stack_user *u, const struct ip *source, const struct ip *target,
	uint16_t id, uint16_t seq, const uint8_t *p, size_t len)
{
	struct flows *fs = flows_of(u);

	if (!handback_echo(fs, source, target))
		ping_echo(fs, source, target, id, seq, p, len);
}

static bool
on_stray(struct stack_user *u, const struct endpoint *source,
	const struct endpoint *target)
{
	return handback_stray(flows_of(u), source, target);
}

static int
on_output(struct stack_user *u, const struct iovec *v, int n, const struct offload *o)
{
	return tun_port_write(&flows_of(u)->tun, v, n, o);
}

bool
flows_are_short(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM ||
		error == -ENOBUFS;
}

bool
flows_let_out(struct flows *fs, const struct outbound *o)
{
	if (!outbound_is_short(o))
		return true;
	fs->tcp.refused = true;
	flows_note_hunger(fs, o);
	fs->count.over++;
	fs->over_said++;
	log_limited(&fs->shortage, loop_now(fs->loop), LOG_WARNING,
		"the memory for connections by \"%s\" is used up: new ones have to wait "
		"until others end; sluice.memory allows more",
		o->tag);
	return false;
}

void
flows_note_failure(struct flows *fs, struct outbound *o, int error, const char *reason,
	const struct endpoint *target)
{
	struct outbound_tally *t = &o->tally;
	char to[ENDPOINT_TEXT];

	/* What a target says for itself is nothing against the way to it. */
	if (o->ops->truthful)
		return;
	if (error == -EPROTO || error == -EBADMSG)
		fs->count.broken++;
	t->failures++;
	t->failed = loop_now(fs->loop);
	if (reason == NULL || reason[0] == '\0')
		reason = stream_error_text(error);
	if (target != NULL)
		snprintf(t->why, sizeof(t->why), "on the way to %s: %s",
			endpoint_format(target, to), reason);
	else
		snprintf(t->why, sizeof(t->why), "%s", reason);
}

void
flows_note_bytes(struct flows *fs, struct outbound *o, uint64_t up, uint64_t down)
{
	fs->count.up += up;
	fs->count.down += down;
	o->tally.up += up;
	o->tally.down += down;
	if (down > 0)
		o->tally.answered = loop_now(fs->loop);
}

bool
flows_refuse(const struct ip *target)
{
	return ip_is_multicast(target) || ip_is_unspecified(target) ||
		ip_is_loopback(target);
}

bool
flows_own(const struct flows *fs, const struct ip *target)
{
	struct endpoint query = { .ip = *target, .port = 53 };

	return fs->dns != NULL && dns_is_ours(fs->dns, &query);
}

int
flows_device(const struct flows *fs, const struct ip *ip)
{
	for (int i = 0; i < fs->ndevice; i++)
		if (ip_equal(&fs->device[i].ip, ip))
			return i;
	return -1;
}

bool
flows_lead_back(const struct flows *fs, const struct ip *target)
{
	for (int i = 0; i < fs->ndevice; i++)
		if (cidr_has(&fs->device[i], target))
			return true;
	return flows_own(fs, target);
}

static const struct stack_user user = {
	.elsewhere = on_elsewhere,
	.syn = on_syn,
	.conn = on_conn,
	.gone = on_gone,
	.datagram = on_datagram,
	.echo = on_echo,
	.stray = on_stray,
	.output = on_output,
};

/* Who looks at the count finds in the log what it was. */
static void
limits_say(struct flows *fs)
{
	const struct stack_counters *s = stack_counters(fs->stack);
	uint64_t over = fs->count.over + s->over_limit;

	if (over == fs->over_said)
		return;
	fs->over_said = over;
	log_limited(&fs->limits, loop_now(fs->loop), LOG_WARNING,
		"a limit was met: there was no room for a packet or a connection beside "
		"%zu TCP connections of %zu, %zu UDP associations of %zu and %zu that "
		"wait for their way out; sluice.memory and the limit of descriptors "
		"(ulimit -n) allow more",
		fs->count.tcp, fs->tcp.max, fs->count.udp, fs->assocs.max,
		(size_t)s->waiting);
}

static void
reap(struct turn_end *e)
{
	struct flows *fs = container_of(e, struct flows, reaper);

	flow_table_reap(fs);
	assocs_reap(fs);
	limits_say(fs);
	log_flush();
}

static int
parts_init(struct flows *fs, int tun, const struct flows_config *c)
{
	struct stack_config stack = c->stack;
	int err;

	flow_table_init(fs, c->flows_max ? c->flows_max : FLOWS_MAX);
	fs->shortage.every = fs->limits.every = SHORTAGE_EVERY_MS;
	err = assocs_init(fs, c);
	tun_port_init(&fs->tun, fs->loop, tun, c->plain);
	if (err == 0)
		err = handed_init(fs, c->handed_max ? c->handed_max : HANDED_MAX);
	if (err == 0)
		err = pings_init(fs, c->ping4, c->ping6);
	if (err < 0)
		return err;
	stack.offload = fs->tun.offload & TUN_SUMS;
	stack.datagrams = fs->tun.offload & TUN_UDP;
	/* Each of its connections is a flow's. Those that give way are among them until they
	 * have had their turn: which may come is decided by the table. */
	stack.conns_max = fs->tcp.pool.max;
	fs->stack = stack_new(fs->loop, &stack, &fs->user);
	return fs->stack == NULL ? -1 : 0;
}

struct flows *
flows_new(struct loop *l, int tun, const struct flows_config *c, struct setup *setup,
	struct dns *dns, struct names *names, struct err *e)
{
	struct flows *fs;

	if (sniffing_load(&setup->sniffing, NULL, e) < 0)
		return NULL;
	fs = calloc(1, sizeof(*fs));
	if (fs == NULL) {
		err_set(e, "no memory for the table of flows");
		return NULL;
	}
	fs->loop = l;
	fs->dns = dns;
	fs->names = names;
	fs->user = user;
	fs->setup = setup_hold(setup);
	for (; fs->ndevice < c->ndevice && fs->ndevice < TUN_ADDRS; fs->ndevice++)
		fs->device[fs->ndevice] = c->device[fs->ndevice];
	if (parts_init(fs, tun, c) < 0) {
		err_set(e, "no memory for the stack and the table of flows");
		flows_free(fs);
		return NULL;
	}
	/* Behind the stack's own hook, which may end flows. */
	fs->reaper.run = reap;
	loop_at_end(l, &fs->reaper);
	log_gather(true);
	tun_port_start(&fs->tun, fs->stack);
	return fs;
}

int
flows_use(struct flows *fs, struct setup *setup, struct err *e)
{
	struct setup *old = fs->setup;

	if (sniffing_load(&setup->sniffing, NULL, e) < 0)
		return -1;
	fs->setup = setup_hold(setup);
	setup_drop(old);
	return 0;
}

size_t
flows_free(struct flows *fs)
{
	size_t lost = 0;

	if (fs == NULL)
		return 0;
	log_gather(false);
	flow_table_close(fs);
	assocs_close(fs);
	if (fs->stack != NULL)
		lost += stack_free(fs->stack);
	loop_not_at_end(fs->loop, &fs->reaper);
	lost += flow_table_fini(fs);
	lost += assocs_fini(fs);
	lost += handed_fini(fs);
	pings_fini(fs);
	tun_port_fini(&fs->tun);
	setup_drop(fs->setup);
	free(fs);
	return lost;
}

void
flows_log_device(const struct flows *fs)
{
	unsigned can = dgram_abilities();

	tun_port_log(&fs->tun);
	log_info("datagrams of direct flows: by the batch, cut by %s, joined by %s",
		can & DGRAM_CUT ? "the kernel" : "us",
		can & DGRAM_JOIN ? "it" : "nobody");
}

void
flows_log_counters(const struct flows *fs)
{
	const struct stack_counters *s = stack_counters(fs->stack);
	struct flow_counters c;

	flows_count(fs, &c);
	log_info("counted: packets in %llu, out %llu, malformed %llu, unknown %llu, "
		 "over the limit %llu, retransmitted %llu, refused %llu, dropped %llu, "
		 "with the kernel %llu, broken by servers %llu",
		(unsigned long long)s->in, (unsigned long long)s->out,
		(unsigned long long)s->malformed, (unsigned long long)s->unknown,
		(unsigned long long)c.over, (unsigned long long)s->retransmitted,
		(unsigned long long)c.refused, (unsigned long long)c.dropped,
		(unsigned long long)c.handed_total, (unsigned long long)c.broken);
}

void
flows_count(const struct flows *fs, struct flow_counters *c)
{
	const struct stack_counters *s = stack_counters(fs->stack);

	*c = fs->count;
	if (fs->handback.is_listed)
		c->handed = c->listed;
	c->dropped += fs->tun.dropped + fs->assocs.queued.lost;
	c->over += s->over_limit;
	c->tcp_most = fs->tcp.max;
	c->udp_most = fs->assocs.max;
	c->up += fs->handback.running_up;
	c->down += fs->handback.running_down;
	c->in = s->in;
	c->out = s->out;
	c->held = s->waiting;
}

static size_t
pool_bytes(const struct pool *p)
{
	return p->out * p->size;
}

size_t
flows_memory(const struct flows *fs)
{
	const struct flow_table *t = &fs->tcp;
	const struct assocs *a = &fs->assocs;

	return stack_memory(fs->stack) + pool_bytes(&t->pool) + pool_bytes(&t->openings) +
		pool_bytes(&t->early) + pool_bytes(&a->pool) + pool_bytes(&a->routes) +
		pool_bytes(&a->legs) + a->queued.bytes + pool_bytes(&fs->handback.pool);
}

unsigned
flows_offload(const struct flows *fs)
{
	return fs->tun.offload;
}
