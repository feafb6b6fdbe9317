/* SPDX-License-Identifier: MIT */
#include "flow/flow.h"

#include <assert.h>
#include <string.h>

struct setup *
setup_hold(struct setup *s)
{
	s->count++;
	return s;
}

void
setup_drop(struct setup *s)
{
	if (s == NULL)
		return;
	assert(s->count > 0);
	if (--s->count > 0)
		return;
	rules_free(s->sniffing.excluded);
	s->sniffing.excluded = NULL;
	s->free(s);
}

struct outbound *
setup_outbound(const struct setup *s, const char *tag)
{
	for (size_t i = 0; i < s->noutbound; i++)
		if (tag == NULL || strcmp(s->outbound[i]->tag, tag) == 0)
			return s->outbound[i];
	return NULL;
}

bool
flow_policy_limits(const struct flow_policy *p, const struct outbound_policy *o)
{
	return p->conn_idle_set || p->uplink_only != 0 || p->downlink_only != 0 ||
		o->conn_idle != 0 || o->uplink_only != 0 || o->downlink_only != 0;
}

/*
 * The list is a rule set of one rule, so that its forms are those of
 * routing.rules and mean the same.
 */
int
sniffing_load(struct sniffing *s, struct rules_files *files, struct err *e)
{
	struct rule_spec rule = { .path = "inbounds: sniffing.domainsExcluded",
		.domain = s->exclude,
		.outbound = "excluded" };
	struct rules_spec spec = { .rule = &rule, .n = 1, .files = files };

	if (s->excluded != NULL || s->exclude == NULL || s->exclude[0] == NULL)
		return 0;
	s->excluded = rules_load(&spec, e);
	return s->excluded == NULL ? -1 : 0;
}
