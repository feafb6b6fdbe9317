/* SPDX-License-Identifier: MIT */
#include "daemon/dialer.h"

#include "loop/loop.h"
#include "platform/net.h"
#include "platform/sys.h"

int
dialer_init(struct dialer *d, const struct config *c, struct err *e)
{
	struct net_resolvers machine;

	if (net_resolver_read(&machine) < 0)
		machine.n = 0;
	d->loop = loop_new();
	d->memory = tcp_memory_new();
	if (!d->loop || !d->memory)
		return err_set(e, "no memory to start with");
	d->names = build_names(c, d->loop, &machine);
	if (!d->names)
		return err_set(e, "no memory to start with");
	d->env = (struct outbound_env){ .loop = d->loop,
		.names = d->names,
		.memory = d->memory,
		.unix_time = sys_unix_time };
	if (build_times(c, &d->env) < 0)
		return err_set(e, "no memory to start with");
	return 0;
}

int
dialer_setup(struct dialer *d, struct command_setup *from, struct err *e)
{
	d->setup = build_setup(from->config, from->rules, &d->env, e);
	from->rules = NULL;
	if (!d->setup)
		return -1;
	rules_gate_init(&d->gate, d->setup);
	times_open(d->env.times, &d->gate.gate);
	return 0;
}

void
dialer_fini(struct dialer *d)
{
	times_shut(d->env.times);
	setup_drop(d->setup);
	times_free(d->env.times);
	names_free(d->names);
	if (d->loop)
		loop_free(d->loop);
	tcp_memory_free(d->memory);
}
