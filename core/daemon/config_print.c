/* SPDX-License-Identifier: MIT */
#include "daemon/config_print.h"

#include "base/bytes.h"
#include "daemon/config_members.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * The typed form as JSON.  Everything that config_read settles is written out,
 * an implied TUN too, so that what is printed says all that holds.
 */

static struct json_object *
log_print(const struct config *c)
{
	static const char *const names[] = { [LOG_NONE] = "none",
		[LOG_ERROR] = "error",
		[LOG_WARNING] = "warning",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug" };
	struct json_object *o = json_object_new_object();

	member_put_text(o, "loglevel", names[c->log_level]);
	return o;
}

static struct json_object *
host_print(const struct names_host *h)
{
	struct json_object *a;
	char text[IP_TEXT];
	size_t i;

	if (h->alias)
		return json_object_new_string(h->alias);
	a = json_object_new_array();
	for (i = 0; i < h->n; i++)
		element_add_text(a, ip_format(&h->ip[i], text));
	return a;
}

static struct json_object *
dns_print(const struct config *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *servers = json_object_new_array();
	struct json_object *hosts = json_object_new_object();
	char text[ENDPOINT_TEXT];
	size_t i;

	for (i = 0; i < c->ndns_server; i++)
		element_add_text(servers,
			c->dns_server[i].kind == DNS_SERVER_LOCALHOST
				? "localhost"
				: endpoint_format(&c->dns_server[i].at, text));
	for (i = 0; i < c->nhost; i++)
		member_put(hosts, c->host[i].name, host_print(&c->host[i]));
	member_put(o, "servers", servers);
	member_put(o, "hosts", hosts);
	return o;
}

static struct json_object *
rule_print(const struct rule_spec *r)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "ruleTag", r->rule_tag);
	member_put_texts(o, "inboundTag", r->inbound_tag);
	member_put_texts(o, "domain", r->domain);
	member_put_texts(o, "ip", r->ip);
	member_put_text(o, "port", r->port);
	member_put_texts(o, "source", r->source);
	member_put_text(o, "sourcePort", r->source_port);
	if (r->networks)
		member_put_text(o, "network",
			r->networks == 1u << NETWORK_TCP           ? "tcp"
				: r->networks == 1u << NETWORK_UDP ? "udp"
								   : "tcp,udp");
	member_put_texts(o, "protocol", r->protocol);
	member_put_text(o, "outboundTag", r->outbound);
	return o;
}

static struct json_object *
routing_print(const struct config *c)
{
	static const char *const names[] = { [RESOLVE_AS_IS] = "AsIs",
		[RESOLVE_IF_NON_MATCH] = "IPIfNonMatch",
		[RESOLVE_ON_DEMAND] = "IPOnDemand" };
	struct json_object *o = json_object_new_object();
	struct json_object *rules = json_object_new_array();
	size_t i;

	member_put_text(o, "domainStrategy", names[c->strategy]);
	for (i = 0; i < c->nrule; i++)
		json_object_array_add(rules, rule_print(&c->rule[i]));
	member_put(o, "rules", rules);
	return o;
}

static void
put_level(struct json_object *levels, unsigned level, struct json_object *o)
{
	char key[16];

	snprintf(key, sizeof(key), "%u", level);
	member_put(levels, key, o);
}

static void
put_seconds(struct json_object *o, const char *key, unsigned seconds)
{
	if (seconds)
		member_put_number(o, key, seconds);
}

/* Nothing where nothing is set. */
static void
put_outbound_policy(
	struct json_object *levels, unsigned level, const struct outbound_policy *p)
{
	struct json_object *o;

	if (!(p->handshake | p->conn_idle | p->uplink_only | p->downlink_only))
		return;
	o = json_object_new_object();
	put_seconds(o, "handshake", p->handshake);
	put_seconds(o, "connIdle", p->conn_idle);
	put_seconds(o, "uplinkOnly", p->uplink_only);
	put_seconds(o, "downlinkOnly", p->downlink_only);
	put_level(levels, level, o);
}

/* The level of the first user of an outbound is the outbound's. */
static unsigned
outbound_level(const struct outbound_spec *s)
{
	return s->kind == OUTBOUND_VMESS ? s->u.vmess.server[0].user[0].level : 0;
}

static struct json_object *
policy_print(const struct config *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *levels = json_object_new_object();
	struct json_object *level = json_object_new_object();
	size_t i;

	for (i = 0; i < c->noutbound; i++)
		if (outbound_level(&c->outbound[i]) != c->level)
			put_outbound_policy(levels, outbound_level(&c->outbound[i]),
				&c->outbound[i].policy);
	member_put_number(level, "handshake", c->policy.handshake);
	if (c->policy.conn_idle_set)
		member_put_number(level, "connIdle", c->policy.conn_idle);
	member_put_number(level, "uplinkOnly", c->policy.uplink_only);
	member_put_number(level, "downlinkOnly", c->policy.downlink_only);
	put_level(levels, c->level, level);
	member_put(o, "levels", levels);
	return o;
}

static struct json_object *
sniffing_print(const struct sniffing *s)
{
	struct json_object *o = json_object_new_object();
	struct json_object *over = json_object_new_array();

	if (s->override & SNIFF_HTTP)
		element_add_text(over, "http");
	if (s->override & SNIFF_TLS)
		element_add_text(over, "tls");
	member_put_flag(o, "enabled", s->override != 0);
	member_put(o, "destOverride", over);
	member_put_flag(o, "routeOnly", s->route_only);
	member_put_texts(o, "domainsExcluded", s->exclude);
	return o;
}

static struct json_object *
tun_settings_print(const struct config *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *gateway = json_object_new_array();
	struct json_object *dns = json_object_new_array();
	struct json_object *routes = json_object_new_array();
	char text[CIDR_TEXT];
	int i;

	for (i = 0; i < c->tun.naddrs; i++)
		element_add_text(gateway, cidr_format(&c->tun.addrs[i], text));
	for (i = 0; i < 2; i++)
		if (c->tun_dns[i].family)
			element_add_text(dns, ip_format(&c->tun_dns[i], text));
	if (c->route_v4)
		element_add_text(routes, "0.0.0.0/0");
	if (c->route_v6)
		element_add_text(routes, "::/0");
	if (c->level)
		member_put_number(o, "userLevel", c->level);
	member_put_text(o, "name", c->tun.name);
	member_put_number(o, "mtu", (unsigned)c->tun.mtu);
	member_put(o, "gateway", gateway);
	member_put(o, "dns", dns);
	member_put(o, "autoSystemRoutingTable", routes);
	member_put_text(o, "autoOutboundsInterface", c->auto_interface);
	return o;
}

static struct json_object *
tun_print(const struct config *c)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "tag", c->tun_tag);
	member_put_text(o, "protocol", "tun");
	member_put(o, "settings", tun_settings_print(c));
	member_put(o, "sniffing", sniffing_print(&c->sniffing));
	return o;
}

static void
put_user(struct json_object *o, const struct vmess_user_spec *u)
{
	static const char *const names[] = { [VMESS_AES128_GCM] = "aes-128-gcm",
		[VMESS_CHACHA20_POLY1305] = "chacha20-poly1305",
		[VMESS_NONE] = "none",
		[VMESS_ZERO] = "zero" };
	char id[40];
	int i, n = 0;

	for (i = 0; i < 16; i++)
		n += snprintf(id + n, sizeof(id) - (size_t)n, "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u->id[i]);
	member_put_text(o, "id", id);
	bytes_wipe(id, sizeof(id));
	if (u->alter_ids)
		member_put_number(o, "alterId", u->alter_ids);
	member_put_text(o, "security", names[u->security]);
	if (u->level)
		member_put_number(o, "level", u->level);
	if (u->authenticated_length || u->no_termination_signal)
		member_put_text(o, "experiments",
			!u->no_termination_signal ? "AuthenticatedLength"
				: u->authenticated_length
				? "AuthenticatedLength|NoTerminationSignal"
				: "NoTerminationSignal");
}

static struct json_object *
server_print(const struct vmess_server_spec *s)
{
	struct json_object *o = json_object_new_object();
	struct json_object *users = json_object_new_array(), *user;
	size_t i;

	member_put_text(o, "address", s->address);
	member_put_number(o, "port", s->port);
	for (i = 0; i < s->nuser; i++) {
		user = json_object_new_object();
		put_user(user, &s->user[i]);
		json_object_array_add(users, user);
	}
	member_put(o, "users", users);
	return o;
}

/* The short form where it says everything. */
static struct json_object *
vmess_print(const struct vmess_spec *v)
{
	struct json_object *o = json_object_new_object(), *list;
	size_t i;

	if (v->nserver == 1 && v->server[0].nuser == 1) {
		member_put_text(o, "address", v->server[0].address);
		member_put_number(o, "port", v->server[0].port);
		put_user(o, &v->server[0].user[0]);
		return o;
	}
	list = json_object_new_array();
	for (i = 0; i < v->nserver; i++)
		json_object_array_add(list, server_print(&v->server[i]));
	member_put(o, "vnext", list);
	return o;
}

static struct json_object *
freedom_print(const struct freedom_spec *f)
{
	static const char *const names[] = { [DOMAIN_AS_IS] = "AsIs",
		[DOMAIN_USE_IP] = "UseIP",
		[DOMAIN_USE_IP4] = "UseIPv4",
		[DOMAIN_USE_IP6] = "UseIPv6" };
	struct json_object *o = json_object_new_object();
	char text[NAME_MAX_LEN + 16];
	bool v6;

	member_put_text(o, "domainStrategy", names[f->strategy]);
	if (!f->redirect_address)
		return o;
	v6 = strchr(f->redirect_address, ':') != NULL;
	snprintf(text, sizeof(text), "%s%s%s:%u", v6 ? "[" : "", f->redirect_address,
		v6 ? "]" : "", f->redirect_port);
	member_put_text(o, "redirect", text);
	return o;
}

static struct json_object *
blackhole_print(const struct blackhole_spec *b)
{
	struct json_object *o = json_object_new_object();
	struct json_object *response = json_object_new_object();

	member_put_text(response, "type", b->http ? "http" : "none");
	member_put(o, "response", response);
	return o;
}

static struct json_object *
settings_print(const struct outbound_spec *s)
{
	switch (s->kind) {
	case OUTBOUND_FREEDOM:
		return freedom_print(&s->u.freedom);
	case OUTBOUND_BLACKHOLE:
		return blackhole_print(&s->u.blackhole);
	case OUTBOUND_VMESS:
		return vmess_print(&s->u.vmess);
	}
	return NULL;
}

static struct json_object *
outbound_print(const struct config *c, const struct outbound_spec *s)
{
	static const char *const names[] = { [OUTBOUND_FREEDOM] = "freedom",
		[OUTBOUND_BLACKHOLE] = "blackhole",
		[OUTBOUND_VMESS] = "vmess" };
	struct json_object *o = json_object_new_object(), *stream;
	char text[IP_TEXT];

	member_put_text(o, "tag", s->tag);
	member_put_text(o, "protocol", names[s->kind]);
	if (s->sock.source.family)
		member_put_text(o, "sendThrough", ip_format(&s->sock.source, text));
	member_put(o, "settings", settings_print(s));
	stream = config_print_stream(c, s);
	if (stream)
		member_put(o, "streamSettings", stream);
	return o;
}

static struct json_object *
sntp_print(const struct config *c)
{
	struct json_object *list = json_object_new_array();
	char text[NAME_MAX_LEN + 8];
	size_t i;

	for (i = 0; i < c->nsntp; i++) {
		const struct target *at = &c->sntp[i].at;
		const struct endpoint e = { at->ip, at->port };

		if (at->name)
			snprintf(text, sizeof(text), "%s:%u", at->name, at->port);
		else
			endpoint_format(&e, text);
		element_add_text(list, text);
	}
	return list;
}

static const char *const direct_words[] = {
	[DIRECT_STACK] = "stack",
	[DIRECT_AUTO] = "auto",
	[DIRECT_KERNEL] = "kernel",
};

static struct json_object *
own_print(const struct config *c)
{
	struct json_object *own = json_object_new_object();

	member_put_text(own, "geoip", c->geoip_file);
	if (c->tls != TLS_ANY)
		member_put_text(
			own, "tls", c->tls == TLS_BEARSSL ? "bearssl" : "openssl");
	if (c->tun_plain)
		member_put_flag(own, "offload", false);
	if (c->budget != CONFIG_BUDGET)
		member_put_number(own, "memory", (int64_t)c->budget);
	if (c->warm)
		member_put_number(own, "warm", (int)c->warm);
	if (c->clock_auto)
		member_put_text(own, "clock", "auto");
	if (c->nsntp)
		member_put(own, "sntp", sntp_print(c));
	if ((int)c->direct != CONFIG_DIRECT)
		member_put_text(own, "direct", direct_words[c->direct]);
	return own;
}

static struct json_object *
document_print(const struct config *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *inbounds = json_object_new_array();
	struct json_object *outbounds = json_object_new_array();
	size_t i;

	json_object_array_add(inbounds, tun_print(c));
	for (i = 0; i < c->noutbound; i++)
		json_object_array_add(outbounds, outbound_print(c, &c->outbound[i]));
	member_put(o, "log", log_print(c));
	member_put(o, "dns", dns_print(c));
	member_put(o, "routing", routing_print(c));
	member_put(o, "policy", policy_print(c));
	member_put(o, "inbounds", inbounds);
	member_put(o, "outbounds", outbounds);
	member_put(o, "sluice", own_print(c));
	return o;
}

int
config_print(const struct config *c, char **text)
{
	struct json_object *o = document_print(c);

	*text = document_text_new(o);
	json_object_put(o);
	return *text ? 0 : -ENOMEM;
}

void
config_print_free(char *text)
{
	document_text_free(text);
}
