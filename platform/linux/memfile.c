/* SPDX-License-Identifier: MIT */
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int
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

int
sys_memory_file(const char *name, const void *p, size_t len)
{
	int fd, r;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -errno;
	r = write_all(fd, p, len);
	/* Sealed, so that whoever maps it need not fear that it shrinks or changes. */
	if (r == 0 &&
		fcntl(fd, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1)
		r = -errno;
	if (r == 0 && lseek(fd, 0, SEEK_SET) == -1)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}
