/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_EXPORT_H
#define DAEMON_EXPORT_H

#include "base/err.h"
#include "daemon/config.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The vmess:// link of an outbound of a configuration, as v2rayN writes it, or
 * in the form of a URI. `tag` NULL: the first VMess outbound. `say` hears of what
 * a link has no word for.  0 and *link, to be freed by export_free; or -1 and why.
 */
struct export_request {
	const char *file; /* names the text in messages */
	const char *text;
	size_t len;
	const char *tag;
	bool uri;
};

int export_read(const struct export_request *r, struct config_say *say, char **link,
	struct err *e);
void export_free(char *link); /* wipes it; NULL is fine */

#endif
