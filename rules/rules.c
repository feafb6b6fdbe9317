/* SPDX-License-Identifier: MIT */
#include "rules/load.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const protocol_words[] = {
	[PROTOCOL_UNKNOWN] = "",
	[PROTOCOL_HTTP] = "http",
	[PROTOCOL_TLS] = "tls",
	[PROTOCOL_BITTORRENT] = "bittorrent",
	[PROTOCOL_QUIC] = "quic",
};

enum { PROTOCOLS = sizeof(protocol_words) / sizeof(protocol_words[0]) };

static void
rule_fini(struct rule *rule)
{
	char **tag;

	port_set_free(&rule->port);
	port_set_free(&rule->source_port);
	address_match_free(rule->ip);
	address_match_free(rule->source);
	domain_set_free(rule->domain);
	for (tag = rule->inbound; tag && *tag; tag++)
		free(*tag);
	free(rule->inbound);
	free(rule->tag);
	free(rule->outbound);
	label_free(rule->ip_label);
	label_free(rule->source_label);
	label_free(rule->domain_label);
	label_free(rule->inbound_label);
	label_free(rule->port_label);
	label_free(rule->source_port_label);
}

void
rules_free(struct rules *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->n; i++)
		rule_fini(&r->rule[i]);
	free(r->rule);
	geoip_free(r->geoip);
	free(r);
}

static void
at(struct loader *l, const char *field, long index)
{
	l->field = field;
	l->index = index;
}

static int
no_memory(struct loader *l)
{
	return err_set(l->e, "no memory for it");
}

/* A list that is there and empty asks nothing, as in Xray. */
static bool
is_given(const char *const *list)
{
	return list && list[0];
}

static int
list_check(struct loader *l, const char *const *list)
{
	size_t n = 0;

	while (n <= LIST_MAX && list[n])
		n++;
	return n > LIST_MAX ? err_set(l->e, "more than %d values", LIST_MAX) : 0;
}

static int
addresses_load(struct loader *l, const char *field, const char *const *list,
	struct address_match **m, char **label)
{
	size_t i;

	if (!is_given(list))
		return 0;
	at(l, field, -1);
	if (list_check(l, list) < 0)
		return -1;
	*m = address_match_new();
	*label = label_new(list, "networks and lists");
	if (!*m || !*label)
		return no_memory(l);
	for (i = 0; list[i]; i++) {
		at(l, field, (long)i);
		if (address_value_load(l, list[i], *m) < 0)
			return -1;
	}
	address_match_seal(*m);
	return 0;
}

static int
domains_load(struct loader *l, const struct rule_spec *spec, struct rule *rule)
{
	size_t i;

	if (!is_given(spec->domain))
		return 0;
	at(l, "domain", -1);
	if (list_check(l, spec->domain) < 0)
		return -1;
	rule->domain = domain_set_new();
	rule->domain_label = label_new(spec->domain, "values");
	if (!rule->domain || !rule->domain_label)
		return no_memory(l);
	for (i = 0; spec->domain[i]; i++) {
		at(l, "domain", (long)i);
		if (domain_value_load(l, spec->domain[i], rule->domain) < 0)
			return -1;
	}
	return 0;
}

static int
ports_load(struct loader *l, const char *field, const char *text, struct port_set *set,
	char **label)
{
	const char *const one[] = { text, NULL };

	if (!text)
		return 0;
	at(l, field, -1);
	if (port_set_parse(set, text, l->e) < 0)
		return -1;
	*label = label_new(one, "");
	return *label ? 0 : no_memory(l);
}

static int
protocol_load(struct loader *l, const char *word, unsigned *protocols)
{
	static const char *const known[] = { "http", "tls", "bittorrent", "quic", NULL };
	const char *near;
	int i;

	for (i = PROTOCOL_HTTP; i < PROTOCOLS; i++) {
		if (strcasecmp(word, protocol_words[i]) != 0)
			continue;
		*protocols |= 1u << i;
		if (i != PROTOCOL_QUIC)
			return 0;
		return err_set(l->e,
			"quic is not told apart by this version; http, tls "
			"and bittorrent are");
	}
	near = text_nearest(word, known);
	if (near)
		return err_set(
			l->e, "%s is not a protocol; did you mean %s?", word, near);
	return err_set(l->e, "%s is not a protocol (http, tls, bittorrent)", word);
}

static int
protocols_load(struct loader *l, const struct rule_spec *spec, struct rule *rule)
{
	size_t i;

	if (!is_given(spec->protocol))
		return 0;
	for (i = 0; spec->protocol[i]; i++) {
		at(l, "protocol", (long)i);
		if (protocol_load(l, spec->protocol[i], &rule->protocols) < 0)
			return -1;
	}
	return 0;
}

static int
inbounds_load(struct loader *l, const struct rule_spec *spec, struct rule *rule)
{
	size_t i, n = 0;

	if (!is_given(spec->inbound_tag))
		return 0;
	at(l, "inboundTag", -1);
	if (list_check(l, spec->inbound_tag) < 0)
		return -1;
	while (spec->inbound_tag[n])
		n++;
	rule->inbound = calloc(n + 1, sizeof(*rule->inbound));
	rule->inbound_label = label_new(spec->inbound_tag, "tags");
	if (!rule->inbound || !rule->inbound_label)
		return no_memory(l);
	for (i = 0; i < n; i++) {
		rule->inbound[i] = strdup(spec->inbound_tag[i]);
		if (!rule->inbound[i])
			return no_memory(l);
	}
	return 0;
}

static bool
asks_nothing(const struct rule *r)
{
	return !r->networks && !r->protocols && !r->port.range && !r->source_port.range &&
		!r->ip && !r->source && !r->domain && !r->inbound;
}

static bool
takes_any_target(const struct rule *r)
{
	bool any_port = !r->port.range;
	size_t i;

	for (i = 0; !any_port && i < r->port.n; i++)
		any_port = r->port.range[i].from <= 1 &&
			r->port.range[i].to == UINT16_MAX;
	return any_port && !r->ip && !r->domain && !r->protocols;
}

static int
conditions_load(struct loader *l, const struct rule_spec *spec, struct rule *rule)
{
	if (addresses_load(l, "ip", spec->ip, &rule->ip, &rule->ip_label) < 0 ||
		addresses_load(l, "source", spec->source, &rule->source,
			&rule->source_label) < 0 ||
		domains_load(l, spec, rule) < 0 || protocols_load(l, spec, rule) < 0 ||
		inbounds_load(l, spec, rule) < 0)
		return -1;
	if (ports_load(l, "port", spec->port, &rule->port, &rule->port_label) < 0 ||
		ports_load(l, "sourcePort", spec->source_port, &rule->source_port,
			&rule->source_port_label) < 0)
		return -1;
	at(l, NULL, -1);
	if (asks_nothing(rule))
		return err_set(l->e,
			"no condition in it; to take everything, write \"network\": "
			"\"tcp,udp\"");
	rule->general = takes_any_target(rule);
	return 0;
}

/* Xray refuses a tag that is there twice, too. */
static int
tag_check(struct loader *l, const char *tag)
{
	size_t i;

	at(l, "ruleTag", -1);
	for (i = 0; tag[0] && i < l->rules->n; i++)
		if (strcmp(l->rules->rule[i].tag, tag) == 0)
			return err_set(l->e, "%s is the tag of rule %zu already", tag, i);
	return 0;
}

static int
rule_load(struct loader *l, const struct rule_spec *spec)
{
	const char *tag = spec->rule_tag ? spec->rule_tag : "";
	struct rule *rule = &l->rules->rule[l->rules->n];

	if (tag_check(l, tag) < 0)
		return -1;
	l->rules->n++;
	rule->tag = strdup(tag);
	rule->outbound = spec->outbound ? strdup(spec->outbound) : NULL;
	if (!rule->tag || (spec->outbound && !rule->outbound))
		return no_memory(l);
	rule->never = spec->never;
	rule->networks = spec->networks;
	return rule->never ? 0 : conditions_load(l, spec, rule);
}

/* "config.json: routing.rules[3].ip[0]", of the value that is being read. */
static void
place_write(const struct loader *l, char *text, size_t cap)
{
	if (l->field && l->index >= 0)
		snprintf(text, cap, "%s.%s[%ld]", l->path, l->field, l->index);
	else
		snprintf(text, cap, "%s%s%s", l->path, l->field ? "." : "",
			l->field ? l->field : "");
}

static int
rule_failed(struct loader *l)
{
	char place[sizeof(l->e->text)];

	place_write(l, place, sizeof(place));
	return err_prefix(l->e, "%s", place);
}

void
loader_warn(struct loader *l, const char *fmt, ...)
{
	char place[512], why[512], line[sizeof(place) + sizeof(why)];
	va_list ap;

	if (!l->say || l->said++ >= LINES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	place_write(l, place, sizeof(place));
	snprintf(line, sizeof(line), "%s: %s", place, why);
	text_clean(line);
	l->say->warn(l->say, line);
}

static int
all_load(struct loader *l, const struct rules_spec *spec)
{
	size_t i;

	for (i = 0; i < spec->n; i++) {
		l->path = spec->rule[i].path;
		if (rule_load(l, &spec->rule[i]) < 0)
			return rule_failed(l);
	}
	return 0;
}

struct rules *
rules_load(const struct rules_spec *spec, struct err *e)
{
	struct loader l = { .files = spec->files, .say = spec->say, .e = e };
	int r;

	if (spec->n > RULES_MAX) {
		err_set(e, "%s: more than %d rules", spec->rule[RULES_MAX].path,
			RULES_MAX);
		return NULL;
	}
	l.rules = calloc(1, sizeof(*l.rules));
	if (l.rules)
		l.rules->rule = calloc(spec->n + 1, sizeof(*l.rules->rule));
	if (!l.rules || !l.rules->rule) {
		err_set(e, "no memory for the rules");
		rules_free(l.rules);
		return NULL;
	}
	l.rules->strategy = spec->strategy;
	r = all_load(&l, spec);
	data_files_free(&l);
	if (r < 0) {
		rules_free(l.rules);
		return NULL;
	}
	return l.rules;
}

const char *
rules_tag(const struct rules *r, int rule)
{
	return rule >= 0 && (size_t)rule < r->n ? r->rule[rule].tag : "";
}

int
rules_country(const struct rules *r, const struct ip *ip, char cc[static 3])
{
	cc[0] = '\0';
	return r->geoip ? geoip_country(r->geoip, ip, cc) : -ENOENT;
}
