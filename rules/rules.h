/* SPDX-License-Identifier: MIT */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What to do with a destination.  Pure: no sockets, no clock, no waiting.  A
 * rule set never changes once it is loaded; a reload loads another one.
 *
 * rules_decide is given what is known of a flow and answers "decided", or the
 * facts that could still change the answer.  The caller gets one, marks it
 * known (even where there turned out to be none: a flow without a name is a
 * known fact), and asks again.  Facts that no rule that can still be reached
 * asks for are never missing.
 */

enum {
	FACT_NAME = 1, /* the name of the address */
	FACT_ADDRESSES =
		2,      /* the addresses of the name, where the flow has only a name */
	FACT_BYTES = 4, /* the protocol, by the first bytes */
};

enum protocol {
	PROTOCOL_UNKNOWN,
	PROTOCOL_HTTP,
	PROTOCOL_TLS,
	PROTOCOL_BITTORRENT,
	PROTOCOL_QUIC
};

struct facts {
	unsigned known; /* FACT_ bits that are settled */
	enum network network;
	struct endpoint source;
	struct ip ip; /* the address that the application used; family 0: only a name */
	uint16_t port;
	const char *name;       /* lower case, no final dot; NULL: none */
	const struct ip *addrs; /* of the name */
	size_t naddrs;
	enum protocol protocol;
	const char *inbound_tag;
};

struct verdict {
	unsigned missing; /* 0: decided; else the facts to get, the cheapest of which
			     comes first */
	int rule; /* index in routing.rules; -1: no rule matched, the first outbound */
	const char *rule_tag; /* or "" */
	const char *outbound; /* tag; borrowed from the rule set; NULL for the first
				 outbound */
	bool general; /* it was not decided for the target's sake: no rule matched, or one
			 that takes every name, address and port */
};

enum domain_resolve { RESOLVE_AS_IS, RESOLVE_IF_NON_MATCH, RESOLVE_ON_DEMAND };

/* One element of routing.rules, as text; the lists end in NULL, and a NULL list is
 * absent. */
struct rule_spec {
	const char *path; /* "config.json: routing.rules[3]", for messages */
	const char *const *domain,
		*const *ip, *const *source, *const *protocol, *const *inbound_tag;
	const char *port, *source_port; /* "53,443,1000-2000", or NULL */
	unsigned networks; /* 1 << NETWORK_TCP | ...; 0: any; tcp and udp: echoes too */
	const char *outbound, *rule_tag;
	bool never; /* can never match (its inbound cannot exist): kept for its index only
		     */
};

/*
 * Where data files come from. `open` answers a path that can be opened and
 * mapped for the named file ("geosite.dat", "geoip", "lists/ads.dat"), written
 * to `path`, or -1 and why.  "geoip" is the country database.
 */
struct rules_files {
	int (*open)(struct rules_files *, const char *name, char *path, size_t cap,
		struct err *e);
};

/* Told what is right in form and can match nothing, a line each, with the value's path. */
struct rules_say {
	void (*warn)(struct rules_say *, const char *line);
};

struct rules_spec {
	const struct rule_spec *rule;
	size_t n;
	enum domain_resolve strategy;
	struct rules_files *files; /* used while loading only */
	struct rules_say *say;     /* so is this; may be NULL */
};

struct rules;

/* NULL and why (file, path of the value). What `spec` points to may go afterwards. */
struct rules *rules_load(const struct rules_spec *spec, struct err *e);
void rules_free(struct rules *r);
void rules_decide(const struct rules *r, const struct facts *f, struct verdict *v);

/*
 * Why, rule by rule: `each` gets every rule up to and with the one that
 * matched, and a sentence: what matched, or which condition did not ("ip: no
 * range has 192.0.2.1 (XA)").  Runs the same code as rules_decide.
 */
void rules_explain(const struct rules *r, const struct facts *f, struct verdict *v,
	void (*each)(void *arg, int rule, bool matched, const char *why), void *arg);

/* The tag of a rule by its number, as a verdict has it; "" for none and no rule. */
const char *rules_tag(const struct rules *r, int rule);

/* The country of an address by the loaded database, two upper-case letters in cc, or ""
 * and -ENOENT where the database has none or no database was needed. */
int rules_country(const struct rules *r, const struct ip *ip, char cc[static 3]);

/* The database alone, for `sluice geo` and for checking a new one before it is swapped
 * in. */
struct geoip;
struct geoip *geoip_open(const char *path, struct err *e);
void geoip_free(struct geoip *g);
int geoip_country(const struct geoip *g, const struct ip *ip, char cc[static 3]);
/* Whether any address is in this country, of two letters. Looks through all of the database
 * when it is first called; where that is damaged, every country may be in it. */
bool geoip_has_country(struct geoip *g, const char *cc);
const char *geoip_describe(
	const struct geoip *g, char *buf, size_t cap); /* type, build date, records */

#endif
