/* SPDX-License-Identifier: MIT */
#include "daemon/keeper_files.h"

#include "base/list.h"
#include "daemon/config_text.h"
#include "daemon/whole_file.h"
#include "keeper/request.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DATA_MAX = 256 << 20 };

/* A file that only root may read is copied, since a library will open the path again. */
static int
readable_again(int fd, const char *name, struct err *e)
{
	char path[64];
	size_t len;
	char *p;
	int copy;

	copy = open(sys_fd_path(fd, path, sizeof(path)), O_RDONLY | O_CLOEXEC);
	if (copy >= 0) {
		close(copy);
		return fd;
	}
	p = whole_file_new(fd, DATA_MAX, &len);
	copy = p ? sys_memory_file(name, p, len) : -errno;
	whole_file_free(p, len);
	close(fd);
	if (copy < 0)
		return err_set(e, "%s: cannot be read: %s", name, strerror(-copy));
	return copy;
}

static int
keeper_files_open(struct rules_files *files, const char *name, char *path, size_t cap,
	struct err *e)
{
	struct keeper_files *k = container_of(files, struct keeper_files, files);
	int fd;

	if (k->n == KEEPER_FILES)
		return err_set(
			e, "%s: more than %d data files are named", name, KEEPER_FILES);
	if (strcmp(name, "geoip") == 0)
		name = k->geoip ? k->geoip : "country.mmdb";
	fd = request_file(k->keeper, name, e);
	if (fd >= 0)
		fd = readable_again(fd, name, e);
	if (fd < 0)
		return -1;
	snprintf(k->name[k->n], sizeof(k->name[k->n]), "%s", name);
	k->fd[k->n++] = fd;
	sys_fd_path(fd, path, cap);
	return 0;
}

void
keeper_files_init(struct keeper_files *k, int keeper, const char *geoip)
{
	k->files.open = keeper_files_open;
	k->keeper = keeper;
	k->geoip = geoip;
	k->n = 0;
}

void
keeper_files_fini(struct keeper_files *k)
{
	while (k->n > 0)
		close(k->fd[--k->n]);
}

static bool
reword(struct err *e, const char *path, const char *name)
{
	size_t len = strlen(path);
	char *at = strstr(e->text, path);
	struct err before = *e;

	/* Another number may begin with this one. */
	if (!at || (at[len] >= '0' && at[len] <= '9'))
		return false;
	err_set(e, "%.*s%s%s", (int)(at - e->text), before.text, name,
		before.text + (at - e->text) + len);
	return true;
}

void
keeper_files_reword(const struct keeper_files *k, struct err *e)
{
	char path[64];

	for (int i = 0; i < k->n; i++)
		if (reword(e, sys_fd_path(k->fd[i], path, sizeof(path)), k->name[i]))
			return;
}

char *
keeper_config_read(int keeper, size_t *len, struct err *e)
{
	int fd = request_file(keeper, NULL, e);
	char *text;

	if (fd < 0)
		return NULL;
	text = whole_file_new(fd, CONFIG_TEXT_MAX, len);
	if (!text)
		err_set(e, "the configuration cannot be read: %s", strerror(errno));
	close(fd);
	return text;
}

void
keeper_config_free(char *text)
{
	whole_file_free(text, text ? strlen(text) : 0);
}
