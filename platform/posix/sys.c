/* SPDX-License-Identifier: MIT */
#include "platform/sys.h"

#include "platform/posix/sys_os.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t
clock_read(clockid_t clock)
{
	struct timespec t = { 0 };

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t
sys_monotonic(void)
{
	return clock_read(sys_clock_awake);
}

uint64_t
sys_boottime(void)
{
	return clock_read(sys_clock_all);
}

int64_t
sys_unix_time(void)
{
	return (int64_t)(clock_read(CLOCK_REALTIME) / 1000);
}

unsigned long
sys_raise_descriptors(unsigned long wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 256; /* what every system grants */
	if (limit.rlim_max < wanted) {
		const struct rlimit higher = { wanted, wanted };

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			limit = higher;
	}
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 256;
	return (unsigned long)limit.rlim_cur;
}

void
sys_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof sa.sun_path)
		return;
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@') /* the abstract namespace of Linux */
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd == -1)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		(struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
