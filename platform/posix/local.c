/* SPDX-License-Identifier: MIT */
#include "platform/sys.h"

#include "platform/posix/sys_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
address_of(struct sockaddr_un *sa, const char *path)
{
	size_t len = strlen(path);

	if (len >= sizeof sa->sun_path)
		return -ENAMETOOLONG;
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sa->sun_path, path, len);
	return 0;
}

/* It never waits, and no program that is run gets it. Takes `fd`. */
static int
set_up(int fd)
{
	bool done = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
		fcntl(fd, F_SETFL, O_NONBLOCK) == 0;

	return sys_fd_sound(fd, done ? 0 : -errno);
}

/* A socket, and the address that `path` is for it. */
static int
socket_for(const char *path, struct sockaddr_un *sa)
{
	int fd, err = address_of(sa, path);

	if (err < 0)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	return fd == -1 ? -errno : set_up(fd);
}

/* At no moment may anybody else connect: the mode is there when the name is. */
static int
bind_closed(int fd, const struct sockaddr_un *sa)
{
	mode_t before = umask(0177);
	int err = bind(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 ? 0 : -errno;

	(void)umask(before);
	return err;
}

int
sys_message_listen(const char *path, int backlog)
{
	struct sockaddr_un sa;
	int fd = socket_for(path, &sa), err;

	if (fd < 0)
		return fd;
	err = bind_closed(fd, &sa);
	if (err == 0 && listen(fd, backlog) == -1) {
		err = -errno;
		(void)unlink(path);
	}
	return sys_fd_sound(fd, err);
}

int
sys_message_accept(int fd, uid_t *uid)
{
	int c;

	do
		c = accept(fd, NULL, NULL);
	while (c == -1 && (errno == EINTR || errno == ECONNABORTED));
	if (c == -1)
		return -errno;
	c = set_up(c);
	return c < 0 ? c : sys_fd_sound(c, sys_os_peer(c, uid));
}

int
sys_message_connect(const char *path, uid_t *uid)
{
	struct sockaddr_un sa;
	int fd = socket_for(path, &sa), err;

	if (fd < 0)
		return fd;
	err = connect(fd, (const struct sockaddr *)&sa, sizeof sa) == 0 ? 0 : -errno;
	return sys_fd_sound(fd, err == 0 ? sys_os_peer(fd, uid) : err);
}
