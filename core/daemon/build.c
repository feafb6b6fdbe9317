/* SPDX-License-Identifier: MIT */
#include "daemon/build.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* At a time; a further one waits. */
enum { TLS_CONNECTIONS_MAX = 4096 };

static void
setup_free(struct setup *s)
{
	size_t i;

	for (i = 0; i < s->noutbound; i++) {
		outbound_retire(s->outbound[i]);
		outbound_drop(s->outbound[i]);
	}
	outbound_drop(s->local);
	free(s->outbound);
	rules_free(s->rules);
	free(s);
}

bool
build_interface_lacks(const struct outbound_spec *spec, char line[static BUILD_LINE])
{
	if (!spec->sock.interface[0] || net_link_index(spec->sock.interface) != 0)
		return false;
	snprintf(line, BUILD_LINE,
		"%s: is bound to the interface %s (sockopt.interface or "
		"autoOutboundsInterface), which is not there: until it is, all that goes by "
		"this outbound%s%s fails",
		spec->path ? spec->path : "", spec->sock.interface,
		spec->tag && spec->tag[0] ? ", " : "", spec->tag ? spec->tag : "");
	return true;
}

static int
outbounds_build(struct setup *s, const struct config *c, const struct outbound_env *env,
	struct err *e)
{
	/* Without the interface that the others may be bound to: a resolver of this machine
	 * may be on its loopback. */
	const struct outbound_spec local = {
		.tag = "local resolver", .path = c->file, .kind = OUTBOUND_FREEDOM
	};
	char line[BUILD_LINE];

	s->outbound = calloc(c->noutbound, sizeof(struct outbound *));
	if (!s->outbound)
		return err_set(e, "%s: no memory for the outbounds", c->file);
	for (; s->noutbound < c->noutbound; s->noutbound++) {
		if (build_interface_lacks(&c->outbound[s->noutbound], line))
			log_warn("%s", line);
		s->outbound[s->noutbound] = outbound_new(
			&c->outbound[s->noutbound], env, e);
		if (!s->outbound[s->noutbound])
			return -1;
	}
	s->local = outbound_new(&local, env, e);
	return s->local ? 0 : -1;
}

/* All outbounds share what TLS needs, and hold it. */
static int
outbounds_build_all(struct setup *s, const struct config *c,
	const struct outbound_env *env, struct err *e)
{
	struct outbound_env with = *env;
	int r;

	with.tls = tls_stock_new(NULL, TLS_CONNECTIONS_MAX);
	if (with.tls)
		tls_stock_share(with.tls, tcp_memory_budget(env->memory));
	with.tls_library = c->tls;
	r = outbounds_build(s, c, &with, e);
	tls_stock_drop(with.tls);
	return r;
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
	if (outbounds_build_all(s, c, env, e) < 0) {
		setup_drop(s);
		return NULL;
	}
	return s;
}

int
build_times(const struct config *c, struct outbound_env *env)
{
	env->clock_auto = c->clock_auto;
	env->times = times_new(env, c->sntp, c->nsntp);
	return env->times ? 0 : -1;
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

/* What stands for another host, or none, on every network: an outbound's server would
 * ask somebody else. */
static bool
is_private(const struct ip *ip)
{
	static const char *const nets[] = { "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1/128",
		"fc00::/7", "fe80::/10" };
	struct cidr c;
	size_t i;

	for (i = 0; i < sizeof(nets) / sizeof(*nets); i++)
		if (cidr_parse(&c, nets[i]) && cidr_has(&c, ip))
			return true;
	return false;
}

/* Local is what cannot be asked from elsewhere; or on our link, past the device anyway. */
static bool
is_local(const struct ip *ip)
{
	struct net_wayout w;

	return is_private(ip) || (net_wayout(ip, getuid(), &w) == 0 && w.on_link);
}

static void
dns_machine(struct dns_config *d, const struct net_resolvers *machine)
{
	int k;

	for (k = 0; k < machine->n && d->nserver < NAMES_SERVERS; k++) {
		d->local[d->nserver] = is_local(&machine->at[k].ip);
		d->server[d->nserver++] = machine->at[k];
	}
}

/* The servers of the configuration in their order; `localhost` stands for the machine's. */
static void
dns_servers(
	struct dns_config *d, const struct config *c, const struct net_resolvers *machine)
{
	size_t i;

	for (i = 0; i < c->ndns_server; i++) {
		if (c->dns_server[i].kind != DNS_SERVER_ADDRESS)
			dns_machine(d, machine);
		else if (d->nserver < NAMES_SERVERS)
			d->server[d->nserver++] = c->dns_server[i].at;
	}
	if (c->ndns_server == 0)
		dns_machine(d, machine);
}

/* Said once for all of them: what is asked there is seen on this network. */
static void
warn_local(const struct dns_config *d, const struct config *c, const struct setup *s)
{
	struct facts f = { .network = NETWORK_UDP,
		.inbound_tag = s->inbound_tag,
		.known = FACT_NAME | FACT_ADDRESSES | FACT_BYTES };
	char at[ENDPOINT_TEXT];
	struct outbound *o;
	struct verdict v;
	int i;

	for (i = 0; i < d->nserver; i++) {
		f.ip = d->server[i].ip;
		f.port = d->server[i].port;
		rules_decide(s->rules, &f, &v);
		o = setup_outbound(s, v.outbound);
		if (!d->local[i] || !v.general || !o || o->ops->direct)
			continue;
		log_warn(
			"%s: names are asked outside of the tunnel: this machine's resolver "
			"(%s) is on its own network, where \"%s\" does not lead. To ask "
			"through the tunnel, name a public resolver in dns.servers",
			c->file, endpoint_format(&d->server[i], at), o->tag);
		return;
	}
}

struct dns *
build_dns(const struct config *c, struct loop *l, const struct net_resolvers *machine,
	const struct setup *s)
{
	struct dns_config d = { .host = c->host, .nhost = c->nhost };

	d.ours[0] = c->tun_dns[0];
	d.ours[1] = c->tun_dns[1];
	dns_servers(&d, c, machine);
	warn_local(&d, c, s);
	return dns_new(l, &d);
}
