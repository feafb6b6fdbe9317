/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_CONNTRACK_H
#define PLATFORM_LINUX_CONNTRACK_H

/* Forgets all connections of a family with this mark. A wish: they run out by themselves. */
void conntrack_flush(int family, unsigned mark);

#endif
