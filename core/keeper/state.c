/* SPDX-License-Identifier: MIT */
#include "keeper/state.h"

#include "base/text.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOCK_PATH = 256,
	DYING_WAIT = 5000, /* ms; an engine is killed with its keeper, and then gone */
	DYING_LOOK = 20,   /* ms */
};

/* A folder that was there before is the user's, and stays as it is.  What lies in it is
 * root's alone by its own mode, as long as nobody else can put anything in its place. */
static int
folder_judge(const char *dir, const struct stat *st, struct err *e)
{
	if (st->st_uid != geteuid())
		return err_set(e,
			"%s belongs to somebody else (user %u); choose another directory "
			"with --state",
			dir, (unsigned)st->st_uid);
	if ((st->st_mode & 0022) != 0)
		return err_set(e,
			"%s can be written to by others (mode %04o), and so is no place "
			"for a journal of root's; choose another directory with --state, "
			"or one that is not there yet",
			dir, (unsigned)st->st_mode & 07777);
	return 0;
}

int
state_prepare(const char *dir, struct err *e)
{
	struct stat st;
	int fd, r;

	if (mkdir(dir, 0700) == -1 && errno != EEXIST)
		return err_set(e,
			"%s cannot be made: %s; choose another directory with --state",
			dir, strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return err_set(e, "%s: %s; choose another directory with --state", dir,
			strerror(errno));
	r = fstat(fd, &st) == 0 ? folder_judge(dir, &st, e)
				: err_set(e, "%s: %s", dir, strerror(errno));
	close(fd);
	return r;
}

/* The keeper that wrote the lock; 0: not known. */
static pid_t
holder(int fd)
{
	char text[16] = "";
	uint64_t pid;

	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return number_parse(&pid, text, INT32_MAX) ? (pid_t)pid : 0;
}

static bool
is_gone(pid_t pid)
{
	return pid > 0 && kill(pid, 0) == -1 && errno == ESRCH;
}

/* Waits only for what a killed keeper has left. */
static int
lock_wait(int fd)
{
	uint64_t until = sys_monotonic() + DYING_WAIT;

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (!is_gone(holder(fd)) || sys_monotonic() > until)
			return -EWOULDBLOCK;
		(void)poll(NULL, 0, DYING_LOOK);
	}
	return 0;
}

int
state_lock(const char *dir, struct err *e)
{
	char path[LOCK_PATH], text[16];
	int fd, n, r;

	n = snprintf(path, sizeof path, "%s/lock", dir);
	if (n < 0 || (size_t)n >= sizeof path)
		return err_set(e, "%s: the path is too long", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_set(e, "%s: %s; choose another directory with --state", path,
			strerror(errno));
	r = lock_wait(fd);
	if (r == -EWOULDBLOCK)
		(void)err_set(e,
			"another instance of sluice runs already (process %d, %s); end it "
			"first, only one at a time can have this machine's traffic",
			(int)holder(fd), dir);
	else if (r < 0)
		(void)err_set(e, "%s: %s", path, strerror(-r));
	if (r < 0) {
		close(fd);
		return -1;
	}
	n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == -1 || pwrite(fd, text, (size_t)n, 0) != n) {
		(void)err_set(e, "%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}
