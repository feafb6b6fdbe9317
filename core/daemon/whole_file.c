/* SPDX-License-Identifier: MIT */
#include "daemon/whole_file.h"

#include "base/bytes.h"
#include "daemon/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_CAP = 64 * 1024 };

/* realloc would leave a copy behind. */
static char *
grown(char *p, size_t len, size_t cap)
{
	char *more = malloc(cap);

	if (more)
		memcpy(more, p, len);
	whole_file_free(p, len);
	return more;
}

/* One reading into p[*len..cap). 1, 0 at the end, or -errno. */
static int
more_read(int fd, char *p, size_t cap, size_t max, size_t *len)
{
	ssize_t n;

	do
		n = read(fd, p + *len, cap - *len);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	*len += (size_t)n;
	return *len > max ? -EFBIG : n > 0;
}

char *
whole_file_new(int fd, size_t max, size_t *len)
{
	size_t cap = FIRST_CAP;
	char *p = malloc(cap);
	int r = 1;

	*len = 0;
	while (p && r > 0) {
		r = more_read(fd, p, cap - 1, max, len);
		if (r > 0 && *len == cap - 1)
			p = grown(p, *len, cap *= 2);
	}
	if (p && r == 0) {
		p[*len] = '\0';
		return p;
	}
	r = p ? r : -ENOMEM;
	whole_file_free(p, *len);
	errno = -r;
	return NULL;
}

char *
whole_file_open(const char *path, const char *name, size_t *len, struct err *e)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd == -1 ? NULL : whole_file_new(fd, CONFIG_TEXT_MAX, len);

	if (!text)
		err_set(e, "%s: %s", name,
			errno == EFBIG ? "larger than 16 MB" : strerror(errno));
	if (fd != -1 && fd != STDIN_FILENO)
		close(fd);
	return text;
}

void
whole_file_free(char *p, size_t len)
{
	if (p)
		bytes_wipe(p, len);
	free(p);
}
