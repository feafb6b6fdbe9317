/* SPDX-License-Identifier: MIT */
#include "flow/facts.h"

#include <errno.h>
#include <string.h>

enum { FACTS_ALL = FACT_NAME | FACT_ADDRESSES | FACT_BYTES };

static void
name_set(struct inquiry *q, const char *name)
{
	size_t n = strnlen(name, NAME_MAX_LEN);

	memcpy(q->name, name, n);
	q->name[n] = '\0';
	q->facts.name = n > 0 ? q->name : NULL;
}

void
inquiry_begin(struct inquiry *q, const struct setup *setup, struct dns *dns,
	struct names *names)
{
	memset(q, 0, sizeof(*q));
	q->setup = setup;
	q->dns = dns;
	q->names = names;
}

void
inquiry_about(struct inquiry *q, enum network network, const struct endpoint *source,
	const struct target *target)
{
	q->facts = (struct facts){
		.network = network,
		.source = *source,
		.ip = target->ip,
		.port = target->port,
		.inbound_tag = q->setup->inbound_tag,
	};
	if (target->name != NULL) {
		name_set(q, target->name);
		q->facts.known |= FACT_NAME;
	}
	if (target->ip.family != 0)
		q->facts.known |= FACT_ADDRESSES;
	/* No protocol that the rules know begins with a datagram yet, and none with an
	 * echo. */
	if (network != NETWORK_TCP || q->no_bytes)
		q->facts.known |= FACT_BYTES;
}

void
inquiry_fini(struct inquiry *q)
{
	lookup_free(q->lookup);
	q->lookup = NULL;
}

static bool
bytes_can_name(const struct inquiry *q)
{
	return q->setup->sniffing.override != 0 && !(q->facts.known & FACT_BYTES);
}

/* The name by which the application came to know the address, else the one that its
 * first bytes will tell. */
static enum inquiry_answer
name_get(struct inquiry *q)
{
	const char *name = NULL;

	if (q->dns != NULL && q->facts.ip.family != 0)
		name = dns_name_of(q->dns, &q->facts.ip);
	if (name == NULL && bytes_can_name(q))
		return INQUIRY_BYTES;
	if (name != NULL)
		name_set(q, name);
	q->facts.known |= FACT_NAME;
	return INQUIRY_DECIDED;
}

/* A name that cannot be resolved has no addresses, which is a known fact too. */
static enum inquiry_answer
addresses_get(struct inquiry *q, struct task *owner)
{
	int n = -ENOENT;

	if (q->lookup == NULL && q->names != NULL && q->facts.name != NULL)
		q->lookup = names_lookup(
			q->names, q->facts.name, LOOKUP_V4 | LOOKUP_V6, owner);
	if (q->lookup != NULL)
		n = lookup_answer(q->lookup, &q->facts.addrs);
	if (n == -EAGAIN)
		return INQUIRY_WAITS;
	q->facts.naddrs = n > 0 ? (size_t)n : 0;
	q->facts.known |= FACT_ADDRESSES;
	return INQUIRY_DECIDED;
}

enum inquiry_answer
inquiry_decide(struct inquiry *q, struct verdict *v, struct task *owner)
{
	enum inquiry_answer a = INQUIRY_DECIDED;

	while (a == INQUIRY_DECIDED) {
		rules_decide(q->setup->rules, &q->facts, v);
		v->missing &= FACTS_ALL & ~q->facts.known;
		if (v->missing == 0)
			return INQUIRY_DECIDED;
		if (v->missing & FACT_NAME)
			a = name_get(q);
		else if (v->missing & FACT_ADDRESSES)
			a = addresses_get(q, owner);
		else
			a = INQUIRY_BYTES;
	}
	return a;
}

/* A resolver of this machine's own network is asked by this machine, unless a rule was
 * written for it: an outbound's server has no way there. */
struct outbound *
inquiry_outbound(const struct inquiry *q, const struct verdict *v)
{
	if (q->to_local && v->general && q->setup->local != NULL)
		return q->setup->local;
	return setup_outbound(q->setup, v->outbound);
}

struct outbound *
inquiry_way(const struct setup *setup, struct dns *dns, struct names *names,
	enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	struct target to = { .ip = target->ip, .port = target->port };
	struct outbound *o = NULL;
	struct inquiry q;
	struct verdict v;

	inquiry_begin(&q, setup, dns, names);
	inquiry_about(&q, network, source, &to);
	if (inquiry_decide(&q, &v, NULL) == INQUIRY_DECIDED)
		o = inquiry_outbound(&q, &v);
	inquiry_fini(&q);
	return o;
}

bool
inquiry_wants_name(const struct inquiry *q, const struct outbound *o)
{
	return bytes_can_name(q) && !q->setup->sniffing.route_only && !o->ops->truthful;
}

static bool
is_excluded(const struct inquiry *q, const char *name)
{
	struct facts f = { .known = FACTS_ALL, .name = name };
	struct verdict v;

	if (q->setup->sniffing.excluded == NULL)
		return false;
	rules_decide(q->setup->sniffing.excluded, &f, &v);
	return v.missing == 0 && v.rule >= 0;
}

static bool
may_override(const struct inquiry *q, const struct sniffed *s)
{
	unsigned override = q->setup->sniffing.override;

	if (s->name[0] == '\0' || is_excluded(q, s->name))
		return false;
	return (s->protocol == PROTOCOL_HTTP && override & SNIFF_HTTP) ||
		(s->protocol == PROTOCOL_TLS && override & SNIFF_TLS);
}

/*
 * A name that is excluded is no fact for the rules either, as in Xray.  A name
 * that the bytes tell takes the place of the one that an address was asked
 * for by: several names share an address, and this one is the flow's own.
 */
bool
inquiry_sniffed(struct inquiry *q, const struct sniffed *s)
{
	bool named = may_override(q, s);

	q->facts.protocol = s->protocol;
	q->facts.known |= FACT_BYTES;
	if (named) {
		name_set(q, s->name);
		q->facts.known |= FACT_NAME;
	}
	return named && !q->setup->sniffing.route_only;
}
