/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_SYS_H
#define PLATFORM_SYS_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* The clocks, in milliseconds. */
uint64_t sys_monotonic(void); /* does not count suspend */
uint64_t sys_boottime(void);  /* does */
int64_t sys_unix_time(void);  /* seconds; what people call the time */

/* Raises the limit of descriptors as far as allowed; returns what it is now. */
unsigned long sys_raise_descriptors(void);

/* A connected pair for messages with borders that can carry descriptors. 0, or -errno. */
int sys_message_pair(int fd[2]);
/* One message with up to `nfd` descriptors. The length, 0 when the other side is gone,
 * -errno. */
ssize_t sys_message_send(int sock, const void *p, size_t len, const int *fd, int nfd);
ssize_t sys_message_recv(int sock, void *p, size_t cap, int *fd, int *nfd);

/* Runs a program without a shell and without our descriptors, `input` on its standard
 * input, waits at most `timeout_ms`. Its exit status, or -1 and why (with what it said).
 */
int sys_run(const char *const *argv, const char *input, int timeout_ms, struct err *e);

/* A path by which the open file `fd` can be opened again by this process. */
const char *sys_fd_path(int fd, char *buf, size_t cap);

/* The service manager's notification (sd_notify), silent where there is none. */
void sys_notify(const char *state);

/* A descriptor with a copy of the bytes, that can be mapped and opened by sys_fd_path;
 * -errno. */
int sys_memory_file(const char *name, const void *p, size_t len);

#endif
