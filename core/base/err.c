/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The old text may be among the arguments, so the new one is made beside it. */
int
err_set(struct err *e, const char *fmt, ...)
{
	struct err made;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(made.text, sizeof made.text, fmt, ap);
	va_end(ap);
	text_clean(made.text);
	*e = made;
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	struct err prefix, made;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(prefix.text, sizeof prefix.text, fmt, ap);
	va_end(ap);
	made = prefix;
	if (strlen(prefix.text) + 2 < sizeof made.text) {
		size_t n = strlen(prefix.text);

		snprintf(made.text + n, sizeof made.text - n, ": %s", e->text);
	}
	text_clean(made.text);
	*e = made;
	return -1;
}
