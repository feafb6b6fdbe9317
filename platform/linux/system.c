/* SPDX-License-Identifier: MIT */
#include "platform/posix/sys_os.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const clockid_t sys_clock_awake = CLOCK_MONOTONIC;
const clockid_t sys_clock_all = CLOCK_BOOTTIME;

void
sys_os_close_from(int first)
{
	long fd, last;

	if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
		return;
	/* Before Linux 5.9. */
	last = sysconf(_SC_OPEN_MAX);
	for (fd = first; fd < last; fd++)
		close((int)fd);
}

int
sys_os_peer(int fd, uid_t *uid)
{
	struct ucred who;
	socklen_t len = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1)
		return -errno;
	*uid = who.uid;
	return 0;
}

void
sys_memory_trim(void)
{
	malloc_trim(0);
}

const char *
sys_fd_path(int fd, char *buf, size_t cap)
{
	snprintf(buf, cap, "/proc/self/fd/%d", fd);
	return buf;
}

/* One step of the way: `name` has no slash. Takes over `dir`. */
static int
step_open(int dir, const char *name, bool last)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd;

	fd = strcmp(name, "..") == 0
		? -1
		: openat(dir, name, last ? flags : flags | O_DIRECTORY);
	if (fd == -1)
		fd = strcmp(name, "..") == 0 ? -EXDEV : -errno;
	close(dir);
	return fd;
}

/* Before Linux 5.6; stricter, since it follows no link at all. Takes over `dir`. */
static int
walk_open(int dir, const char *path)
{
	char name[256];
	size_t len;

	for (;;) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0 || len >= sizeof name) {
			close(dir);
			return len == 0 ? -EISDIR : -ENAMETOOLONG;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		dir = step_open(dir, name, *path == '\0');
		if (dir < 0 || *path == '\0')
			return dir;
	}
}

int
sys_open_beneath(const char *dir, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	struct stat st;
	long fd;
	int at;

	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at == -1)
		return -errno;
	fd = syscall(SYS_openat2, at, path, &how, sizeof how);
	if (fd == -1 && errno == ENOSYS) {
		fd = walk_open(at, path);
	} else {
		fd = fd == -1 ? -errno : fd;
		close(at);
	}
	if (fd < 0)
		return (int)fd;
	if (fstat((int)fd, &st) == 0 && S_ISREG(st.st_mode))
		return (int)fd;
	close((int)fd);
	return -EISDIR;
}
