/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_ROUTE_WATCH_H
#define PLATFORM_LINUX_ROUTE_WATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Whether by these news, `n` bytes of netlink messages at p, which is aligned for them,
 * anything may be missing of the device of this index, the tables or their rules. */
bool route_news_lost(const void *p, size_t n, unsigned index, unsigned table);

#endif
