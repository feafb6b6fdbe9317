/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_FILES_H
#define KEEPER_FILES_H

#include "base/err.h"
#include "keeper/keeper.h"

#include <sys/types.h>

/*
 * Files for the engine.  "" is the configuration.  A relative name is looked
 * for in the folder of the configuration and in those for data, and stays
 * below them.  An absolute one is opened as the engine might open it itself:
 * the engine gets nothing that its uid could not read.  Regular files only.
 * A descriptor, or -1 and why.
 */
int files_open(const struct keeper_config *c, uid_t uid, gid_t gid, const char *name,
	struct err *e);

#endif
