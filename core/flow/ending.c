/* SPDX-License-Identifier: MIT */
#include "flow/ending.h"

#include "base/log.h"

#include <stdio.h>

static const char *
network_name(enum network n)
{
	switch (n) {
	case NETWORK_TCP:
		return "tcp";
	case NETWORK_UDP:
		return "udp";
	case NETWORK_ICMP:
		return "ping";
	}
	return "";
}

/* "rule 3 (ads)", by its place in routing.rules, counted as `sluice explain` does. */
static const char *
rule_format(const struct rules *rules, int rule, char *buf, size_t cap)
{
	const char *tag = rules != NULL ? rules_tag(rules, rule) : "";

	if (rules == NULL)
		snprintf(buf, cap, "undecided");
	else if (rule < 0)
		snprintf(buf, cap, "no rule");
	else if (tag[0] != '\0')
		snprintf(buf, cap, "rule %d (%s)", rule, tag);
	else
		snprintf(buf, cap, "rule %d", rule);
	return buf;
}

void
ending_log(const struct ending *e)
{
	char source[ENDPOINT_TEXT], target[ENDPOINT_TEXT], rule[96];

	if (!log_wants(LOG_INFO))
		return;
	endpoint_format(&e->source, source);
	endpoint_format(&e->target, target);
	log_info("%s %s -> %s%s%s%s, %s, %s, up %llu down %llu, %llu.%03llu s: %s",
		network_name(e->network), source, target, e->name ? " (" : "",
		e->name ? e->name : "", e->name ? ")" : "",
		rule_format(e->rules, e->rule, rule, sizeof(rule)),
		e->outbound ? e->outbound : "-", (unsigned long long)e->up,
		(unsigned long long)e->down, (unsigned long long)(e->duration / 1000),
		(unsigned long long)(e->duration % 1000), e->how);
}
