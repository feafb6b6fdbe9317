/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_WORDS_H
#define DAEMON_WORDS_H

#include "base/addr.h"

/*
 * HOST:PORT as people write it: an address, an IPv6 address in brackets, or a
 * name.  A name is made normal into `name`, which to->name then points at.  0;
 * or -1, after a line on standard error that ends with `see`.
 */
int words_target(const char *words, struct target *to, char name[static NAME_MAX_LEN + 1],
	const char *see);

#endif
