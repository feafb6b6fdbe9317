/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_IMPORT_FILE_H
#define DAEMON_IMPORT_FILE_H

#include "base/err.h"

/* Text with ids into a new file that only its owner may read, or to standard output for
 * NULL and "-". 0, or -1 and why: a file that is there already stays as it is. */
int import_file_write(const char *path, const char *text, struct err *e);

#endif
