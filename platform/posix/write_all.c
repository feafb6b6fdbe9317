/* SPDX-License-Identifier: MIT */
#include "platform/posix/write_all.h"

#include <errno.h>
#include <unistd.h>

int
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
