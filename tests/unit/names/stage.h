/* SPDX-License-Identifier: MIT */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

#include "names/names.h"
#include "resolver.h"

/* A loop in unreal time, one or two resolvers, and the names that asks them. */
struct stage {
	struct loop *loop;
	struct names *names;
	struct resolver a, b;
	int ready; /* how often the owner of lookups got its turn */
	struct task owner;
};

enum { BOTH = LOOKUP_V4 | LOOKUP_V6 };

/* `second` may be NULL: one resolver. */
void stage_open(struct stage *s, resolver_script *first, resolver_script *second);
void stage_names(struct stage *s, const struct names_config *c);
void stage_close(struct stage *s);
/* Turns the loop until there is an answer. */
int until_answer(struct stage *s, struct lookup *k, const struct ip **ip);
/* The answer of a whole lookup as "addr addr", or the error's name. */
const char *resolve(struct stage *s, const char *name, unsigned families);

/* Scripts: two addresses with 60 and 30 s, one other address, nothing; a cut answer that
 * is whole over TCP, one that is not, and SERVFAIL. */
resolver_script plain, other, silent, cut, cut_and_gone, servfail;

#endif
