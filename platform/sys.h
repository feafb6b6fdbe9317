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

/* Raises the limit of descriptors as far as allowed, and who may raise what is allowed (root)
 * does, up to `wanted`; returns what it is now. */
unsigned long sys_raise_descriptors(unsigned long wanted);
/* What was freed and is kept for the next time goes back to the system. */
void sys_memory_trim(void);

/* `fd`, where `err` is 0; else it is closed, and `err`. */
int sys_fd_sound(int fd, int err);

/* A connected pair for messages with borders that can carry descriptors. fd[0] never
 * waits (-EAGAIN), fd[1] does. Of what fd[0] sends a few dozen messages may lie unread. 0,
 * or -errno. */
int sys_message_pair(int fd[2]);
/* One message with up to 8 descriptors, which stay the caller's. The length, or -errno
 * (-EPIPE: the other side is gone). */
ssize_t sys_message_send(int sock, const void *p, size_t len, const int *fd, int nfd);
/* One message. `fd` has room for *nfd descriptors and gets *nfd of them, close-on-exec and
 * the caller's (both may be NULL); what does not fit is closed. The length, 0 when the
 * other side is gone, -EMSGSIZE when it was longer than `cap`, -errno. */
ssize_t sys_message_recv(int sock, void *p, size_t cap, int *fd, int *nfd);

/* Sockets for such messages by a name in the file system; none of the three ever waits.
 * *uid is who the other side was when it connected or listened.  A descriptor, or -errno:
 * -ENAMETOOLONG where the path has more than about 100 bytes. */
/* `path` must not exist yet; only this process's user, and root, may connect. */
int sys_message_listen(const char *path, int backlog);
/* -EAGAIN: nobody has connected. */
int sys_message_accept(int fd, uid_t *uid);
/* -ENOENT, -ECONNREFUSED: nobody listens there, or no longer; -EAGAIN: `backlog` wait. */
int sys_message_connect(const char *path, uid_t *uid);

/* Runs the program argv[0] (a path) without a shell, without our descriptors and without
 * our environment, with `input` (may be NULL) on its standard input, and waits at most
 * `timeout_ms`; then it is killed. Its exit status (127 also when it is not there), or -1
 * when it did not end by itself; `e` says why for everything but 0, with what it said. */
int sys_run(const char *const *argv, const char *input, int timeout_ms, struct err *e);

/* A path by which the open file `fd` can be opened again by this process, if it may read
 * that file; it always may for one of its own sys_memory_file. 32 bytes are enough. */
const char *sys_fd_path(int fd, char *buf, size_t cap);

/* Opens a regular file for reading by a path relative to the folder `dir`, which no
 * symbolic link and no ".." may lead out of. A descriptor, or -errno. */
int sys_open_beneath(const char *dir, const char *path);

/* The service manager's notification (sd_notify), silent where there is none. */
void sys_notify(const char *state);

/* A descriptor with a copy of the bytes, that can be mapped and opened by sys_fd_path;
 * -errno. */
int sys_memory_file(const char *name, const void *p, size_t len);

#endif
