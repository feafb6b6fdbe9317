/* SPDX-License-Identifier: MIT */
#include "keeper/files.h"

#include "platform/priv.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER = 512 };

static int
config_open(const char *path, struct err *e)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return err_set(e, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, "%s is not a file", path);
}

static int
absolute_open(uid_t uid, gid_t gid, const char *path, struct err *e)
{
	struct stat st;
	int fd;

	fd = priv_open_as(uid, gid, path);
	if (fd == -EACCES)
		return err_set(e,
			"%s: the engine, which is not root, may not read it; make it and "
			"its folders readable, or put it beside the configuration",
			path);
	if (fd < 0)
		return err_set(e, "%s: %s", path, strerror(-fd));
	/* The files of /proc show whoever opens them, and have no size. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		return fd;
	close(fd);
	return err_set(e, "%s is not a file with anything in it", path);
}

/* The folder part of a path, into `to`. */
static const char *
folder_of(const char *path, char to[static FOLDER])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	snprintf(to, FOLDER, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return to;
}

static int
relative_open(const struct keeper_config *c, const char *name, struct err *e)
{
	char own[FOLDER];
	const char *const folders[] = {
		folder_of(c->config_path, own),
		c->data_dir,
		"/usr/local/share/sluice",
		"/usr/share/sluice",
		"/var/lib/sluice",
	};
	size_t i;
	int fd;

	for (i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (!folders[i] || folders[i][0] == '\0')
			continue;
		fd = sys_open_beneath(folders[i], name);
		if (fd >= 0)
			return fd;
		if (fd == -EXDEV || fd == -ELOOP)
			return err_set(e,
				"%s/%s is a symbolic link that leads out of its folder; "
				"name the file itself by its whole path",
				folders[i], name);
		if (fd != -ENOENT && fd != -ENOTDIR)
			return err_set(e, "%s/%s: %s", folders[i], name,
				fd == -EISDIR ? "not a file" : strerror(-fd));
	}
	return err_set(e, "%s: there is no such file in %s%s%s nor in %s, %s, %s", name,
		folders[0], c->data_dir && c->data_dir[0] ? ", " : "",
		c->data_dir ? c->data_dir : "", folders[2], folders[3], folders[4]);
}

int
files_open(const struct keeper_config *c, uid_t uid, gid_t gid, const char *name,
	struct err *e)
{
	if (name[0] == '\0')
		return config_open(c->config_path, e);
	if (name[0] == '/')
		return absolute_open(uid, gid, name, e);
	return relative_open(c, name, e);
}
