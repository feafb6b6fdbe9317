/* SPDX-License-Identifier: MIT */
#include "rules/ruleset.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_VALUES = 4 }; /* more than that are counted and not named */

void
why_say(struct why *w, const char *fmt, ...)
{
	va_list ap;

	if (!w)
		return;
	va_start(ap, fmt);
	vsnprintf(w->now, sizeof(w->now), fmt, ap);
	va_end(ap);
}

void
why_keep(struct why *w, char to[static WHY_MAX])
{
	size_t len;

	if (!w || !w->now[0])
		return;
	len = strlen(to);
	snprintf(to + len, WHY_MAX - len, "%s%s", len ? "; " : "", w->now);
	w->now[0] = '\0';
}

const char *
count_format(size_t n, char buf[static 32])
{
	char digits[24];
	size_t i, len, out = 0;

	len = (size_t)snprintf(digits, sizeof(digits), "%zu", n);
	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[out++] = ',';
		buf[out++] = digits[i];
	}
	buf[out] = '\0';
	return buf;
}

char *
label_new(const char *const *values, const char *many)
{
	char *label = calloc(1, LABEL_MAX), count[32];
	size_t n = 0, len = 0;

	if (!label)
		return NULL;
	for (; values[n]; n++) {
		if (n >= LABEL_VALUES || len >= LABEL_MAX)
			continue;
		len += (size_t)snprintf(
			label + len, LABEL_MAX - len, "%s%s", n ? ", " : "", values[n]);
	}
	if (n > LABEL_VALUES || len >= LABEL_MAX)
		snprintf(label, LABEL_MAX, "%s %s", count_format(n, count), many);
	return label;
}

void
label_free(char *label)
{
	free(label);
}
