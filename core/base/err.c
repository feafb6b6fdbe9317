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

/* Cut to fit. */
static void
append(struct err *e, const char *text)
{
	size_t had = strlen(e->text), n = strlen(text), room = sizeof e->text - 1 - had;

	if (n > room)
		n = room;
	memcpy(e->text + had, text, n);
	e->text[had + n] = '\0';
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	struct err made;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(made.text, sizeof made.text, fmt, ap);
	va_end(ap);
	append(&made, ": ");
	append(&made, e->text);
	text_clean(made.text);
	*e = made;
	return -1;
}
