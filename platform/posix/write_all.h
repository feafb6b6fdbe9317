/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_POSIX_WRITE_ALL_H
#define PLATFORM_POSIX_WRITE_ALL_H

#include <stddef.h>

/* To a file, for which write waits. 0, or -errno. */
int write_all(int fd, const char *p, size_t len);

#endif
