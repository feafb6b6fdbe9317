/* SPDX-License-Identifier: MIT */
#include "platform/sys.h"

#include "platform/posix/sys_os.h"

#include <errno.h>
#include <fcntl.h>
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

/* It never waits, and no program that is run gets it. */
static int
set_up(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return 0;
	return -errno;
}

static int
socket_new(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), err;

	if (fd == -1)
		return -errno;
	err = set_up(fd);
	if (err == 0)
		return fd;
	close(fd);
	return err;
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
	int fd, err = address_of(&sa, path);

	if (err < 0)
		return err;
	fd = socket_new();
	if (fd < 0)
		return fd;
	err = bind_closed(fd, &sa);
	if (err == 0 && listen(fd, backlog) == -1) {
		err = -errno;
		(void)unlink(path);
	}
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

/* Takes `fd`. */
static int
with_peer(int fd, uid_t *uid)
{
	int err = sys_os_peer(fd, uid);

	if (err == 0)
		return fd;
	close(fd);
	return err;
}

int
sys_message_accept(int fd, uid_t *uid)
{
	int c, err;

	do
		c = accept(fd, NULL, NULL);
	while (c == -1 && (errno == EINTR || errno == ECONNABORTED));
	if (c == -1)
		return -errno;
	err = set_up(c);
	if (err == 0)
		return with_peer(c, uid);
	close(c);
	return err;
}

int
sys_message_connect(const char *path, uid_t *uid)
{
	struct sockaddr_un sa;
	int fd, err = address_of(&sa, path);

	if (err < 0)
		return err;
	fd = socket_new();
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&sa, sizeof sa) == 0)
		return with_peer(fd, uid);
	err = -errno;
	close(fd);
	return err;
}
