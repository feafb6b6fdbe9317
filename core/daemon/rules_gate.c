/* SPDX-License-Identifier: MIT */
#include "daemon/rules_gate.h"

#include "base/list.h"

/* Where it leads, for people. */
static void
say_where(const struct target *to, const struct outbound *o, struct err *e)
{
	char ip[IP_TEXT];

	err_set(e,
		"the rules send %.100s, UDP port %u, to \"%s\", and only what they send "
		"directly is asked",
		to->name ? to->name : ip_format(&to->ip, ip), to->port, o ? o->tag : "");
}

static enum time_gate_answer
rules_gate_ask(struct time_gate *gate, const struct target *to, struct outbound **o,
	struct err *e)
{
	const struct setup *s = container_of(gate, struct rules_gate, gate)->setup;
	struct facts f = { .known = FACT_NAME | FACT_BYTES,
		.network = NETWORK_UDP,
		.ip = to->ip,
		.port = to->port,
		.name = to->name,
		.inbound_tag = s->inbound_tag };
	struct verdict v;

	if (to->ip.family) {
		f.known |= FACT_ADDRESSES;
		f.addrs = &to->ip;
		f.naddrs = 1;
	}
	rules_decide(s->rules, &f, &v);
	if (v.missing & FACT_ADDRESSES)
		return TIME_GATE_ADDRESSES;
	*o = setup_outbound(s, v.outbound);
	if (*o && (*o)->ops->direct)
		return TIME_GATE_OPEN;
	say_where(to, *o, e);
	return TIME_GATE_SHUT;
}

void
rules_gate_init(struct rules_gate *g, const struct setup *setup)
{
	g->gate.ask = rules_gate_ask;
	g->setup = setup;
}
