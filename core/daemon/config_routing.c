/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* routing: the rules as text, checked against inbounds and outbounds.  What stands in
 * them (domains, prefixes, countries) is read by rules_load. */

enum { RULES_MAX = 16384, PORTS_MAX = 1024 };

static const struct key rule_keys[] = {
	{ "type", KEY_READ },
	{ "domain", KEY_READ },
	{ "domains", KEY_READ },
	{ "ip", KEY_READ },
	{ "port", KEY_READ },
	{ "sourcePort", KEY_READ },
	{ "network", KEY_READ },
	{ "source", KEY_READ },
	{ "sourceIP", KEY_READ },
	{ "protocol", KEY_READ },
	{ "inboundTag", KEY_READ },
	{ "outboundTag", KEY_READ },
	{ "ruleTag", KEY_READ },
	{ "enabled", KEY_SPARED },
	{ "balancerTag", KEY_REFUSED, "balancers are not supported yet" },
	{ "process", KEY_REFUSED, "rules by process are not supported yet" },
	{ "user", KEY_REFUSED, "what comes out of a TUN has no user" },
	{ "attrs", KEY_REFUSED, "rules by HTTP attributes are not supported" },
	{ "localIP", KEY_REFUSED, "is not supported" },
	{ "localPort", KEY_REFUSED, "is not supported" },
	{ "vlessRoute", KEY_REFUSED, "is not supported" },
	{ "webhook", KEY_IDLE, "is not called" },
	{ "domainMatcher", KEY_IDLE, "there is one matcher here; without effect" },
	{ "id", KEY_SILENT },
	{ "remarks", KEY_SILENT },
	{ "name", KEY_SILENT },
	{ NULL },
};

static int
type_read(const struct node *rule)
{
	struct node n = node_get(rule, "type");
	const char *s = "field";

	if (node_text(&n, &s) == -1)
		return -1;
	if (strcasecmp(s, "chinaip") == 0)
		return node_refuse(&n,
			"chinaip is no longer a type of rule; write "
			"\"type\": \"field\", \"ip\": [\"geoip:cn\"]");
	if (strcasecmp(s, "chinasites") == 0)
		return node_refuse(&n,
			"chinasites is no longer a type of rule; write "
			"\"type\": \"field\", \"domain\": [\"geosite:cn\"]");
	if (s[0] && strcasecmp(s, "field") != 0)
		return node_refuse(&n, "%s is not a type of rule; there is only field",
			shown(s).text);
	return 0;
}

/* Two keys for one list (`other` may be NULL): both count. An empty list is absent. */
static int
lists_join(const struct node *rule, const char *one, const char *other,
	const char *const **out)
{
	struct node a = node_get(rule, one), b = node_get(rule, other ? other : one);
	const char *const *p = NULL, *const *q = NULL;
	size_t n = 0, m = 0;
	const char **both;

	if (node_texts(&a, &p) == -1 || (other && node_texts(&b, &q) == -1))
		return -1;
	while (p && p[n])
		n++;
	while (q && q[m])
		m++;
	if (n + m == 0)
		return 0;
	both = config_memory_take(rule->reader->memory, n + m + 1, sizeof(*both));
	if (n)
		memcpy(both, p, n * sizeof(*both));
	if (m)
		memcpy(both + n, q, m * sizeof(*both));
	*out = both;
	return 0;
}

/* One piece of a port list: "53" or "1000-2000". */
static bool
ports_right(const char *s)
{
	const char *dash = strchr(s, '-');
	char from[8];
	uint64_t a, b;
	size_t len = dash ? (size_t)(dash - s) : strlen(s);

	if (len >= sizeof(from))
		return false;
	memcpy(from, s, len);
	from[len] = '\0';
	if (!number_parse(&a, from, UINT16_MAX))
		return false;
	return !dash || (number_parse(&b, dash + 1, UINT16_MAX) && a <= b);
}

/* The list so far with one piece more. */
static int
ports_add(const struct node *n, const char *piece, unsigned *count, const char **list)
{
	char *joined;
	size_t len;

	if (!ports_right(piece))
		return node_fail(
			n, "%s is not a port or a range (0-65535)", shown(piece).text);
	if (++*count > PORTS_MAX)
		return node_fail(n, "more than %d ports and ranges", PORTS_MAX);
	len = (*list ? strlen(*list) + 1 : 0) + strlen(piece) + 1;
	joined = config_memory_take(n->reader->memory, len, 1);
	snprintf(joined, len, "%s%s%s", *list ? *list : "", *list ? "," : "", piece);
	*list = joined;
	return 0;
}

/* Numbers, strings, and lists of both, as one comma string. */
static int
ports_read(const struct node *rule, const char *key, const char **out)
{
	struct node n = node_get(rule, key);
	unsigned count = 0;
	size_t i;

	for (i = 0; i < node_count(&n); i++) {
		struct node at = node_at(&n, i);
		const char *const *piece = NULL;
		const char *one[2] = { NULL, NULL };
		char text[24];
		uint64_t port = 0;

		if (node_is_number(&at)) {
			if (node_number(&at, "a port", 0, UINT16_MAX, &port) == -1)
				return -1;
			snprintf(text, sizeof(text), "%u", (unsigned)port);
			one[0] = text;
			piece = one;
		} else if (node_texts(&at, &piece) == -1) {
			return -1;
		}
		for (; piece && *piece; piece++)
			if (ports_add(&at, *piece, &count, out) == -1)
				return -1;
	}
	return 0;
}

static int
network_read(const struct node *rule, unsigned *out)
{
	struct node n = node_get(rule, "network");
	const char *const *list = NULL;
	size_t i;

	if (node_texts(&n, &list) == -1)
		return -1;
	for (i = 0; list && list[i]; i++) {
		if (strcasecmp(list[i], "tcp") == 0)
			*out |= 1u << NETWORK_TCP;
		else if (strcasecmp(list[i], "udp") == 0)
			*out |= 1u << NETWORK_UDP;
		else
			return node_fail(&n, "%s is not tcp or udp", shown(list[i]).text);
	}
	return 0;
}

/* What is not known is left out with a warning; a rule with nothing else never matches. */
static int
protocol_read(const struct node *rule, struct rule_spec *spec)
{
	static const char *const known[] = { "http", "http1", "tls", "bittorrent", "quic",
		NULL };
	struct node n = node_get(rule, "protocol");
	const char *const *list = NULL, *near;
	const char **kept;
	size_t i, count = 0;
	int k;

	if (node_texts(&n, &list) == -1)
		return -1;
	if (!list || !list[0])
		return 0;
	for (i = 0; list[i]; i++)
		;
	kept = config_memory_take(n.reader->memory, i + 1, sizeof(*kept));
	for (i = 0; list[i]; i++) {
		k = text_find(known, list[i]);
		if (k >= 0 && strcmp(known[k], "quic") == 0)
			return node_refuse(&n, "quic is not recognised yet");
		if (k >= 0) {
			kept[count++] = k == 1 ? known[0] : known[k];
			continue;
		}
		near = text_nearest(list[i], known);
		node_warn(&n, "%s is not a protocol that is recognised%s%s%s",
			shown(list[i]).text, near ? "; did you mean " : "",
			near ? near : "", near ? "?" : "");
	}
	spec->protocol = count ? kept : list;
	spec->never = count == 0;
	return 0;
}

/* Nothing but the TUN is served, so only its tag can match. */
static int
inbound_read(const struct node *rule, struct rule_spec *spec)
{
	struct node n = node_get(rule, "inboundTag");
	const char *const *list = NULL;
	const char *own = rule->reader->config->tun_tag;
	size_t i;

	if (node_texts(&n, &list) == -1)
		return -1;
	if (!list || !list[0])
		return 0;
	spec->inbound_tag = list;
	for (i = 0; list[i]; i++)
		if (strcmp(list[i], own) == 0)
			return 0;
	spec->never = true;
	node_warn(&n, "no inbound that is served has the tag %s; this rule never matches",
		shown(list[0]).text);
	return 0;
}

static const char *
near_tag(const struct config_reader *r, const char *tag)
{
	const char **words = config_memory_take(r->memory, r->nrow + 1, sizeof(*words));
	size_t i, n = 0;

	for (i = 0; i < r->nrow; i++)
		if (r->row[i].tag[0])
			words[n++] = r->row[i].tag;
	return text_nearest(tag, words);
}

static int
outbound_read(const struct node *rule, struct rule_spec *spec)
{
	struct config_reader *r = rule->reader;
	struct node n = node_get(rule, "outboundTag");
	const char *near;
	size_t i;

	if (node_text(&n, &spec->outbound) == -1)
		return -1;
	if (spec->never)
		return 0;
	if (!spec->outbound || !spec->outbound[0])
		return node_fail(&n, "is missing: the tag of an outbound");
	for (i = 0; i < r->nrow; i++) {
		if (strcmp(r->row[i].tag, spec->outbound) == 0) {
			r->row[i].reached = true;
			return 0;
		}
	}
	near = near_tag(r, spec->outbound);
	return node_fail(&n, "no outbound has the tag %s%s%s%s",
		shown(spec->outbound).text, near ? "; did you mean " : "",
		near ? shown(near).text : "", near ? "?" : "");
}

static void
enabled_warn(const struct node *rule)
{
	struct node n = node_get(rule, "enabled");

	if (n.json && node_is_empty(&n))
		node_warn(&n, "has no effect, as in Xray: the rule holds; take it out");
}

static bool
has_condition(const struct rule_spec *s)
{
	return s->domain || s->ip || s->source || s->protocol || s->inbound_tag ||
		s->port || s->source_port || s->networks;
}

static int
rule_read(const struct node *rule, struct rule_spec *spec)
{
	struct node tag = node_get(rule, "ruleTag");

	spec->path = node_path(rule);
	if (!node_is_object(rule))
		return node_fail(rule, "is not an object");
	if (node_keys(rule, rule_keys) == -1 || type_read(rule) == -1 ||
		lists_join(rule, "domain", "domains", &spec->domain) == -1 ||
		lists_join(rule, "source", "sourceIP", &spec->source) == -1 ||
		lists_join(rule, "ip", NULL, &spec->ip) == -1 ||
		ports_read(rule, "port", &spec->port) == -1 ||
		ports_read(rule, "sourcePort", &spec->source_port) == -1 ||
		network_read(rule, &spec->networks) == -1 ||
		protocol_read(rule, spec) == -1 || node_text(&tag, &spec->rule_tag) == -1)
		return -1;
	enabled_warn(rule);
	if (inbound_read(rule, spec) == -1 || outbound_read(rule, spec) == -1)
		return -1;
	if (!has_condition(spec))
		return node_fail(rule,
			"has no condition; to send everything that is left "
			"to one outbound write \"network\": \"tcp,udp\"");
	return 0;
}

/* v2ray before 4 kept the rules in routing.settings; what stands there counts. */
static struct node
rules_home(const struct node *routing, const struct node *settings, const char *key)
{
	struct node n = node_get(settings, key);

	return n.json ? n : node_get(routing, key);
}

static int
strategy_read(const struct node *n, enum domain_resolve *out)
{
	static const char *const words[] = { "AsIs", "IPIfNonMatch", "IPOnDemand", NULL };
	const char *s, *near;
	int i = 0;

	if (node_word(n, words, &i, &s) == -1)
		return -1;
	if (i < 0 && s[0]) {
		near = text_nearest(s, words);
		node_warn(n,
			"%s is not a strategy (AsIs, IPIfNonMatch, IPOnDemand); AsIs is "
			"taken%s%s%s",
			shown(s).text, near ? " (did you mean " : "", near ? near : "",
			near ? "?)" : "");
	}
	*out = i == 1 ? RESOLVE_IF_NON_MATCH : i == 2 ? RESOLVE_ON_DEMAND : RESOLVE_AS_IS;
	return 0;
}

int
config_read_routing(const struct node *root)
{
	static const struct key keys[] = {
		{ "domainStrategy", KEY_READ },
		{ "rules", KEY_READ },
		{ "settings", KEY_READ },
		{ "balancers", KEY_IDLE,
			"balancers are not supported yet; no rule may use "
			"one" },
		{ "strategy", KEY_IDLE, "an old key without effect" },
		{ "domainMatcher", KEY_IDLE,
			"there is one matcher here; without effect" },
		{ NULL },
	};
	struct config *c = root->reader->config;
	struct node routing = node_get(root, "routing");
	struct node settings = node_get(&routing, "settings");
	struct node strategy = rules_home(&routing, &settings, "domainStrategy");
	struct node rules = rules_home(&routing, &settings, "rules");
	size_t i, n = node_count(&rules);

	if (node_keys(&routing, keys) == -1 || node_keys(&settings, keys) == -1 ||
		strategy_read(&strategy, &c->strategy) == -1)
		return -1;
	if (rules.json && !node_is_list(&rules) && !node_is_object(&rules))
		return node_fail(&rules, "is not a list of rules");
	if (n > RULES_MAX)
		return node_fail(&rules, "more than %d rules", RULES_MAX);
	c->rule = config_memory_take(root->reader->memory, n, sizeof(*c->rule));
	for (i = 0; i < n; i++) {
		struct node rule = node_at(&rules, i);

		if (rule_read(&rule, &c->rule[i]) == -1 && !config_goes_on(root->reader))
			return -1;
	}
	c->nrule = n;
	return 0;
}
