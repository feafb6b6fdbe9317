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

#endif
