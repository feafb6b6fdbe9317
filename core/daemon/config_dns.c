/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* dns: plain servers, localhost, and hosts.  The rest is refused by name. */

enum { DNS_PORT = 53, HOSTS_MAX = 65536 };

static const char answers_change[] = "is not supported yet, and would change answers";
static const char no_choice[] = "has no effect: servers are asked in their order";

static const struct key dns_keys[] = {
	{ "servers", KEY_READ },
	{ "hosts", KEY_READ },
	{ "queryStrategy", KEY_READ },
	{ "tag", KEY_SILENT },
	{ "disableCache", KEY_SILENT },
	{ "useSystemHosts", KEY_SILENT },
	{ "clientIp", KEY_IDLE, "is not sent" },
	{ "disableFallback", KEY_IDLE, no_choice },
	{ "disableFallbackIfMatch", KEY_IDLE, no_choice },
	{ "enableParallelQuery", KEY_IDLE, no_choice },
	{ "serveStale", KEY_IDLE, "stale answers are not given" },
	{ "serveExpiredTTL", KEY_IDLE, "stale answers are not given" },
	{ "cacheStrategy", KEY_IDLE, "has no effect here" },
	{ "fallbackStrategy", KEY_IDLE, no_choice },
	{ "domainMatcher", KEY_IDLE, "has no effect here" },
	{ "fakedns", KEY_REFUSED, answers_change },
	{ NULL },
};

static const struct key server_keys[] = {
	{ "address", KEY_READ },
	{ "port", KEY_READ },
	{ "domains", KEY_REFUSED, "servers for some names only are not supported yet" },
	{ "expectIPs", KEY_REFUSED, answers_change },
	{ "expectedIPs", KEY_REFUSED, answers_change },
	{ "unexpectedIPs", KEY_REFUSED, answers_change },
	{ "queryStrategy", KEY_READ },
	{ "fakedns", KEY_REFUSED, answers_change },
	{ "clientIP", KEY_IDLE, "is not sent" },
	{ "skipFallback", KEY_IDLE, no_choice },
	{ "finalQuery", KEY_IDLE, no_choice },
	{ "timeoutMs", KEY_IDLE, "has no effect here" },
	{ "disableCache", KEY_SILENT },
	{ "serveStale", KEY_IDLE, "stale answers are not given" },
	{ "serveExpiredTTL", KEY_IDLE, "stale answers are not given" },
	{ "tag", KEY_SILENT },
	{ NULL },
};

static int
query_strategy_read(const struct node *up)
{
	struct node n = node_get(up, "queryStrategy");
	const char *s = "";

	if (node_text(&n, &s) == -1)
		return -1;
	if (s[0] && strcasecmp(s, "UseIP") != 0 && strcasecmp(s, "UseSystem") != 0)
		return node_refuse(&n, "%s %s", shown(s).text, answers_change);
	return 0;
}

/* `n` is where the text stands; the port is that of an object, or 0. */
static int
server_parse(
	const struct node *n, const char *s, uint16_t port, struct dns_server_spec *spec)
{
	if (strcasecmp(s, "localhost") == 0) {
		spec->kind = DNS_SERVER_LOCALHOST;
		return 0;
	}
	if (strcasecmp(s, "fakedns") == 0)
		return node_refuse(n, "fakedns is not supported yet");
	if (strstr(s, "://"))
		return node_refuse(n,
			"%s: only plain servers (an address) and localhost "
			"are supported yet",
			shown(s).text);
	spec->kind = DNS_SERVER_ADDRESS;
	if (ip_parse(&spec->at.ip, s)) {
		spec->at.port = port ? port : DNS_PORT;
		return 0;
	}
	if (endpoint_parse(&spec->at, s) && spec->at.port) {
		spec->at.port = port ? port : spec->at.port;
		return 0;
	}
	return node_fail(n, "%s is not an address, nor localhost", shown(s).text);
}

static int
server_read(const struct node *n, struct dns_server_spec *spec)
{
	struct node address = node_is_object(n) ? node_get(n, "address") : *n;
	struct node port = node_get(n, "port");
	const char *s = NULL;
	uint16_t number = 0;

	if (node_is_object(n) && node_keys(n, server_keys) == -1)
		return -1;
	if (query_strategy_read(n) == -1 || node_text(&address, &s) == -1 ||
		node_port(&port, &number) == -1)
		return -1;
	if (!s || !s[0])
		return node_fail(&address, "is missing: the address of a server");
	return server_parse(&address, s, number, spec);
}

static int
servers_read(const struct node *dns)
{
	struct config *c = dns->reader->config;
	struct node list = node_get(dns, "servers");
	size_t i, n = node_count(&list);

	c->dns_server = config_memory_take(
		dns->reader->memory, NAMES_SERVERS, sizeof(*c->dns_server));
	for (i = 0; i < n; i++) {
		struct node server = node_at(&list, i);
		struct dns_server_spec spec = { 0 };

		if (server_read(&server, &spec) == -1)
			return -1;
		if (c->ndns_server < NAMES_SERVERS)
			c->dns_server[c->ndns_server++] = spec;
		else if (i == NAMES_SERVERS)
			node_warn(&server, "only the first %d servers are used",
				NAMES_SERVERS);
	}
	return 0;
}

/* "full:a.example" and "a.example" mean that name alone; other forms mean many. */
static int
host_name_read(const struct node *n, const char **out)
{
	static const char *const many[] = { "domain:", "keyword:", "regexp:", "geosite:",
		"dotless:", "ext:", "ext-domain:", NULL };
	const char *s = n->key;
	char name[NAME_MAX_LEN + 1];
	size_t i;

	for (i = 0; many[i]; i++)
		if (strncasecmp(s, many[i], strlen(many[i])) == 0)
			return node_refuse(
				n, "%s is not supported yet, only names", many[i]);
	if (strncasecmp(s, "full:", 5) == 0)
		s += 5;
	if (!name_normal(name, sizeof(name), s, strlen(s)) || strchr(name, ':'))
		return node_fail(n, "%s is not a name", shown(s).text);
	*out = config_memory_text(n->reader->memory, name, strlen(name));
	return 0;
}

static int
alias_read(const struct node *n, const char *s, const char **out)
{
	char name[NAME_MAX_LEN + 1];
	struct ip ip;

	if (s[0] == '#')
		return node_refuse(n, "answers by code are not supported yet");
	/* "192.0.2.1." is neither. */
	if (!name_normal(name, sizeof(name), s, strlen(s)) || ip_parse(&ip, name))
		return node_fail(n, "%s is not an address or a name", shown(s).text);
	*out = config_memory_text(n->reader->memory, name, strlen(name));
	return 0;
}

static int
host_read(const struct node *n, void *arg)
{
	struct config *c = arg;
	struct names_host *h = &c->host[c->nhost];
	const char *const *list = NULL;
	struct ip *ip;
	size_t i;

	if (host_name_read(n, &h->name) == -1 || node_texts(n, &list) == -1)
		return -1;
	if (!list || !list[0])
		return node_fail(n, "has no address");
	for (i = 0; list[i]; i++)
		;
	ip = config_memory_take(n->reader->memory, i, sizeof(*ip));
	if (!list[1] && !ip_parse(&ip[0], list[0])) {
		c->nhost++;
		return alias_read(n, list[0], &h->alias);
	}
	for (i = 0; list[i]; i++)
		if (!ip_parse(&ip[i], list[i]))
			return node_fail(n, "%s is not an address", shown(list[i]).text);
	h->ip = ip;
	h->n = i;
	c->nhost++;
	return 0;
}

static int
count_one(const struct node *n, void *arg)
{
	size_t *count = arg;

	if (++*count > HOSTS_MAX)
		return node_fail(n->up, "more than %d hosts", HOSTS_MAX);
	return 0;
}

int
config_read_dns(const struct node *root)
{
	struct config *c = root->reader->config;
	struct node dns = node_get(root, "dns");
	struct node hosts = node_get(&dns, "hosts");
	size_t count = 0;

	if (node_keys(&dns, dns_keys) == -1 || query_strategy_read(&dns) == -1 ||
		servers_read(&dns) == -1)
		return -1;
	if (!node_is_empty(&hosts) && !node_is_object(&hosts))
		return node_fail(&hosts, "is not an object of names");
	if (node_each(&hosts, count_one, &count) == -1)
		return -1;
	c->host = config_memory_take(root->reader->memory, count, sizeof(*c->host));
	return node_each(&hosts, host_read, c);
}
