/* SPDX-License-Identifier: MIT */
#include "rules/ruleset.h"

#include <string.h>

/*
 * A rule asks its questions one after the other, the cheap ones first.  Each
 * answers yes, no, or with the facts that it needs before it can say.  One "no"
 * settles the rule whatever is unknown; so a fact is asked for only where
 * everything that is known holds.
 */
enum {
	NO = -1,
	YES = 0, /* above: FACT_ bits */
};

/* What one pass over the rules sees of a flow. */
struct look {
	const struct rules *r;
	const struct facts *f;
	bool resolved; /* whether `ip` sees the addresses of a name */
	struct sight to, from;
};

static bool
is_known(const struct facts *f, unsigned fact)
{
	return (f->known & fact) != 0;
}

static int
ask_inbound(const struct rule *rule, struct look *l, struct why *w)
{
	const char *tag = l->f->inbound_tag;
	char **it;

	if (!rule->inbound)
		return YES;
	for (it = rule->inbound; tag && *it; it++) {
		if (strcmp(*it, tag) == 0) {
			why_say(w, "inboundTag: it came in by %s", tag);
			return YES;
		}
	}
	if (!tag)
		why_say(w, "inboundTag: it came in by no tagged inbound");
	else
		why_say(w, "inboundTag: it came in by %s, not by %s", tag,
			rule->inbound_label);
	return NO;
}

static const char *
network_word(enum network n)
{
	switch (n) {
	case NETWORK_TCP:
		return "tcp";
	case NETWORK_UDP:
		return "udp";
	case NETWORK_ICMP:
		return "icmp";
	}
	return "?";
}

/* An echo has no word of its own in Xray's rules; who names both others means everything,
 * and is not to find pings beside it. */
static bool
takes_icmp(const struct rule *rule)
{
	const unsigned both = 1u << NETWORK_TCP | 1u << NETWORK_UDP;

	return (rule->networks & both) == both;
}

static int
ask_network(const struct rule *rule, struct look *l, struct why *w)
{
	enum network n = l->f->network;

	if (!rule->networks)
		return YES;
	if (n == NETWORK_ICMP && takes_icmp(rule)) {
		why_say(w, "network: it is icmp, which goes with tcp,udp");
		return YES;
	}
	why_say(w, "network: it is %s", network_word(n));
	if (rule->networks >> n & 1)
		return YES;
	if (rule->networks == 1u << NETWORK_TCP)
		why_say(w, "network: it is %s, not tcp", network_word(n));
	if (rule->networks == 1u << NETWORK_UDP)
		why_say(w, "network: it is %s, not udp", network_word(n));
	return NO;
}

static int
ask_ports(const struct port_set *set, const char *label, const struct look *l,
	uint16_t port, const char *field, struct why *w)
{
	if (!set->range)
		return YES;
	if (l->f->network == NETWORK_ICMP) {
		why_say(w, "%s: icmp has no ports", field);
		return NO;
	}
	if (!port_set_has(set, port)) {
		why_say(w, "%s: %u is not in %s", field, port, label);
		return NO;
	}
	why_say(w, "%s: %u is in %s", field, port, label);
	return YES;
}

static int
ask_port(const struct rule *rule, struct look *l, struct why *w)
{
	return ask_ports(&rule->port, rule->port_label, l, l->f->port, "port", w);
}

static int
ask_source_port(const struct rule *rule, struct look *l, struct why *w)
{
	return ask_ports(&rule->source_port, rule->source_port_label, l,
		l->f->source.port, "sourcePort", w);
}

/* "ip: 192.0.2.1 is in XA, not in geoip:xb" */
static void
say_address(struct why *w, const char *field, const struct address_match *m,
	struct sight *s, bool takes, const char *label)
{
	const char *is = takes ? "matches" : "does not match", *cc = "";
	char text[IP_TEXT];

	if (!w)
		return;
	if (address_match_asks_country(m))
		cc = sight_country(s);
	else if (s->looked)
		cc = s->cc;
	ip_format(&s->ip, text);
	if (!address_match_negates(m))
		is = takes ? "is in" : "is not in";
	if (!address_match_asks_country(m))
		why_say(w, "%s: %s %s %s", field, text, is, label);
	else if (!cc[0])
		why_say(w, "%s: %s is in no country that is known, and %s %s", field,
			text, is, label);
	else if (!address_match_negates(m) && !takes)
		why_say(w, "%s: %s is in %s, not in %s", field, text, cc, label);
	else
		why_say(w, "%s: %s (%s) %s %s", field, text, cc, is, label);
}

static int
ask_sight(const struct address_match *m, const char *field, const char *label,
	struct sight *s, struct why *w)
{
	bool takes = address_match_takes(m, s);

	say_address(w, field, m, s, takes, label);
	return takes ? YES : NO;
}

static int
ask_source(const struct rule *rule, struct look *l, struct why *w)
{
	if (!rule->source)
		return YES;
	if (l->from.ip.family == 0) {
		why_say(w, "source: the address it comes from is not known");
		return NO;
	}
	return ask_sight(rule->source, "source", rule->source_label, &l->from, w);
}

/* TLS and HTTP are spoken over TCP only; an echo has no protocol at all. */
static unsigned
protocols_of(enum network n)
{
	switch (n) {
	case NETWORK_TCP:
		return 1u << PROTOCOL_HTTP | 1u << PROTOCOL_TLS |
			1u << PROTOCOL_BITTORRENT;
	case NETWORK_UDP:
		return 1u << PROTOCOL_BITTORRENT | 1u << PROTOCOL_QUIC;
	case NETWORK_ICMP:
		return 0;
	}
	return 0;
}

static const char *
protocol_word(enum protocol p)
{
	switch (p) {
	case PROTOCOL_UNKNOWN:
		return "none that is known";
	case PROTOCOL_HTTP:
		return "http";
	case PROTOCOL_TLS:
		return "tls";
	case PROTOCOL_BITTORRENT:
		return "bittorrent";
	case PROTOCOL_QUIC:
		return "quic";
	}
	return "?";
}

static int
ask_protocol(const struct rule *rule, struct look *l, struct why *w)
{
	enum protocol p = l->f->protocol;

	if (!rule->protocols)
		return YES;
	if (!(rule->protocols & protocols_of(l->f->network))) {
		why_say(w, "protocol: %s cannot carry it", network_word(l->f->network));
		return NO;
	}
	if (p == PROTOCOL_UNKNOWN && !is_known(l->f, FACT_BYTES)) {
		why_say(w, "protocol: needs the first bytes, which are not known");
		return FACT_BYTES;
	}
	why_say(w, "protocol: it is %s", protocol_word(p));
	return p != PROTOCOL_UNKNOWN && rule->protocols >> p & 1 ? YES : NO;
}

/* The addresses of a name: one that the list takes is enough, as in Xray. */
static int
ask_addresses(const struct rule *rule, struct look *l, struct why *w)
{
	struct sight s;
	size_t i;

	for (i = 0; i < l->f->naddrs; i++) {
		s = sight_of(l->f->addrs[i], l->r->geoip);
		if (ask_sight(rule->ip, "ip", rule->ip_label, &s, w) == YES)
			return YES;
	}
	if (l->f->naddrs == 0)
		why_say(w, "ip: the name has no address");
	return NO;
}

static int
ask_ip(const struct rule *rule, struct look *l, struct why *w)
{
	if (!rule->ip)
		return YES;
	if (l->to.ip.family)
		return ask_sight(rule->ip, "ip", rule->ip_label, &l->to, w);
	if (!l->resolved) {
		why_say(w,
			"ip: only the name is given, and domainStrategy does not "
			"resolve it here");
		return NO;
	}
	if (l->f->naddrs == 0 && !is_known(l->f, FACT_ADDRESSES)) {
		why_say(w, "ip: needs the addresses of the name, which are not known");
		return FACT_ADDRESSES;
	}
	return ask_addresses(rule, l, w);
}

static void
say_hit(struct why *w, const char *name, const struct domain_hit *hit)
{
	switch (hit->kind) {
	case DOMAIN_KEYWORD:
		why_say(w, "domain: %s has %s in it", name, hit->pattern);
		break;
	case DOMAIN_REGEXP:
		why_say(w, "domain: %s matches regexp:%s", name, hit->pattern);
		break;
	case DOMAIN_SUFFIX:
		why_say(w,
			strcmp(name, hit->pattern) ? "domain: %s is under %s"
						   : "domain: %s is %s",
			name, hit->pattern);
		break;
	case DOMAIN_FULL:
		why_say(w, "domain: it is %s", name);
		break;
	case DOMAIN_DOTLESS:
		why_say(w, "domain: %s has no dot%s%s", name,
			hit->pattern[0] ? ", and in it " : "", hit->pattern);
		break;
	}
}

static void
say_miss(struct why *w, const struct rule *rule, const char *name)
{
	size_t n = domain_set_count(rule->domain);
	const char *label = rule->domain_label;
	char count[32];

	if (!w)
		return;
	if (n == 1 && strncmp(label, "domain:", 7) == 0)
		why_say(w, "domain: %s is not under %s", name, label + 7);
	else if (n == 1 && strncmp(label, "full:", 5) == 0)
		why_say(w, "domain: %s is not %s", name, label + 5);
	else if (n <= 4)
		why_say(w, "domain: %s does not match %s", name, label);
	else
		why_say(w, "domain: %s is in none of %s domains (%s)", name,
			count_format(n, count), label);
}

static int
ask_domain(const struct rule *rule, struct look *l, struct why *w)
{
	const char *name = l->f->name;
	struct domain_hit hit;

	if (!rule->domain)
		return YES;
	if (!name && !is_known(l->f, FACT_NAME)) {
		why_say(w, "domain: needs the name of the address, which is not known");
		return FACT_NAME;
	}
	if (!name) {
		why_say(w, "domain: the address has no name");
		return NO;
	}
	if (domain_set_has(rule->domain, name, &hit)) {
		if (w)
			say_hit(w, name, &hit);
		return YES;
	}
	say_miss(w, rule, name);
	return NO;
}

/* YES, NO, or all the facts that the rule needs. */
static int
rule_ask(const struct rule *rule, struct look *l, struct why *w)
{
	static int (*const questions[])(const struct rule *, struct look *,
		struct why *) = { ask_inbound, ask_network, ask_port, ask_source_port,
		ask_source, ask_protocol, ask_ip, ask_domain };
	int answer, missing = 0;
	size_t i;

	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		answer = questions[i](rule, l, w);
		if (answer == NO)
			return NO;
		missing |= answer;
		if (w)
			why_keep(w, answer == YES ? w->held : w->open);
	}
	return missing;
}

static int
rule_answer(const struct rule *rule, struct look *l, struct why *w)
{
	int answer;

	if (w)
		w->now[0] = w->held[0] = w->open[0] = '\0';
	if (rule->never) {
		why_say(w, "no inbound has the tag that it asks for");
		answer = NO;
	} else {
		answer = rule_ask(rule, l, w);
	}
	if (w)
		w->text = answer == NO ? w->now : answer == YES ? w->held : w->open;
	return answer;
}

/* Who is told of each rule, if anybody. */
struct listener {
	void (*each)(void *arg, int rule, bool matched, const char *why);
	void *arg;
	struct why why;
};

/* True when this pass came to an end: a rule matched, or needs a fact. */
static bool
pass(struct look *l, struct verdict *v, struct listener *to)
{
	const struct rule *rule;
	int answer;
	size_t i;

	for (i = 0; i < l->r->n; i++) {
		rule = &l->r->rule[i];
		answer = rule_answer(rule, l, to ? &to->why : NULL);
		if (to)
			to->each(to->arg, (int)i, answer == YES, to->why.text);
		if (answer == NO)
			continue;
		if (answer == YES)
			*v = (struct verdict){ 0, (int)i, rule->tag, rule->outbound,
				rule->general };
		else
			v->missing = (unsigned)answer;
		return true;
	}
	return false;
}

static struct look
look_of(const struct rules *r, const struct facts *f)
{
	return (struct look){ .r = r,
		.f = f,
		.resolved = r->strategy == RESOLVE_ON_DEMAND,
		.to = sight_of(f->ip, r->geoip),
		.from = sight_of(f->source.ip, r->geoip) };
}

/* Whether there is a second pass that sees the addresses of the name. */
static bool
passes_twice(const struct look *l)
{
	return l->r->strategy == RESOLVE_IF_NON_MATCH && l->f->name &&
		l->to.ip.family == 0;
}

void
rules_decide(const struct rules *r, const struct facts *f, struct verdict *v)
{
	struct look l = look_of(r, f);

	*v = (struct verdict){ 0, -1, "", NULL, true };
	if (pass(&l, v, NULL) || !passes_twice(&l))
		return;
	l.resolved = true;
	pass(&l, v, NULL);
}

/* The pass that decides is the one that is told; a first one that came to nothing is
 * silent. */
void
rules_explain(const struct rules *r, const struct facts *f, struct verdict *v,
	void (*each)(void *arg, int rule, bool matched, const char *why), void *arg)
{
	struct listener to = { .each = each, .arg = arg };
	struct look l = look_of(r, f);

	*v = (struct verdict){ 0, -1, "", NULL, true };
	l.resolved |= passes_twice(&l) && !pass(&l, v, NULL);
	*v = (struct verdict){ 0, -1, "", NULL, true };
	pass(&l, v, &to);
}
