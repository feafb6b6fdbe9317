/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include "base/list.h"
#include "base/log.h"
#include "sim/flow/sides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const sim_server_net[] = { "203.0.113.0/24", NULL };
const struct rule_spec sim_by_server = {
	.path = "0", .ip = sim_server_net, .outbound = "vmess"
};

struct loop *loop;
struct flows *flows;
struct tcp_memory *memory;

static struct setup *first;
static struct dns *dns;
static unsigned setups;

static const struct outbound_ops direct_ops = { .kind = "direct",
	.truthful = true,
	.direct = true,
	.dial = far_dial,
	.bind = far_bind,
	.free = far_outbound_free };
static const struct outbound_ops vmess_ops = { .kind = "vmess",
	.per_target = true,
	.heavy = true,
	.dial = far_dial,
	.bind = far_bind,
	.free = far_outbound_free };
static const struct outbound_ops block_ops = { .kind = "block",
	.truthful = true,
	.dial = far_dial,
	.bind = far_bind,
	.free = far_outbound_free };

static struct outbound *
outbound_of(const struct outbound_ops *ops)
{
	struct outbound *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->ops = ops;
	o->count = 1;
	o->plain = ops->direct;
	o->env.memory = memory;
	snprintf(o->tag, sizeof(o->tag), "%s", ops->kind);
	return o;
}

static void
setup_free(struct setup *s)
{
	for (size_t i = 0; i < s->noutbound; i++)
		outbound_drop(s->outbound[i]);
	free(s->outbound);
	rules_free(s->rules);
	free(s);
	setups--;
}

struct setup *
sim_setup(const struct sim_config *c)
{
	struct rules_spec spec = { .rule = c->rule, .n = c->nrule };
	struct setup *s = calloc(1, sizeof(*s));
	struct err e;

	assert_non_null(s);
	s->rules = rules_load(&spec, &e);
	if (s->rules == NULL)
		fail_msg("%s", e.text);
	s->outbound = calloc(3, sizeof(*s->outbound));
	assert_non_null(s->outbound);
	s->outbound[0] = outbound_of(&direct_ops);
	s->outbound[1] = outbound_of(&vmess_ops);
	s->outbound[2] = outbound_of(&block_ops);
	s->noutbound = 3;
	s->sniffing = c->sniffing;
	s->policy = c->policy;
	s->inbound_tag = "tun";
	s->count = 1;
	s->free = setup_free;
	setups++;
	return s;
}

unsigned
sim_setups(void)
{
	return setups;
}

void
sim_begin(const struct sim_config *c)
{
	struct dns_config d = { .nserver = c->no_server ? 0 : 1 };
	struct flows_config f = c->flows;
	struct err e;

	assert_true(endpoint_parse(&d.server[0], "192.0.2.53:53"));
	assert_true(ip_parse(&d.ours[0], "198.18.0.2"));
	script_reset();
	sides_begin();
	loop = loop_new();
	assert_non_null(loop);
	dns = dns_new(loop, &d);
	assert_non_null(dns);
	memory = tcp_memory_new();
	assert_non_null(memory);
	first = sim_setup(c);
	f.ping4 = SIM_PING4;
	f.ping6 = -1;
	f.stack.mtu = 1500;
	flows = flows_new(loop, SIM_TUN, &f, first, dns, NULL, &e);
	if (flows == NULL)
		fail_msg("%s", e.text);
}

size_t
sim_tcp(void)
{
	struct flow_counters n;

	flows_count(flows, &n);
	return n.tcp;
}

size_t
sim_udp(void)
{
	struct flow_counters n;

	flows_count(flows, &n);
	return n.udp;
}

void
sim_settle(void)
{
	do
		assert_true(script_settle(loop));
	while (sides_have_packets());
}

/* In steps, since what an application answers takes no time. */
void
sim_pass(uint64_t ms)
{
	enum { STEP = 10 };

	sim_settle();
	for (; ms > 0; ms -= ms < STEP ? ms : STEP) {
		assert_true(script_pass(loop, ms < STEP ? ms : STEP));
		sim_settle();
	}
}

void
sim_end(void)
{
	assert_int_equal(flows_free(flows), 0);
	setup_drop(first);
	assert_int_equal(setups, 0);
	dns_free(dns);
	loop_free(loop);
	tcp_memory_free(memory);
	loop = NULL;
	sides_end();
}

struct app *
sim_connected(const char *source, const char *target, struct far **far)
{
	struct app *a = app_new(source, target);

	app_syn(a);
	sim_settle();
	*far = far_at(far_count() - 1);
	assert_non_null(*far);
	far_opens(*far, STREAM_OK);
	sim_settle();
	assert_true(a->connected);
	return a;
}
