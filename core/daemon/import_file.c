/* SPDX-License-Identifier: MIT */
#include "daemon/import_file.h"

#include "base/bytes.h"
#include "daemon/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
all_new(FILE *f, const char *name, size_t *len, struct err *e)
{
	size_t cap = CONFIG_TEXT_MAX + 2, n;
	char *text = malloc(cap), *fitting;

	*len = 0;
	while (text && *len + 1 < cap &&
		(n = fread(text + *len, 1, cap - 1 - *len, f)) > 0)
		*len += n;
	if (!text || ferror(f) || *len > CONFIG_TEXT_MAX) {
		if (text && !ferror(f))
			err_set(e, "%s: larger than 16 MB", name);
		else
			err_set(e, "%s: %s", name, strerror(text ? errno : ENOMEM));
		free(text);
		return NULL;
	}
	text[*len] = '\0';
	fitting = realloc(text, *len + 1);
	return fitting ? fitting : text;
}

char *
import_file_new(const char *path, const char *name, size_t *len, struct err *e)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text;

	if (!f) {
		err_set(e, "%s: %s", name, strerror(errno));
		return NULL;
	}
	errno = 0;
	text = all_new(f, name, len, e);
	if (f != stdin)
		fclose(f);
	return text;
}

void
import_file_free(char *text, size_t len)
{
	if (text)
		bytes_wipe(text, len);
	free(text);
}

int
import_file_write(const char *path, const char *text, struct err *e)
{
	int fd, wrong;
	FILE *f;

	if (!path || strcmp(path, "-") == 0) {
		/* Whether it got there is asked when the command ends. */
		fputs(text, stdout);
		return 0;
	}
	/* Never over what is there: people give the name of the configuration that they
	 * have, rules and all. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 && errno == EEXIST)
		return err_set(e, "%s is there already; name another file", path);
	f = fd == -1 ? NULL : fdopen(fd, "w");
	if (!f) {
		err_set(e, "%s: %s", path, strerror(errno));
		if (fd != -1)
			close(fd);
		return -1;
	}
	wrong = fputs(text, f) < 0;
	if (fclose(f) == 0 && !wrong)
		return 0;
	err_set(e, "%s: %s", path, strerror(errno));
	(void)unlink(path);
	return -1;
}
