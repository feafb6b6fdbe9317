/* SPDX-License-Identifier: MIT */
#ifndef RULES_DOMAIN_REGEXP_H
#define RULES_DOMAIN_REGEXP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The regular expressions of a domain set.  Xray's are Go's (RE2); PCRE2 reads
 * nearly all of them in the same way, and what it could do beyond, by
 * backtracking without end, the match limit stops.
 */
struct regexps;

struct regexps *regexps_new(void);
void regexps_free(struct regexps *x);
/* `at` is the caller's number of the pattern. 0, -ENOMEM, -E2BIG, or -EINVAL with a
 * sentence that says where in the pattern. */
int regexps_add(
	struct regexps *x, const char *pattern, size_t len, uint32_t at, struct err *e);
/* The number of the first that matches, in *at. */
bool regexps_match(const struct regexps *x, const char *name, size_t len, uint32_t *at);

#endif
