/* SPDX-License-Identifier: MIT */
#ifndef TESTS_NO_FILES_H
#define TESTS_NO_FILES_H

#include "rules/rules.h"

/* A machine without data files. */
static int
no_file(struct rules_files *files, const char *name, char *path, size_t cap,
	struct err *e)
{
	(void)files;
	(void)path;
	(void)cap;
	return err_set(e, "there is no %s", name);
}

static struct rules_files no_files = { no_file };

#endif
