/* SPDX-License-Identifier: MIT */
#ifndef RULES_DOMAIN_H
#define RULES_DOMAIN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A set of domain patterns in Xray's forms, made for lists of a hundred
 * thousand.  Names and what is under them are found by one walk over the name
 * from its end, one look into a hash table at each label; keywords by one look
 * at each byte.  Only regular expressions and `dotless` are tried one by one.
 * Upper and lower case are the same everywhere.
 */
enum domain_kind {
	DOMAIN_KEYWORD, /* anywhere in the name */
	DOMAIN_REGEXP,  /* PCRE2, anywhere unless anchored */
	DOMAIN_SUFFIX,  /* the name itself, or anything under it */
	DOMAIN_FULL,    /* exactly the name */
	DOMAIN_DOTLESS, /* in a name without a dot; empty: any such name */
};

enum {
	DOMAIN_SET_MAX = 4000000,    /* patterns of a set */
	DOMAIN_TEXT_MAX = 256 << 20, /* bytes of all patterns of a set */
	DOMAIN_REGEXP_MAX = 20000,   /* regular expressions of a set */
	REGEXP_TEXT_MAX = 2048,      /* bytes of one */
};

struct domain_set;

/* NULL when there is no memory. */
struct domain_set *domain_set_new(void);
void domain_set_free(struct domain_set *s);
/* `value` need not be terminated. 0, -ENOMEM, -E2BIG at a limit, or -EINVAL; always with
 * a sentence that begins with what is wrong and names no path. */
int domain_set_add(struct domain_set *s, enum domain_kind kind, const char *value,
	size_t len, struct err *e);
size_t domain_set_count(const struct domain_set *s);

/* What matched; `pattern` is borrowed from the set. */
struct domain_hit {
	enum domain_kind kind;
	const char *pattern;
};

/* `name` is lower case without a final dot. A regular expression that gives up at its
 * limit does not match.  Not for two threads at once: they would share the scratch memory
 * of the regular expressions. */
bool domain_set_has(const struct domain_set *s, const char *name, struct domain_hit *hit);

#endif
