/* SPDX-License-Identifier: MIT */
#include "platform/posix/sys_os.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
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

const char *
sys_fd_path(int fd, char *buf, size_t cap)
{
	snprintf(buf, cap, "/proc/self/fd/%d", fd);
	return buf;
}
