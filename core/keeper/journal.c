/* SPDX-License-Identifier: MIT */
#include "keeper/journal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOURNAL_BYTES = (JOURNAL_MAX + 1) * CHANGE_TEXT };

static const char first_line[] = "sluice journal 1";

static void
line_lost(struct journal *j, int number, const char *why)
{
	log_error("%s: line %d %s", j->path, number, why);
	j->unread++;
}

static void
line_read(struct journal *j, const char *line, int number)
{
	if (j->n == JOURNAL_MAX)
		line_lost(j, number, "is one more than a journal has; left out");
	else if (change_parse(&j->change[j->n], line) < 0)
		line_lost(j, number, "is not an entry of a journal; left out");
	else
		j->n++;
}

static void
text_read(struct journal *j, char *text)
{
	char *line = text, *end;
	int number;

	for (number = 1; *line; number++) {
		end = line + strcspn(line, "\n");
		/* A line that does not end was not written by journal_save. */
		if (*end == '\0') {
			line_lost(j, number, "does not end; left out");
			break;
		}
		*end = '\0';
		if (number > 1)
			line_read(j, line, number);
		else if (strcmp(line, first_line) != 0)
			line_lost(j, number, "is not that of a journal");
		line = end + 1;
	}
}

static void
damaged_keep(const struct journal *j)
{
	char aside[JOURNAL_PATH + 16];

	snprintf(aside, sizeof aside, "%s.damaged", j->path);
	(void)unlink(aside);
	if (link(j->path, aside) == -1)
		log_error("%s: %s", aside, strerror(errno));
	else if (j->n == 0)
		(void)unlink(j->path);
}

int
journal_open(struct journal *j, const char *state_dir, struct err *e)
{
	char *text;
	ssize_t n;
	int fd, len;

	memset(j, 0, sizeof *j);
	len = snprintf(j->path, sizeof j->path, "%s/journal", state_dir);
	if (len < 0 || (size_t)len + sizeof ".new" > sizeof j->path)
		return err_set(e, "%s: the path is too long", state_dir);
	fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return errno == ENOENT ? 0
				       : err_set(e, "%s: %s", j->path, strerror(errno));
	text = calloc(1, JOURNAL_BYTES + 1);
	n = text ? read(fd, text, JOURNAL_BYTES) : -1;
	close(fd);
	if (n > 0)
		text_read(j, text);
	free(text);
	if (j->unread)
		damaged_keep(j);
	return n == -1 ? err_set(e, "%s: %s", j->path, strerror(errno)) : 0;
}

static int
sync_close(int fd, bool written)
{
	int r = written && fsync(fd) == 0 ? 0 : -1;

	close(fd);
	return r;
}

static int
file_replace(const struct journal *j, const char *text, size_t len)
{
	char fresh[JOURNAL_PATH + 8];
	int fd;

	snprintf(fresh, sizeof fresh, "%s.new", j->path);
	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	if (sync_close(fd, write(fd, text, len) == (ssize_t)len) == -1)
		return -1;
	return rename(fresh, j->path);
}

/* The name is on the disk only when its folder is. */
static void
folder_sync(const struct journal *j)
{
	char folder[JOURNAL_PATH];
	int fd;

	snprintf(folder, sizeof folder, "%s", j->path);
	*strrchr(folder, '/') = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	(void)fsync(fd);
	close(fd);
}

static int
journal_save(const struct journal *j, struct err *e)
{
	char *text, line[CHANGE_TEXT];
	size_t len;
	int i, r = 0;

	if (j->n == 0) {
		(void)unlink(j->path);
		folder_sync(j);
		return 0;
	}
	text = calloc(1, JOURNAL_BYTES);
	if (!text)
		return err_set(e, "%s: out of memory", j->path);
	len = (size_t)snprintf(text, JOURNAL_BYTES, "%s\n", first_line);
	for (i = 0; i < j->n && r == 0; i++) {
		r = change_format(&j->change[i], line);
		if (r == 0)
			len += (size_t)snprintf(
				text + len, JOURNAL_BYTES - len, "%s\n", line);
	}
	if (r < 0)
		r = err_set(e, "%s: a change that cannot be written down", j->path);
	else if (file_replace(j, text, len) == -1)
		r = err_set(e, "%s cannot be written: %s", j->path, strerror(errno));
	free(text);
	if (r == 0)
		folder_sync(j);
	return r;
}

int
journal_add(struct journal *j, const struct change *c, struct err *e)
{
	if (j->n == JOURNAL_MAX)
		return err_set(e, "%s: more than %d changes", j->path, JOURNAL_MAX);
	j->change[j->n++] = *c;
	if (journal_save(j, e) == 0)
		return 0;
	j->n--;
	return -1;
}

/* Forgets entry i. That it cannot be written down is no reason to stop: undoing twice
 * does no harm. */
static void
entry_forget(struct journal *j, int i)
{
	struct err e;

	memmove(&j->change[i], &j->change[i + 1],
		(size_t)(j->n - i - 1) * sizeof *j->change);
	j->n--;
	if (journal_save(j, &e) < 0)
		log_error("%s", e.text);
}

void
journal_drop(struct journal *j)
{
	if (j->n > 0)
		entry_forget(j, j->n - 1);
}

bool
journal_undo_one(struct journal *j, int i)
{
	struct err e;

	if (change_undo(&j->change[i], &e) < 0) {
		log_error("%s; `sluice recover` tries again", e.text);
		return false;
	}
	entry_forget(j, i);
	return true;
}

int
journal_undo(struct journal *j, int from)
{
	int i, undone = 0;

	for (i = j->n - 1; i >= from; i--) {
		if (j->change[i].until == CHANGE_SESSION && journal_undo_one(j, i))
			undone++;
	}
	return undone;
}

bool
journal_has_session(const struct journal *j)
{
	int i;

	for (i = 0; i < j->n; i++) {
		if (j->change[i].until == CHANGE_SESSION)
			return true;
	}
	return false;
}
