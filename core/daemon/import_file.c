/* SPDX-License-Identifier: MIT */
#include "daemon/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
