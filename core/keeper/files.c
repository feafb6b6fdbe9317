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

const char *const keeper_data_dirs[] = { "/var/lib/sluice", "/usr/local/share/sluice",
	"/usr/share/sluice", "/usr/local/share/xray", "/usr/share/xray",
	"/usr/local/share/v2ray", "/usr/share/v2ray", NULL };

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

/* In one folder: a descriptor, -ENOENT to look further, or -1 and why. */
static int
folder_open(const char *folder, const char *name, struct err *e)
{
	int fd = sys_open_beneath(folder, name);

	if (fd >= 0)
		return fd;
	if (fd == -ENOENT || fd == -ENOTDIR)
		return -ENOENT;
	if (fd == -EXDEV || fd == -ELOOP)
		return err_set(e,
			"%s/%s is a symbolic link that leads out of its folder; "
			"name the file itself by its whole path",
			folder, name);
	return err_set(e, "%s/%s: %s", folder, name,
		fd == -EISDIR ? "not a file" : strerror(-fd));
}

static int
relative_open(const struct keeper_config *c, const char *name, struct err *e)
{
	char own[FOLDER];
	const char *folder = folder_of(c->config_path, own);
	int fd = folder_open(folder, name, e);
	size_t i;

	if (fd == -ENOENT && c->data_dir && c->data_dir[0])
		fd = folder_open(c->data_dir, name, e);
	for (i = 0; fd == -ENOENT && keeper_data_dirs[i]; i++)
		fd = folder_open(keeper_data_dirs[i], name, e);
	if (fd != -ENOENT)
		return fd;
	return err_set(e,
		"%s: there is no such file in %s, /var/lib/sluice, /usr/share/sluice or "
		"another data folder; tools/geodata in sluice's source fetches databases",
		name, folder);
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
