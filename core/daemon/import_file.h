/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_IMPORT_FILE_H
#define DAEMON_IMPORT_FILE_H

#include "base/err.h"

#include <stddef.h>

/* All of a file ("-": standard input) of at most CONFIG_TEXT_MAX bytes, with a NUL behind
 * it, to be freed by import_file_free. NULL and why, which begins with `name`. */
char *import_file_new(const char *path, const char *name, size_t *len, struct err *e);
void import_file_free(char *text, size_t len); /* wipes it; NULL is fine */

/* Text with ids into a new file that only its owner may read, or to standard output for
 * NULL and "-". 0, or -1 and why: a file that is there already stays as it is. */
int import_file_write(const char *path, const char *text, struct err *e);

#endif
