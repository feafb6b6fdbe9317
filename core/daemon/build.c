/* SPDX-License-Identifier: MIT */
#include "daemon/build.h"

#include <stdlib.h>

static void
setup_free(struct setup *s)
{
	size_t i;

	for (i = 0; i < s->noutbound; i++)
		outbound_drop(s->outbound[i]);
	free(s->outbound);
	rules_free(s->rules);
	free(s);
}

static int
outbounds_build(struct setup *s, const struct config *c, const struct outbound_env *env,
	struct err *e)
{
	s->outbound = calloc(c->noutbound, sizeof(struct outbound *));
	if (!s->outbound)
		return err_set(e, "%s: no memory for the outbounds", c->file);
	for (; s->noutbound < c->noutbound; s->noutbound++) {
		s->outbound[s->noutbound] = outbound_new(
			&c->outbound[s->noutbound], env, e);
		if (!s->outbound[s->noutbound])
			return -1;
	}
	return 0;
}

struct setup *
build_setup(struct config *c, struct rules *rules, const struct outbound_env *env,
	struct err *e)
{
	struct setup *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(e, "%s: no memory for the rules", c->file);
		rules_free(rules);
		return NULL;
	}
	s->count = 1;
	s->free = setup_free;
	s->rules = rules;
	s->sniffing = c->sniffing;
	c->sniffing.excluded = NULL;
	s->policy = c->policy;
	s->inbound_tag = c->tun_tag;
	if (outbounds_build(s, c, env, e) < 0) {
		setup_drop(s);
		return NULL;
	}
	return s;
}

struct names *
build_names(const struct config *c, struct loop *l, const struct net_resolvers *machine)
{
	struct names_config n = {
		.host = c->host, .nhost = c->nhost, .hosts_file = "/etc/hosts"
	};
	int i;

	for (i = 0; i < machine->n && i < NAMES_SERVERS; i++)
		n.server[n.nserver++] = machine->at[i];
	return names_new(l, &n);
}

/* The servers of the configuration in their order; `localhost` stands for the machine's. */
static void
dns_servers(
	struct dns_config *d, const struct config *c, const struct net_resolvers *machine)
{
	size_t i;
	int k;

	for (i = 0; i < c->ndns_server; i++) {
		if (c->dns_server[i].kind == DNS_SERVER_ADDRESS) {
			if (d->nserver < NAMES_SERVERS)
				d->server[d->nserver++] = c->dns_server[i].at;
			continue;
		}
		for (k = 0; k < machine->n && d->nserver < NAMES_SERVERS; k++)
			d->server[d->nserver++] = machine->at[k];
	}
	for (k = 0; c->ndns_server == 0 && k < machine->n && k < NAMES_SERVERS; k++)
		d->server[d->nserver++] = machine->at[k];
}

struct dns *
build_dns(const struct config *c, struct loop *l, const struct net_resolvers *machine)
{
	struct dns_config d = { .host = c->host, .nhost = c->nhost };

	d.ours[0] = c->tun_dns[0];
	d.ours[1] = c->tun_dns[1];
	dns_servers(&d, c, machine);
	return dns_new(l, &d);
}
