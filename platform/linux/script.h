/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_SCRIPT_H
#define PLATFORM_LINUX_SCRIPT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Rule sets are text for the `nft` program, one transaction each: a set of
 * rules is there as a whole or not at all.
 */
struct script {
	char *text; /* script_free */
	size_t len, cap;
	bool cut; /* it has no room for all of it */
};

/* With room for `cap` bytes; NULL without memory. */
struct script *script_new(size_t cap);
void script_free(struct script *s);
void
script_add(struct script *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0; -EINVAL and why: it was refused; or another number below 0 and why: who could refuse
 * it was not asked, or did not answer. */
int script_run(const struct script *s, struct err *e);

/* What a rule set is made of, each alone: rules of a table. */
struct script_piece {
	const char *what; /* how people know it; NULL: what nft said is better */
	const char *rules;
};
/* Whether this kernel does not have a piece, which are rules of a table of `family`.  Changes
 * nothing. */
bool script_is_missing(const char *family, const char *rules);
/* After a rule set was refused: which piece this kernel does not have, in a table of
 * `family`.  Changes nothing. -1, and why, for `whom`; as it was where none is missing. */
int script_name_missing(const char *family, const struct script_piece *piece, size_t n,
	const char *whom, struct err *e);

#endif
