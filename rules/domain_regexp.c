/* SPDX-License-Identifier: MIT */
#include "rules/domain_regexp.h"

#include "rules/domain.h"

#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	MATCH_LIMIT = 20000, /* steps of backtracking; a name has at most 253 bytes */
	HEAP_LIMIT = 256     /* KiB, of the interpreter where there is no JIT */
};

struct regexp {
	pcre2_code *code;
	uint32_t at;
};

struct regexps {
	struct regexp *all;
	pcre2_match_data *found;
	pcre2_match_context *limits;
	size_t n, cap;
};

struct regexps *
regexps_new(void)
{
	struct regexps *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->found = pcre2_match_data_create(1, NULL);
	x->limits = pcre2_match_context_create(NULL);
	if (!x->found || !x->limits) {
		regexps_free(x);
		return NULL;
	}
	pcre2_set_match_limit(x->limits, MATCH_LIMIT);
	pcre2_set_heap_limit(x->limits, HEAP_LIMIT);
	return x;
}

void
regexps_free(struct regexps *x)
{
	size_t i;

	if (!x)
		return;
	for (i = 0; i < x->n; i++)
		pcre2_code_free(x->all[i].code);
	pcre2_match_data_free(x->found);
	pcre2_match_context_free(x->limits);
	free(x->all);
	free(x);
}

static int
grow(struct regexps *x)
{
	size_t cap = x->cap ? x->cap * 2 : 4;
	struct regexp *all;

	if (x->n < x->cap)
		return 0;
	all = realloc(x->all, cap * sizeof(*all));
	if (!all)
		return -ENOMEM;
	x->all = all;
	x->cap = cap;
	return 0;
}

/* As in Go: `$` is the end and not a newline before it, and there are no
 * backreferences, which is what NO_AUTO_CAPTURE comes to. */
static pcre2_code *
compile(const char *pattern, size_t len, struct err *e)
{
	uint32_t options = PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE |
		PCRE2_NEVER_BACKSLASH_C;
	PCRE2_UCHAR why[128] = "";
	pcre2_code *code;
	PCRE2_SIZE at;
	int error;

	code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &error, &at, NULL);
	if (!code) {
		pcre2_get_error_message(error, why, sizeof(why));
		err_set(e, "bad regular expression at byte %zu: %s", (size_t)at,
			(const char *)why);
		return NULL;
	}
	/* Where the system forbids it, the interpreter does the same, slower. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}

int
regexps_add(
	struct regexps *x, const char *pattern, size_t len, uint32_t at, struct err *e)
{
	pcre2_code *code;
	int r;

	if (len > REGEXP_TEXT_MAX || x->n >= DOMAIN_REGEXP_MAX) {
		err_set(e, "a regular expression has at most %d bytes, a list %d of them",
			REGEXP_TEXT_MAX, DOMAIN_REGEXP_MAX);
		return -E2BIG;
	}
	r = grow(x);
	if (r < 0) {
		err_set(e, "no memory for a regular expression");
		return r;
	}
	code = compile(pattern, len, e);
	if (!code)
		return -EINVAL;
	x->all[x->n++] = (struct regexp){ code, at };
	return 0;
}

bool
regexps_match(const struct regexps *x, const char *name, size_t len, uint32_t *at)
{
	size_t i;
	int r;

	for (i = 0; i < x->n; i++) {
		r = pcre2_match(
			x->all[i].code, (PCRE2_SPTR)name, len, 0, 0, x->found, x->limits);
		if (r >= 0) {
			*at = x->all[i].at;
			return true;
		}
	}
	return false;
}
