/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_WHOLE_FILE_H
#define DAEMON_WHOLE_FILE_H

#include "base/err.h"

#include <stddef.h>

/* Files that are read in one piece.  They may hold ids and keys, so what is freed or
 * grows is wiped. */

/* All of a descriptor's bytes with a NUL behind them, to be freed by whole_file_free.
 * NULL and errno: EFBIG above `max`. */
char *whole_file_new(int fd, size_t max, size_t *len);
/* The same for a path ("-": standard input), of at most CONFIG_TEXT_MAX bytes. NULL and
 * why, which begins with `name`. */
char *whole_file_open(const char *path, const char *name, size_t *len, struct err *e);
void whole_file_free(char *p, size_t len); /* NULL is fine */

#endif
