/* SPDX-License-Identifier: MIT */
#include "daemon/engine_status.h"

#include "platform/sys.h"
#include "stream/blocks.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
counters_fill(const struct engine_status *s, uint64_t n[static REPORT_COUNTERS])
{
	struct flow_counters c;

	flows_count(s->flows, &c);
	n[REPORT_TCP] = c.tcp;
	n[REPORT_UDP] = c.udp;
	n[REPORT_KERNEL] = c.handed;
	n[REPORT_SEEN] = c.seen;
	n[REPORT_HELD] = c.held;
	n[REPORT_TCP_ALL] = c.tcp_total;
	n[REPORT_UDP_ALL] = c.udp_total;
	n[REPORT_KERNEL_ALL] = c.handed_total;
	n[REPORT_UP] = c.up;
	n[REPORT_DOWN] = c.down;
	n[REPORT_REFUSED] = c.refused;
	n[REPORT_DROPPED] = c.dropped;
	n[REPORT_BROKEN] = c.broken;
	n[REPORT_OVER] = c.over;
	n[REPORT_TCP_MOST] = c.tcp_most;
	n[REPORT_UDP_MOST] = c.udp_most;
	n[REPORT_PACKETS_IN] = c.in;
	n[REPORT_PACKETS_OUT] = c.out;
	n[REPORT_QUESTIONS] = c.questions;
	n[REPORT_MEMORY] = flows_memory(s->flows) + tcp_memory_structs(s->memory) +
		tcp_memory_budget(s->memory)->used;
	n[REPORT_MEMORY_MOST] = s->config->budget;
}

static const char *
carrier_name(const struct carrier_spec *c)
{
	switch (c->kind) {
	case CARRIER_RAW:
		return c->secured ? "TLS" : "TCP";
	case CARRIER_HTTP_HEAD:
		return c->secured ? "HTTP header in TLS" : "HTTP header";
	case CARRIER_WEBSOCKET:
		return c->secured ? "WebSocket in TLS" : "WebSocket";
	case CARRIER_HTTPUPGRADE:
		return c->secured ? "HTTPUpgrade in TLS" : "HTTPUpgrade";
	}
	return "";
}

/* "[2001:db8::1]:443 (WebSocket in TLS), and 2 more" */
static void
server_text(const struct outbound_spec *spec, char *buf, size_t cap)
{
	const struct vmess_spec *v = &spec->u.vmess;
	const char *address = v->server[0].address;
	bool bare = strchr(address, ':') != NULL;
	char more[32] = "";

	if (v->nserver > 1)
		snprintf(more, sizeof(more), ", and %zu more", v->nserver - 1);
	snprintf(buf, cap, "%s%.100s%s:%u (%s)%s", bare ? "[" : "", address,
		bare ? "]" : "", (unsigned)v->server[0].port, carrier_name(&v->carrier),
		more);
}

const char *
engine_status_kept(const struct setup *s, const struct outbound *o)
{
	if (!o->ops->direct)
		return NULL;
	if (!o->plain)
		return "it has settings of its own (domainStrategy, redirect, "
		       "sendThrough or sockopt)";
	if (flow_policy_limits(&s->policy, &o->policy))
		return "the policy limits their time (connIdle, uplinkOnly or "
		       "downlinkOnly)";
	return NULL;
}

static bool
is_kernel(const struct direct_report *d)
{
	return d->way == REPORT_WAY_SAFE || d->way == REPORT_WAY_KERNEL;
}

static uint64_t
ago(const struct engine_status *s, uint64_t when)
{
	return when == 0 ? REPORT_NEVER : loop_now(s->loop) - when;
}

static void
outbound_fill(const struct engine_status *s, size_t i, struct outbound_report *r)
{
	const struct outbound_spec *spec = &s->config->outbound[i];
	const struct outbound *o = s->setup->outbound[i];
	const struct outbound_tally *t = &o->tally;
	const char *kept = engine_status_kept(s->setup, o);

	snprintf(r->tag, sizeof(r->tag), "%s", o->tag);
	snprintf(r->kind, sizeof(r->kind), "%s", o->ops->kind);
	if (spec->kind == OUTBOUND_VMESS)
		server_text(spec, r->server, sizeof(r->server));
	r->flows = t->flows;
	r->up = t->up + t->running_up;
	r->down = t->down + t->running_down;
	r->answered = ago(s, t->answered);
	r->failed = ago(s, t->failed);
	r->failures = t->failures;
	snprintf(r->why, sizeof(r->why), "%s", t->why);
	if (kept && (is_kernel(&s->direct[0]) || is_kernel(&s->direct[1])))
		snprintf(r->kept, sizeof(r->kept), "%s", kept);
}

void
engine_status_fill(const struct engine_status *s, struct engine_report *r)
{
	memset(r, 0, sizeof(*r));
	counters_fill(s, r->n);
	r->offload = flows_offload(s->flows);
	memcpy(r->direct, s->direct, sizeof(r->direct));
	r->outbounds = (uint32_t)s->setup->noutbound;
	for (; r->noutbound < r->outbounds && r->noutbound < REPORT_OUTBOUNDS;
		r->noutbound++)
		outbound_fill(s, r->noutbound, &r->outbound[r->noutbound]);
}

void
engine_status_tell(const struct engine_status *s, int client, int list)
{
	uint8_t bytes[REPORT_MAX];
	struct engine_report r;

	flows_see(s->flows, list);
	if (list >= 0)
		close(list);
	engine_status_fill(s, &r);
	(void)sys_message_send(client, bytes, engine_report_write(&r, bytes), NULL, 0);
	close(client);
}
