/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_PRIV_H
#define PLATFORM_PRIV_H

#include "base/err.h"

#include <sys/types.h>

/* The uid that an engine runs under: the account `sluice` where it exists, else a free
 * one of the dynamic range. 0, or -1 and why. */
int priv_engine_ids(uid_t *uid, gid_t *gid, struct err *e);
/* For good: uid, gid, no groups, no capability in any set, no-new-privs, no core dump. */
int priv_drop(uid_t uid, gid_t gid, struct err *e);
int priv_is_root(void);
/* Opens a file for reading exactly if this uid and gid, without groups, might; for root.
 * A descriptor, or -errno. */
int priv_open_as(uid_t uid, gid_t gid, const char *path);
/* The calling process is killed when `parent`, whose child it is, ends. After priv_drop,
 * which would end the tie. */
int priv_die_with(pid_t parent, struct err *e);

#endif
