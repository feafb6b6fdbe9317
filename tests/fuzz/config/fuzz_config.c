/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"
#include "fuzz/fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Any text is a configuration or an error of one line; a configuration prints
 * as one that prints the same.
 */

static void
note(struct config_say *say, const char *line)
{
	(void)say;
	must_be_line(line);
}

static struct config *
read_text(const char *text, size_t len)
{
	struct config_say say = { note, note };
	struct err e = { "" };
	struct config *c = config_read("config.json", text, len, &say, &e);

	if (!c)
		must_be_line(e.text);
	return c;
}

static char *
print(const struct config *c)
{
	char *text;

	if (config_print(c, &text) < 0)
		abort();
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct config *c = read_text((const char *)p, len), *again;
	char *first, *second;

	if (!c)
		return 0;
	first = print(c);
	again = read_text(first, strlen(first));
	if (!again)
		abort();
	second = print(again);
	if (strcmp(first, second) != 0)
		abort();
	config_print_free(second);
	config_print_free(first);
	config_free(again);
	config_free(c);
	return 0;
}
