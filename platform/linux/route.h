/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_ROUTE_H
#define PLATFORM_LINUX_ROUTE_H

#include "base/addr.h"

/* Private to platform/linux. */

/* The tables of net_routes: the one that it names, and those behind it. */
enum { ROUTE_TABLES = 3 };

/* The next hop of what is sent by sockets that are bound to the device, and of nothing
 * else. */
struct ip route_bound_hop(int family);

#endif
