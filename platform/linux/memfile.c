/* SPDX-License-Identifier: MIT */
#include "platform/posix/write_all.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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
	return sys_fd_sound(fd, r);
}
