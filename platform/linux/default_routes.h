/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_DEFAULT_ROUTES_H
#define PLATFORM_LINUX_DEFAULT_ROUTES_H

/* A copy of the machine's default routes; private to platform/linux. */

/* Those of the main table, but for what leads into the device of index `but`, in `table`,
 * too.  0, or -errno. */
int default_routes_copy(int family, unsigned table, unsigned but);
/* Removes them there; 0, or -errno. */
int default_routes_drop(int family, unsigned table);

#endif
