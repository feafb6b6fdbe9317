/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_LINK_H
#define PLATFORM_LINUX_LINK_H

/* Private to platform/linux. */

/* Whatever way the IPv6 packets of a socket go, they look for it anew: a route of another
 * table that was added would be for new sockets alone. */
void link_routes_renew(void);

#endif
