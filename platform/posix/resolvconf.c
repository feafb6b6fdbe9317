/* SPDX-License-Identifier: MIT */
#include "platform/posix/resolvconf.h"

#include "platform/posix/write_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CONF_MAX = 65536, /* bytes; a larger file is not one that a resolver reads */
	PLACE = 200,      /* bytes of a path in a plan */
	DNS_PORT = 53,
};

/* How ours begins, and how it is known again; where there was no file; and, in one that is
 * written in place, what stands before the lines of the old one, which are comments there:
 * the copy in the state folder is gone after a power failure. */
static const char ours[] = "# Written by sluice";
static const char ours_alone[] = "# Written by sluice, which removes it";
static const char old_follows[] = "\n# The machine's own:\n";
static const char old_line[] = "#: ";

struct plan {
	char way[8]; /* moved, absent, copied */
	char path[PLACE];
	char saved[PLACE]; /* where the original is */
};

static int
plan_parse(struct plan *p, const char *text, struct err *e)
{
	int n;

	memset(p, 0, sizeof *p);
	n = sscanf(text, "%7s %199s %199s", p->way, p->path, p->saved);
	if (n == 3 && strcmp(p->way, "copied") == 0)
		return 0;
	if (n == 2 && (strcmp(p->way, "moved") == 0 || strcmp(p->way, "absent") == 0) &&
		strlen(p->path) + sizeof ".sluice" <= sizeof p->saved) {
		snprintf(p->saved, sizeof p->saved, "%.*s.sluice", PLACE - 8, p->path);
		return 0;
	}
	return err_set(e, "resolver: `%.100s` is not a way to undo it", text);
}

/* The whole file into `p`, NUL-ended. The length, or -errno. */
static ssize_t
file_read(const char *path, char *p, size_t cap)
{
	size_t len = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1)
		return -errno;
	while ((n = read(fd, p + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	if (n == 0 && len == cap - 1)
		n = -EFBIG;
	else if (n == -1)
		n = -errno;
	close(fd);
	p[len] = '\0';
	return n < 0 ? n : (ssize_t)len;
}

static int
file_fill(int fd, const char *p, size_t len)
{
	int r = write_all(fd, p, len);

	if (r == 0 && fsync(fd) == -1 && errno != EINVAL)
		r = -errno;
	return r;
}

/* A new file at `path`, readable by all; or, with `there`, what is in the one there. */
static int
file_write(const char *path, bool there, const char *p, size_t len)
{
	int flags = there ? O_WRONLY | O_TRUNC : O_WRONLY | O_CREAT | O_EXCL;
	int fd, r;

	if (!there)
		(void)unlink(path);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd == -1)
		return -errno;
	r = file_fill(fd, p, len);
	if (r == 0 && !there && fchmod(fd, 0644) == -1)
		r = -errno;
	close(fd);
	return r;
}

bool
resolvconf_is_ours(const char *path)
{
	char start[sizeof ours] = "";
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1)
		return false;
	n = read(fd, start, sizeof ours - 1);
	close(fd);
	return n == sizeof ours - 1 && memcmp(start, ours, sizeof ours - 1) == 0;
}

int
resolvconf_plan(const char *path, const char *state_dir, char plan[static NET_PLAN],
	struct err *e)
{
	struct stat st;
	int n;

	if (strlen(path) + 8 >= PLACE || strlen(state_dir) + 16 >= PLACE ||
		strchr(path, ' ') || strchr(state_dir, ' '))
		return err_set(e, "%s: a path that is too long or has a space", path);
	if (lstat(path, &st) == -1 && errno == ENOENT) {
		n = snprintf(plan, NET_PLAN, "absent %s", path);
	} else if (S_ISREG(st.st_mode) && resolvconf_is_mounted(path)) {
		n = snprintf(plan, NET_PLAN, "copied %s %s/resolv.conf", path, state_dir);
	} else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
		n = snprintf(plan, NET_PLAN, "moved %s", path);
	} else {
		return err_set(e, "%s is neither a file nor a symbolic link", path);
	}
	if (n < 0 || n >= NET_PLAN)
		return err_set(e, "%s: the paths are too long", path);
	return 0;
}

static size_t
head_make(char *to, size_t cap, const struct plan *p)
{
	static const char hint[] = "# Should it not run any more: sluice recover\n";

	if (strcmp(p->way, "absent") == 0)
		return (size_t)snprintf(to, cap, "%s when it ends: there was none.\n%s",
			ours_alone, hint);
	return (size_t)snprintf(to, cap,
		"%s, which puts the machine's own (kept in %s) back when it ends.\n%s",
		ours, p->saved, hint);
}

/* The old file line by line as comments; nothing where there is no room for all of it. */
static size_t
old_keep(char *to, size_t cap, const char *old)
{
	size_t len = (size_t)snprintf(to, cap, "%s", old_follows + 1);
	const char *line, *end;

	for (line = old; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		if (len + (size_t)(end - line) + sizeof old_line + 1 > cap)
			return 0;
		len += (size_t)snprintf(to + len, cap - len, "%s%.*s\n", old_line,
			(int)(end - line), line);
	}
	return len;
}

/* Our content: our servers, and everything of the old file that is not a server. */
static size_t
content_make(char *to, size_t cap, const char *old, const struct plan *p,
	const struct ip *servers, int n)
{
	static const char *const kept[] = { "search", "domain", "options", "sortlist" };
	char text[IP_TEXT];
	const char *line, *end;
	size_t len = head_make(to, cap, p), i;

	for (i = 0; i < (size_t)n; i++)
		len += (size_t)snprintf(to + len, cap - len, "nameserver %s\n",
			ip_format(&servers[i], text));
	for (line = old; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		for (i = 0; i < sizeof kept / sizeof *kept; i++) {
			if (strncmp(line, kept[i], strlen(kept[i])) != 0 ||
				(size_t)(end - line) + 2 > cap - len)
				continue;
			len += (size_t)snprintf(
				to + len, cap - len, "%.*s\n", (int)(end - line), line);
		}
	}
	/* What is longer could not be read back. */
	if (strcmp(p->way, "copied") == 0 && len < CONF_MAX - 1)
		len += old_keep(to + len, CONF_MAX - 1 - len, old);
	return len;
}

/* Makes the change; the original is safe before its name stands for anything else. */
static int
place_take(const struct plan *p, const char *old, const char *p_new, size_t len)
{
	int r;

	if (strcmp(p->way, "absent") == 0)
		return file_write(p->path, false, p_new, len);
	if (strcmp(p->way, "copied") == 0) {
		r = file_write(p->saved, false, old, strlen(old));
		return r < 0 ? r : file_write(p->path, true, p_new, len);
	}
	r = file_write(p->saved, false, p_new, len);
	if (r == 0)
		r = resolvconf_exchange(p->path, p->saved);
	if (r < 0)
		(void)unlink(p->saved);
	return r;
}

int
resolvconf_take(const char *plan, const struct ip *servers, int n, struct err *e)
{
	char *old = NULL, *mine = NULL;
	struct plan p;
	ssize_t len;
	int r = -1;

	if (plan_parse(&p, plan, e) < 0)
		return -1;
	if (n < 1 || n > NET_RESOLVERS)
		return err_set(e, "%s: %d servers", p.path, n);
	old = calloc(1, CONF_MAX);
	mine = calloc(1, 2 * CONF_MAX);
	if (!old || !mine) {
		(void)err_set(e, "%s: out of memory", p.path);
		goto out;
	}
	len = file_read(p.path, old, CONF_MAX);
	if (len == -ENOENT) /* absent, or a link to nothing */
		len = 0;
	if (len < 0) {
		(void)err_set(e, "%s cannot be read: %s", p.path, strerror((int)-len));
		goto out;
	}
	len = (ssize_t)content_make(mine, 2 * CONF_MAX, old, &p, servers, n);
	r = place_take(&p, old, mine, (size_t)len);
	if (r < 0)
		r = err_set(e, "%s cannot be replaced: %s", p.path, strerror(-r));
out:
	free(old);
	free(mine);
	return r;
}

/* A file that is written in place is empty for a moment; a kill may have made that the
 * last one. */
static bool
is_empty(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size == 0;
}

/* Whether this is there already, as where the file could not be written at all. */
static bool
is_there(const char *path, const char *text, size_t len)
{
	char *now = calloc(1, CONF_MAX);
	bool same = now && file_read(path, now, CONF_MAX) == (ssize_t)len &&
		memcmp(now, text, len) == 0;

	free(now);
	return same;
}

static int
copy_restore(const struct plan *p)
{
	char *old = calloc(1, CONF_MAX);
	ssize_t len;
	int r;

	if (!old)
		return -ENOMEM;
	len = file_read(p->saved, old, CONF_MAX);
	if (len == -ENOENT)
		r = 0; /* the change was never made */
	else if (len < 0)
		r = (int)len;
	else if (!resolvconf_is_ours(p->path) && !is_empty(p->path))
		r = 0;
	else if (is_there(p->path, old, (size_t)len))
		r = 0;
	else
		r = file_write(p->path, true, old, (size_t)len);
	free(old);
	if (r == 0)
		(void)unlink(p->saved);
	return r;
}

static int
moved_restore(const struct plan *p)
{
	if (!resolvconf_is_ours(p->path)) {
		(void)unlink(p->saved);
		return 0;
	}
	return rename(p->saved, p->path) == -1 ? -errno : 0;
}

static int
absent_restore(const struct plan *p)
{
	if (!resolvconf_is_ours(p->path) && !is_empty(p->path))
		return 0;
	return unlink(p->path) == -1 && errno != ENOENT ? -errno : 0;
}

int
resolvconf_restore(const char *plan, struct err *e)
{
	struct plan p;
	int r;

	if (plan_parse(&p, plan, e) < 0)
		return -1;
	if (strcmp(p.way, "copied") == 0)
		r = copy_restore(&p);
	else if (strcmp(p.way, "moved") == 0)
		r = moved_restore(&p);
	else
		r = absent_restore(&p);
	if (r < 0)
		return err_set(e, "%s cannot be put back: %s", p.path, strerror(-r));
	return 0;
}

/* The lines behind old_follows, without what stands before each; in place. */
static size_t
old_unpack(char *text)
{
	char *to = text, *line = text;
	size_t n;

	while (strncmp(line, old_line, sizeof old_line - 1) == 0) {
		line += sizeof old_line - 1;
		n = strcspn(line, "\n");
		n += line[n] == '\n';
		memmove(to, line, n);
		to += n;
		line += n;
	}
	return (size_t)(to - text);
}

/* From what the file itself says. 1, or -errno; -ENOENT: it says nothing. */
static int
itself_restore(const char *path)
{
	char *text = calloc(1, CONF_MAX), *old = NULL;
	int r = -ENOMEM;

	if (!text)
		return r;
	r = -ENOENT;
	if (file_read(path, text, CONF_MAX) > 0)
		old = strstr(text, old_follows);
	if (old) {
		old += sizeof old_follows - 1;
		r = file_write(path, true, old, old_unpack(old));
	} else if (strncmp(text, ours_alone, sizeof ours_alone - 1) == 0) {
		r = unlink(path) == -1 ? -errno : 0;
	}
	free(text);
	return r < 0 ? r : 1;
}

int
resolvconf_rescue(const char *path, struct err *e)
{
	char plan[NET_PLAN];
	struct stat st;
	struct plan p;
	int n, r;

	n = snprintf(plan, sizeof plan, "moved %s", path);
	if (n < 0 || n >= NET_PLAN || plan_parse(&p, plan, e) < 0)
		return 0;
	if (!resolvconf_is_ours(path))
		return 0;
	if (lstat(p.saved, &st) == 0)
		return resolvconf_restore(plan, e) < 0 ? -1 : 1;
	r = itself_restore(path);
	if (r == -ENOENT)
		return err_set(e,
			"%s was written by a sluice that was killed, and the machine's own "
			"is not in %s any more: write your name servers into it "
			"(nameserver ADDRESS), then start sluice again",
			path, p.saved);
	if (r < 0)
		return err_set(e, "%s cannot be put back: %s", path, strerror(-r));
	return 1;
}

static void
search_add(struct net_resolvers *r, const char *word)
{
	size_t len = strlen(r->search);
	int n;

	n = snprintf(
		r->search + len, sizeof r->search - len, "%s%s", len ? " " : "", word);
	if (n < 0 || (size_t)n >= sizeof r->search - len)
		r->search[len] = '\0'; /* whole words or none */
}

/* The next word of `*rest`, ended in place, or NULL. */
static char *
word_next(char **rest, const char *between)
{
	char *word = *rest + strspn(*rest, between);

	if (*word == '\0')
		return NULL;
	*rest = word + strcspn(word, between);
	if (**rest != '\0')
		*(*rest)++ = '\0';
	return word;
}

/* One line; what it does not know, it leaves alone, as resolvers do. */
static void
line_read(struct net_resolvers *r, char *line)
{
	static const char blank[] = " \t\r";
	char *rest = line, *word, *value;
	struct ip ip;

	word = word_next(&rest, blank);
	value = word ? word_next(&rest, blank) : NULL;
	if (!value)
		return;
	if (strcmp(word, "nameserver") == 0) {
		if (r->n < NET_RESOLVERS && ip_parse(&ip, value)) {
			r->at[r->n].ip = ip;
			r->at[r->n++].port = DNS_PORT;
		}
		return;
	}
	if (strcmp(word, "search") != 0 && strcmp(word, "domain") != 0)
		return;
	for (r->search[0] = '\0'; value; value = word_next(&rest, blank))
		search_add(r, value);
}

int
resolvconf_read(const char *path, struct net_resolvers *r)
{
	char *text = calloc(1, CONF_MAX), *line, *rest = text;
	ssize_t n;

	memset(r, 0, sizeof *r);
	if (!text)
		return -ENOMEM;
	n = file_read(path, text, CONF_MAX);
	while (n > 0 && (line = word_next(&rest, "\n")) != NULL)
		line_read(r, line);
	free(text);
	return n < 0 ? (int)n : 0;
}
