/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Outbounds: found first, so that rules can be checked against their tags; read in full
 * once it is known which of them the rules reach. */

enum { OUTBOUNDS_MAX = 1024, TAG_MAX = 63 };

static const char *const kinds[] = { "freedom", "blackhole", "vmess", "direct", "block",
	NULL };
static const int kind_of[] = { OUTBOUND_FREEDOM, OUTBOUND_BLACKHOLE, OUTBOUND_VMESS,
	OUTBOUND_FREEDOM, OUTBOUND_BLACKHOLE };

static int
row_find(struct config_reader *r, const struct node *out)
{
	struct outbound_row *row = &r->row[r->nrow];
	struct node protocol = node_get(out, "protocol");
	struct node tag = node_get(out, "tag");
	int k = -1;
	size_t i;

	if (!node_is_object(out))
		return node_fail(out, "is not an object");
	row->node = out;
	row->tag = "";
	if (node_word(&protocol, kinds, &k, NULL) == -1 ||
		node_text(&tag, &row->tag) == -1)
		return -1;
	row->kind = k < 0 ? -1 : kind_of[k];
	if (strlen(row->tag) > TAG_MAX)
		return node_fail(&tag, "is longer than %d bytes", TAG_MAX);
	for (i = 0; i < r->nrow && row->tag[0]; i++)
		if (strcmp(r->row[i].tag, row->tag) == 0)
			return node_fail(&tag, "%s is the tag of another outbound too",
				shown(row->tag).text);
	r->nrow++;
	return 0;
}

int
config_find_outbounds(const struct node *root)
{
	/* In the order of v2ray 4: what is first is where everything goes that no
	 * rule names. */
	static const char *const lists[] = { "outbound", "outboundDetour", "outbounds" };
	struct config_reader *r = root->reader;
	size_t i, k;

	r->row = config_memory_take(r->memory, OUTBOUNDS_MAX, sizeof(*r->row));
	for (k = 0; k < sizeof(lists) / sizeof(*lists); k++) {
		struct node n = node_get(root, lists[k]);
		const struct node *list = node_keep(&n);

		if (r->nrow + node_count(list) > OUTBOUNDS_MAX)
			return node_fail(list, "more than %d outbounds", OUTBOUNDS_MAX);
		for (i = 0; i < node_count(list); i++) {
			struct node out = node_at(list, i);

			if (row_find(r, node_keep(&out)) == -1)
				return -1;
		}
	}
	if (r->nrow == 0) {
		struct node n = node_get(root, "outbounds");

		return node_fail(&n, "there is no outbound, so nothing can leave");
	}
	r->row[0].reached = true;
	return 0;
}

/* "host:port", ":port", "host:", with brackets around an IPv6 address. */
static int
redirect_read(const struct node *settings, struct freedom_spec *f)
{
	struct node n = node_get(settings, "redirect");
	const char *s = NULL, *colon;
	char host[NAME_MAX_LEN + 3], name[NAME_MAX_LEN + 1];
	uint64_t port = 0;
	struct ip ip;
	size_t len;

	if (node_text(&n, &s) == -1)
		return -1;
	if (!s || !s[0])
		return 0;
	colon = strrchr(s, ':');
	len = colon ? (size_t)(colon - s) : 0;
	if (!colon || len >= sizeof(host) ||
		(colon[1] && !number_parse(&port, colon + 1, UINT16_MAX)))
		return node_fail(&n, "%s is not host:port", shown(s).text);
	if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	}
	memcpy(host, s, len);
	host[len] = '\0';
	if (len && !ip_parse(&ip, host)) {
		if (!name_normal(name, sizeof(name), host, len))
			return node_fail(
				&n, "%s is not an address or a name", shown(host).text);
		memcpy(host, name, strlen(name) + 1);
	}
	f->redirect_address = config_memory_text(n.reader->memory, host, strlen(host));
	f->redirect_port = (uint16_t)port;
	return 0;
}

/* `n` is a domainStrategy or a targetStrategy of a freedom outbound. */
static int
strategy_read(const struct node *n, enum domain_strategy *out)
{
	static const char *const words[] = { "AsIs", "UseIP", "UseIPv4", "UseIPv6",
		"ForceIP", "ForceIPv4", "ForceIPv6", "UseIPv4v6", "UseIPv6v4",
		"ForceIPv4v6", "ForceIPv6v4", NULL };
	static const enum domain_strategy meant[] = { DOMAIN_AS_IS, DOMAIN_USE_IP,
		DOMAIN_USE_IP4, DOMAIN_USE_IP6, DOMAIN_USE_IP, DOMAIN_USE_IP4,
		DOMAIN_USE_IP6, DOMAIN_USE_IP, DOMAIN_USE_IP, DOMAIN_USE_IP,
		DOMAIN_USE_IP };
	const char *s, *near;
	int i = 0;

	if (node_word(n, words, &i, &s) == -1)
		return -1;
	if (!s || !s[0])
		return 0;
	if (i < 0) {
		near = text_nearest(s, words);
		return node_fail(n, "%s is not a strategy%s%s%s", shown(s).text,
			near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	}
	if (i >= 7)
		node_warn(n, "%s: both families are tried, in the order of RFC 8305",
			words[i]);
	*out = meant[i];
	return 0;
}

static int
freedom_read(const struct node *out, struct outbound_spec *spec)
{
	static const struct key keys[] = {
		{ "domainStrategy", KEY_READ },
		{ "redirect", KEY_READ },
		{ "userLevel", KEY_SILENT },
		{ "level", KEY_SILENT },
		{ "timeout", KEY_IDLE, "policy.levels has the times now" },
		{ "fragment", KEY_REFUSED, "splitting of packets is not supported" },
		{ "noise", KEY_REFUSED, "noise before packets is not supported" },
		{ "noises", KEY_REFUSED, "noise before packets is not supported" },
		{ "proxyProtocol", KEY_REFUSED, "the PROXY protocol is not supported" },
		{ "finalRules", KEY_REFUSED, "rules of an outbound are not supported" },
		{ "ipsBlocked", KEY_REFUSED, "rules of an outbound are not supported" },
		{ "protocolReplacement", KEY_REFUSED },
		{ NULL },
	};
	struct node settings = node_get(out, "settings");
	struct node strategy = node_get(&settings, "domainStrategy");
	struct node target = node_get(out, "targetStrategy");

	if (node_keys(&settings, keys) == -1 ||
		strategy_read(&strategy, &spec->u.freedom.strategy) == -1 ||
		strategy_read(&target, &spec->u.freedom.strategy) == -1)
		return -1;
	return redirect_read(&settings, &spec->u.freedom);
}

static int
blackhole_read(const struct node *out, struct outbound_spec *spec)
{
	static const struct key keys[] = { { "response", KEY_READ }, { NULL } };
	static const struct key response_keys[] = { { "type", KEY_READ }, { NULL } };
	static const char *const types[] = { "none", "http", NULL };
	struct node settings = node_get(out, "settings");
	struct node response = node_get(&settings, "response");
	struct node type = node_get(&response, "type");
	const char *s;
	int i = 0;

	if (node_keys(&settings, keys) == -1 ||
		node_keys(&response, response_keys) == -1 ||
		node_word(&type, types, &i, &s) == -1)
		return -1;
	if (i < 0 && s[0])
		return node_fail(&type, "%s is not none or http", shown(s).text);
	spec->u.blackhole.http = i == 1;
	return 0;
}

static int
source_read(const struct node *out, struct outbound_spec *spec)
{
	struct node n = node_get(out, "sendThrough");
	const char *s = NULL;

	if (node_text(&n, &s) == -1)
		return -1;
	if (!s || !s[0])
		return 0;
	if (strcasecmp(s, "origin") == 0 || strcasecmp(s, "srcip") == 0 || strchr(s, '/'))
		return node_refuse(
			&n, "%s is not supported, only an address", shown(s).text);
	if (!ip_parse(&spec->sock.source, s))
		return node_fail(&n, "%s is not an address", shown(s).text);
	if (ip_is_unspecified(&spec->sock.source))
		memset(&spec->sock.source, 0, sizeof(spec->sock.source));
	return 0;
}

static int
mux_read(const struct node *out)
{
	static const struct key keys[] = {
		{ "enabled", KEY_SPARED },
		{ "concurrency", KEY_SILENT },
		{ "xudpConcurrency", KEY_SILENT },
		{ "xudpProxyUDP443", KEY_SILENT },
		{ NULL },
	};
	struct node mux = node_get(out, "mux");
	struct node enabled = node_get(&mux, "enabled");
	bool on = false;

	if (node_keys(&mux, keys) == -1 || node_bool(&enabled, &on) == -1)
		return -1;
	if (on)
		return node_refuse(&enabled, "mux is not supported yet");
	return 0;
}

/* How the target's name is resolved before it goes out: vmess leaves it to the server. */
static int
target_read(const struct node *out, int kind)
{
	struct node n = node_get(out, "targetStrategy");
	const char *s = "";

	if (kind == OUTBOUND_FREEDOM)
		return 0;
	if (node_text(&n, &s) == -1)
		return -1;
	if (s[0] && strcasecmp(s, "AsIs") != 0 && kind == OUTBOUND_VMESS)
		return node_refuse(&n, "%s is not supported, only AsIs", shown(s).text);
	return 0;
}

/* Seconds of a policy level, where the file has them. */
static int
seconds_read(const struct node *level, const char *key, unsigned *out)
{
	struct node n = node_get(level, key);
	uint64_t v = 0;

	if (node_number(&n, "a number of seconds", 0, SECONDS_MAX, &v) == -1)
		return -1;
	*out = (unsigned)v;
	return 0;
}

static int
level_read(const struct node *out, unsigned level, struct outbound_policy *p)
{
	const struct node *root = out;
	struct node policy, levels, n;
	char key[16];

	while (root->up)
		root = root->up;
	snprintf(key, sizeof(key), "%u", level);
	policy = node_get(root, "policy");
	levels = node_get(&policy, "levels");
	n = node_get(&levels, key);
	if (seconds_read(&n, "handshake", &p->handshake) == -1 ||
		seconds_read(&n, "connIdle", &p->conn_idle) == -1 ||
		seconds_read(&n, "uplinkOnly", &p->uplink_only) == -1)
		return -1;
	return seconds_read(&n, "downlinkOnly", &p->downlink_only);
}

/* True: some user sends its bytes in clear. *level: of the first user. */
static bool
users_look(const struct node *out, const struct vmess_spec *v, unsigned *level)
{
	bool clear = false, differs = false;
	size_t i, k;

	*level = v->server[0].user[0].level;
	for (i = 0; i < v->nserver; i++)
		for (k = 0; k < v->server[i].nuser; k++) {
			const struct vmess_user_spec *u = &v->server[i].user[k];

			clear |= u->security == VMESS_NONE || u->security == VMESS_ZERO;
			differs |= u->level != *level;
		}
	if (differs)
		node_warn(out,
			"its users have several levels; that of the first one (%u) "
			"counts",
			*level);
	return clear;
}

static int
vmess_read(const struct node *out, struct outbound_spec *spec)
{
	unsigned level;

	if (config_read_vmess(out, &spec->u.vmess) == -1)
		return -1;
	if (users_look(out, &spec->u.vmess, &level) && !spec->u.vmess.carrier.secured)
		node_warn(out,
			"the security none or zero without TLS: everybody on the way "
			"reads along");
	return level_read(out, level, &spec->policy);
}

static int
kind_read(const struct node *out, struct outbound_spec *spec)
{
	switch (spec->kind) {
	case OUTBOUND_FREEDOM:
		return freedom_read(out, spec);
	case OUTBOUND_BLACKHOLE:
		return blackhole_read(out, spec);
	case OUTBOUND_VMESS:
		return vmess_read(out, spec);
	}
	return -1;
}

/* A word that is somebody's kind is no misspelling of ours. */
static const char *
kind_near(const char *s)
{
	static const char *const others[] = { "vless", "trojan", "socks", "http", "dns",
		"shadowsocks", "wireguard", "loopback", "hysteria", "mtproto", NULL };

	return text_find(others, s) >= 0 ? NULL : text_nearest(s, kinds);
}

static int
kind_refuse(const struct outbound_row *row)
{
	struct node n = node_get(row->node, "protocol");
	const char *s = NULL, *near;

	if (node_text(&n, &s) == -1)
		return -1;
	if (!s || !s[0])
		return node_refuse(&n, "is missing: freedom, blackhole or vmess");
	near = kind_near(s);
	return node_refuse(&n, "outbounds of the kind %s are not spoken%s%s%s",
		shown(s).text, near ? "; did you mean " : "", near ? near : "",
		near ? "?" : "");
}

static int
row_read(const struct outbound_row *row, struct outbound_spec *spec)
{
	static const struct key keys[] = {
		{ "protocol", KEY_READ },
		{ "settings", KEY_READ },
		{ "tag", KEY_READ },
		{ "streamSettings", KEY_READ },
		{ "sendThrough", KEY_READ },
		{ "mux", KEY_READ },
		{ "targetStrategy", KEY_READ },
		{ "proxySettings", KEY_REFUSED,
			"a chain through another outbound is not supported" },
		{ NULL },
	};

	if (row->kind < 0)
		return kind_refuse(row);
	spec->kind = (enum outbound_kind)row->kind;
	spec->tag = row->tag;
	spec->path = node_path(row->node);
	if (node_keys(row->node, keys) == -1 ||
		config_read_stream(row->node, spec) == -1 ||
		kind_read(row->node, spec) == -1 || mux_read(row->node) == -1 ||
		target_read(row->node, row->kind) == -1)
		return -1;
	return source_read(row->node, spec);
}

int
config_read_outbounds(const struct node *root)
{
	struct config_reader *r = root->reader;
	struct config *c = r->config;
	size_t i;
	int result;

	c->outbound = config_memory_take(r->memory, r->nrow, sizeof(*c->outbound));
	for (i = 0; i < r->nrow; i++) {
		struct outbound_spec *spec = &c->outbound[c->noutbound];

		memset(spec, 0, sizeof(*spec));
		/* A rule that was not read may lead there. */
		r->unreached = !r->row[i].reached && !r->errors;
		result = row_read(&r->row[i], spec);
		if (!config_goes_on(r))
			return -1;
		if (result == 0)
			c->noutbound++;
		if (result == 0 && !spec->sock.interface[0] && c->auto_interface &&
			strcasecmp(c->auto_interface, "auto") != 0)
			snprintf(spec->sock.interface, sizeof(spec->sock.interface), "%s",
				c->auto_interface);
	}
	r->unreached = false;
	return 0;
}
