/* SPDX-License-Identifier: MIT */
#include "rules/load.h"

#include "rules/geodat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* All of the file, read and not mapped: a file that is cut short under a mapping would
 * end the program. */
static int
file_read(int fd, struct data_file *f)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > DATA_FILE_MAX)
		return -EFBIG;
	f->mem = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!f->mem)
		return -ENOMEM;
	while (f->len < (size_t)st.st_size) {
		n = read(fd, f->mem + f->len, (size_t)st.st_size - f->len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		f->len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void
data_file_free(struct data_file *f)
{
	free(f->name);
	free(f->mem);
	*f = (struct data_file){ 0 };
}

static int
file_open(struct loader *l, const char *name, struct data_file *f)
{
	char path[PATH_BYTES];
	int fd, r;

	if (l->files->open(l->files, name, path, sizeof(path), l->e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return err_set(l->e, "%s: %s", name, strerror(errno));
	r = file_read(fd, f);
	close(fd);
	if (r < 0)
		return err_set(l->e, "%s: %s", name, strerror(-r));
	f->name = strdup(name);
	return f->name ? 0 : err_set(l->e, "%s: no memory for it", name);
}

const struct data_file *
data_file_get(struct loader *l, const char *name)
{
	struct data_file *next = &l->file[l->nfile];
	size_t i;

	for (i = 0; i < l->nfile; i++)
		if (strcmp(l->file[i].name, name) == 0)
			return &l->file[i];
	if (!l->files) {
		err_set(l->e, "%s: there are no data files here", name);
		return NULL;
	}
	if (l->nfile == DATA_FILES) {
		err_set(l->e, "%s: more than %d data files are named", name, DATA_FILES);
		return NULL;
	}
	if (file_open(l, name, next) < 0) {
		data_file_free(next);
		return NULL;
	}
	l->nfile++;
	return next;
}

void
data_files_free(struct loader *l)
{
	while (l->nfile > 0)
		data_file_free(&l->file[--l->nfile]);
}

bool
ext_split(const char *s, char *file, size_t cap, const char **list)
{
	const char *colon = strchr(s, ':');
	size_t len = colon ? (size_t)(colon - s) : 0;

	if (len == 0 || len >= cap || colon[1] == '\0')
		return false;
	memcpy(file, s, len);
	file[len] = '\0';
	*list = colon + 1;
	return true;
}

int
data_list_find(struct loader *l, const char *value, const char *file, const char *list,
	struct reader *fields)
{
	const struct data_file *f = data_file_get(l, file);
	char near[GEODAT_NAME];
	int r;

	if (!f)
		return err_prefix(l->e, "%s", value);
	r = geodat_find(f->mem, f->len, list, fields);
	if (r == 0)
		return 0;
	if (r != -ENOENT)
		return err_set(
			l->e, "%s: %s is damaged, or is no list file", value, file);
	geodat_nearest(f->mem, f->len, list, near);
	return err_set(l->e, "%s: %s has no list %s%s%s%s", value, file, list,
		near[0] ? "; did you mean " : "", near, near[0] ? "?" : "");
}
