/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_IMPORT_H
#define DAEMON_IMPORT_H

#include "base/err.h"
#include "daemon/config.h"

#include <stddef.h>

/*
 * From what people are given (links, lists of links, configurations of other
 * programs) to a configuration of this one.
 *
 * One thing that cannot be used does not void the rest: it is left out, and said
 * in one line.
 */
enum { IMPORT_SERVERS_MAX = 1000, IMPORT_COUNTRIES_MAX = 64 };

struct import_choices {
	/* Codes of countries, lower case, NULL-ended, whose addresses are reached
	 * directly; NULL: none. */
	const char *const *direct;
};

/*
 * `name` stands for the text in messages. *out is the configuration, to be freed
 * by import_free; it holds ids.  `say` hears of what could not be carried over.
 * 0, or -1 and why there is none.
 */
int import_read(const char *name, const char *text, size_t len,
	const struct import_choices *c, struct config_say *say, char **out,
	struct err *e);
void import_free(char *out); /* wipes it; NULL is fine */

#endif
