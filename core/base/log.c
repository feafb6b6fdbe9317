/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A line is cut here; a message for people is shorter.  What is gathered leaves in one
 * write: a pipe takes so many bytes whole, or none (POSIX, write: PIPE_BUF). */
enum { LINE_MAX_LEN = 1024, GATHERED_MAX = 4096 };

static struct {
	int fd;
	enum log_level level;
	const char *who;
	bool journal; /* the reader knows the time itself, and wants <n> for the level */
	bool gathers;
	size_t len;
	char gathered[GATHERED_MAX];
} logger = { .fd = STDERR_FILENO, .level = LOG_WARNING };

static const struct {
	const char *name;
	int syslog; /* RFC 5424, 6.2.1 */
} levels[] = {
	[LOG_NONE] = { "none", 0 },
	[LOG_ERROR] = { "error", 3 },
	[LOG_WARNING] = { "warning", 4 },
	[LOG_INFO] = { "info", 6 },
	[LOG_DEBUG] = { "debug", 7 },
};

/* The service manager names the device and inode of its stream (systemd.exec(5)). */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char here[64];

	if (!stream || fstat(fd, &st) == -1)
		return false;
	snprintf(
		here, sizeof here, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, here) == 0;
}

void
log_open(int fd, enum log_level level, const char *who)
{
	log_flush();
	logger.fd = fd;
	logger.level = level;
	logger.who = who;
	logger.journal = is_journal(fd);
}

bool
log_wants(enum log_level level)
{
	return level != LOG_NONE && level <= logger.level;
}

bool
log_level_parse(enum log_level *level, const char *s)
{
	size_t i;

	for (i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (strcmp(levels[i].name, s) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

struct line {
	char text[LINE_MAX_LEN];
	size_t len;
};

static void __attribute__((format(printf, 2, 0)))
line_addv(struct line *l, const char *fmt, va_list ap)
{
	size_t room = sizeof l->text - l->len;
	int n = vsnprintf(l->text + l->len, room, fmt, ap);

	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void __attribute__((format(printf, 2, 3)))
line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_addv(l, fmt, ap);
	va_end(ap);
}

/* 2001-02-03T04:05:06.789Z warning engine: */
static void
line_start(struct line *l, enum log_level level)
{
	struct timespec now;
	struct tm day;

	if (logger.journal) {
		line_add(l, "<%d>", levels[level].syslog);
	} else if (timespec_get(&now, TIME_UTC) && gmtime_r(&now.tv_sec, &day)) {
		l->len += strftime(l->text + l->len, sizeof l->text - l->len,
			"%Y-%m-%dT%H:%M:%S", &day);
		line_add(l, ".%03dZ ", (int)(now.tv_nsec / 1000000));
	}
	line_add(l, "%s", levels[level].name);
	if (logger.who)
		line_add(l, " %s", logger.who);
	line_add(l, ": ");
}

/* A reader that has gone or does not read must not stop the program: lines that the
 * descriptor does not take now are lost. */
void
log_flush(void)
{
	ssize_t n;

	if (logger.len == 0)
		return;
	do
		n = write(logger.fd, logger.gathered, logger.len);
	while (n == -1 && errno == EINTR);
	logger.len = 0;
}

void
log_gather(bool gathers)
{
	logger.gathers = gathers;
	if (!gathers)
		log_flush();
}

static void
line_write(struct line *l, bool waits)
{
	text_clean(l->text);
	if (l->len > sizeof l->text - 2)
		l->len = sizeof l->text - 2;
	l->text[l->len++] = '\n';
	if (l->len > sizeof logger.gathered - logger.len)
		log_flush();
	memcpy(logger.gathered + logger.len, l->text, l->len);
	logger.len += l->len;
	if (!waits)
		log_flush();
}

/* An error that is being reported must not be changed by reporting it. */
static void __attribute__((format(printf, 2, 0)))
log_line(enum log_level level, const char *fmt, va_list ap, unsigned long left_out)
{
	int saved = errno;
	struct line l;

	l.len = 0;
	line_start(&l, level);
	errno = saved;
	line_addv(&l, fmt, ap);
	if (left_out)
		line_add(&l, " (%lu more like this left out)", left_out);
	line_write(&l, logger.gathers && level > LOG_WARNING);
	errno = saved;
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(LOG_ERROR))
		return;
	va_start(ap, fmt);
	log_line(LOG_ERROR, fmt, ap, 0);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(LOG_WARNING))
		return;
	va_start(ap, fmt);
	log_line(LOG_WARNING, fmt, ap, 0);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(LOG_INFO))
		return;
	va_start(ap, fmt);
	log_line(LOG_INFO, fmt, ap, 0);
	va_end(ap);
}

void
log_news(const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(LOG_ERROR))
		return;
	va_start(ap, fmt);
	log_line(LOG_INFO, fmt, ap, 0);
	va_end(ap);
	log_flush();
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(LOG_DEBUG))
		return;
	va_start(ap, fmt);
	log_line(LOG_DEBUG, fmt, ap, 0);
	va_end(ap);
}

void
log_limited(
	struct log_limit *limit, uint64_t now, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(level))
		return;
	if (limit->used && now - limit->last < limit->every) {
		limit->left_out++;
		return;
	}
	va_start(ap, fmt);
	log_line(level, fmt, ap, limit->left_out);
	va_end(ap);
	limit->used = true;
	limit->last = now;
	limit->left_out = 0;
}
