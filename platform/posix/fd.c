/* SPDX-License-Identifier: MIT */
#include "platform/sys.h"

#include <unistd.h>

int
sys_fd_sound(int fd, int err)
{
	if (err == 0)
		return fd;
	close(fd);
	return err;
}
