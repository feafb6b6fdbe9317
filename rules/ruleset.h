/* SPDX-License-Identifier: MIT */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

#include "rules/domain.h"
#include "rules/match.h"
#include "rules/rules.h"

#include <stdbool.h>
#include <stddef.h>

/* A loaded rule set, as load.c makes it and decide.c asks it. */

enum {
	RULES_MAX = 4096,
	LIST_MAX = 1000000, /* values of one list of a rule, before geosite: is opened */
	LABEL_MAX = 120     /* bytes */
};

struct rule {
	char *tag, *outbound; /* outbound NULL: the first */
	bool never;
	bool general;       /* nothing of the target is asked for */
	unsigned networks;  /* as in rule_spec */
	unsigned protocols; /* 1 << PROTOCOL_TLS | ...; 0: no condition */
	struct port_set port, source_port;
	/* NULL: no condition. The labels say for people what is in the list. */
	struct address_match *ip, *source;
	struct domain_set *domain;
	char **inbound; /* ends in NULL */
	char *ip_label, *source_label, *domain_label, *inbound_label;
	char *port_label, *source_port_label;
};

struct rules {
	struct rule *rule;
	size_t n;
	enum domain_resolve strategy;
	struct geoip *geoip; /* NULL: no rule asks for a country */
};

/* Why a rule came out as it did.  The questions say something each; the rule keeps what
 * decided it. */
enum { WHY_MAX = 512 };

struct why {
	char now[WHY_MAX];  /* what the last question said */
	char held[WHY_MAX]; /* the conditions that hold so far */
	char open[WHY_MAX]; /* those that need a fact first */
	const char *text;   /* the outcome: one of the three */
};

/* Nothing happens when w is NULL: deciding and explaining run the same code. */
void why_say(struct why *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Moves what was said to the end of `to`. */
void why_keep(struct why *w, char to[static WHY_MAX]);

/* What is in a list, for people: its values where they are few, or how many. NULL when
 * there is no memory. */
char *label_new(const char *const *values, const char *many);
void label_free(char *label);
const char *count_format(size_t n, char buf[static 32]); /* 1,234,567 */

#endif
