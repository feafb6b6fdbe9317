/* SPDX-License-Identifier: MIT */
#include "unit/daemon/read.h"

#include <stdio.h>
#include <string.h>

struct config *
read_text(const char *text)
{
	struct err e = { "" };
	struct config *c = config_read("c.json", text, strlen(text), NULL, &e);

	if (!c)
		fail_msg("%s", e.text);
	return c;
}

struct config *
read_filled(const char *form, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, form);
	n = vsnprintf(text, sizeof(text), form, ap);
	va_end(ap);
	assert_in_range(n, 1, sizeof(text) - 1);
	return read_text(text);
}
