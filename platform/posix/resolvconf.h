/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_POSIX_RESOLVCONF_H
#define PLATFORM_POSIX_RESOLVCONF_H

#include "platform/net.h"

/*
 * The file resolv.conf (resolv.conf(5)) at any path; private to platform/.
 *
 * A plan says how the file will be taken over, and so how to put it back:
 *
 *   moved PATH          the original, file or symlink, waits beside it as
 *                       PATH.sluice: its content, owner, mode, times and
 *                       attributes cannot get lost, not even by a power failure
 *   absent PATH         there was none
 *   copied PATH SAVED   the file is mounted there by itself and can only be
 *                       written in place; a copy is in SAVED, and as
 *                       comments in the file itself
 */
int resolvconf_plan(const char *path, const char *state_dir, char plan[static NET_PLAN],
	struct err *e);
int resolvconf_take(const char *plan, const struct ip *servers, int n, struct err *e);
int resolvconf_restore(const char *plan, struct err *e);
/* Without a plan: when the file at `path` is ours, and its original waits beside it, stands in
 * it, or never was. 1: it is put back, 0: it is not ours, -1 and why. */
int resolvconf_rescue(const char *path, struct err *e);
/* Whether it begins as those do that resolvconf_take writes. */
bool resolvconf_is_ours(const char *path);
/* The servers and search domains that a file names. 0, or -errno. */
int resolvconf_read(const char *path, struct net_resolvers *r);

/* Whether a mount has been made over this one file. Each system's own. */
bool resolvconf_is_mounted(const char *path);
/* Exchanges what two names stand for, both or neither. 0, or -errno. Each system's own. */
int resolvconf_exchange(const char *a, const char *b);

#endif
