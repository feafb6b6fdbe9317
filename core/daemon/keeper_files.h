/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_KEEPER_FILES_H
#define DAEMON_KEEPER_FILES_H

#include "base/err.h"
#include "rules/rules.h"

#include <stddef.h>

/*
 * Files for an engine that may open none itself: the keeper opens them and
 * passes the descriptors.  The descriptors stay open until keeper_files_fini,
 * since the paths that are handed to libraries lead through them.
 */
enum { KEEPER_FILES = 16 };

struct keeper_files {
	struct rules_files files;
	int keeper;
	const char *geoip; /* what "geoip" stands for, or NULL for the default name */
	int fd[KEEPER_FILES];
	char name[KEEPER_FILES][96]; /* as people know them */
	int n;
};

void keeper_files_init(struct keeper_files *k, int keeper, const char *geoip);
void keeper_files_fini(struct keeper_files *k);
/* Where a sentence has the path of such a descriptor it gets the file's name. */
void keeper_files_reword(const struct keeper_files *k, struct err *e);

/* The whole configuration file, NUL-terminated, to be freed by keeper_config_free; NULL
 * and why. */
char *keeper_config_read(int keeper, size_t *len, struct err *e);
void keeper_config_free(char *text);

#endif
