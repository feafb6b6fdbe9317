/* SPDX-License-Identifier: MIT */
#include "names/hosts.h"

#include "base/list.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4 << 20, NAMES_MAX = 65536, LOOK_EVERY = 5000, EXPECTED = 32 };

/* One of the configuration. */
struct own {
	struct table_node node;
	const struct names_host *host;
};

/* A line's address for one of its names. */
struct line {
	struct table_node node;
	struct line
		*more; /* the next address of the same name, in the order of the file */
	struct ip ip;
	char name[];
};

struct hosts {
	struct table own, lines;
	struct own *owns;
	char *file;
	bool looked;
	uint64_t look_at; /* when the file is looked at again */
	struct stat seen; /* what it was when it was read; zero: it was not there */
};

static bool
own_same(const struct table_node *n, const void *key)
{
	return strcmp(container_of(n, const struct own, node)->host->name, key) == 0;
}

static bool
line_same(const struct table_node *n, const void *key)
{
	return strcmp(container_of(n, const struct line, node)->name, key) == 0;
}

static struct line *
line_find(const struct hosts *h, const char *name)
{
	uint64_t hash = table_hash(&h->lines, name, strlen(name));
	struct table_node *n = table_find(&h->lines, hash, line_same, name);

	return n ? container_of(n, struct line, node) : NULL;
}

static const struct names_host *
own_find(const struct hosts *h, const char *name)
{
	uint64_t hash = table_hash(&h->own, name, strlen(name));
	struct table_node *n = table_find(&h->own, hash, own_same, name);

	return n ? container_of(n, struct own, node)->host : NULL;
}

/* False without memory. */
static bool
line_new(struct hosts *h, const char *name, const struct ip *ip)
{
	size_t len = strlen(name) + 1;
	struct line *l = calloc(1, sizeof(*l) + len), *last;

	if (!l)
		return false;
	l->ip = *ip;
	memcpy(l->name, name, len);
	last = line_find(h, name);
	if (!last) {
		table_insert(&h->lines, &l->node, table_hash(&h->lines, name, len - 1));
		return true;
	}
	/* Like every reader of the file: what a name has past NAMES_ADDRS is not used. */
	for (len = 1; last->more && len < NAMES_ADDRS; len++)
		last = last->more;
	if (last->more)
		free(l);
	else
		last->more = l;
	return true;
}

static void
line_free(struct table_node *n, void *arg)
{
	struct line *l = container_of(n, struct line, node), *more;
	struct hosts *h = arg;

	table_remove(&h->lines, n);
	for (; l; l = more) {
		more = l->more;
		free(l);
	}
}

/* Cuts the next word off, at blanks; NULL at the end. */
static char *
word_next(char **s)
{
	static const char blanks[] = " \t\r\f\v";
	char *word = *s + strspn(*s, blanks);

	if (!*word)
		return NULL;
	*s = word + strcspn(word, blanks);
	if (**s)
		*(*s)++ = '\0';
	return word;
}

/* "address name name... # comment"; a line that is anything else is left out. */
static bool
line_parse(struct hosts *h, char *s)
{
	char name[NAME_MAX_LEN + 1], *word;
	struct ip ip;

	s[strcspn(s, "#")] = '\0';
	word = word_next(&s);
	if (!word || !ip_parse(&ip, word))
		return true;
	while ((word = word_next(&s))) {
		if (!name_normal(name, sizeof(name), word, strlen(word)))
			continue;
		if (h->lines.n >= NAMES_MAX || !line_new(h, name, &ip))
			return false;
	}
	return true;
}

static void
text_parse(struct hosts *h, char *s)
{
	char *end;

	for (; s; s = end) {
		end = strchr(s, '\n');
		if (end)
			*end++ = '\0';
		if (!line_parse(h, s)) {
			log_warn("%s: more than %d names; the rest is not used", h->file,
				NAMES_MAX);
			return;
		}
	}
}

/* Reads what fits. Where the file is longer, the line that was cut goes too. */
static void
text_read(const char *file, int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, FILE_MAX - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && len < FILE_MAX);
	text[len] = '\0';
	if (len < FILE_MAX)
		return;
	log_warn("%s: longer than %d bytes; the rest is not used", file, FILE_MAX);
	while (len > 0 && text[len - 1] != '\n')
		len--;
	text[len] = '\0';
}

static void
file_read(struct hosts *h)
{
	char *text;
	int fd;

	table_each(&h->lines, line_free, h);
	fd = open(h->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	text = S_ISREG(h->seen.st_mode) ? malloc(FILE_MAX + 1) : NULL;
	if (text) {
		text_read(h->file, fd, text);
		text_parse(h, text);
	}
	free(text);
	close(fd);
}

static bool
stat_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
		a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
file_look(struct hosts *h, uint64_t now)
{
	struct stat st;

	if (!h->file || (h->looked && now < h->look_at))
		return;
	h->look_at = now + LOOK_EVERY;
	if (stat(h->file, &st) < 0)
		memset(&st, 0, sizeof(st));
	if (h->looked && stat_same(&st, &h->seen))
		return;
	h->looked = true;
	h->seen = st;
	file_read(h);
}

struct hosts *
hosts_new(const struct names_host *host, size_t n, const char *file)
{
	struct hosts *h = calloc(1, sizeof(*h));
	size_t i;

	if (!h)
		return NULL;
	h->owns = calloc(n + 1, sizeof(*h->owns));
	h->file = file ? strdup(file) : NULL;
	if (!h->owns || (file && !h->file) || table_init(&h->own, n + 1) < 0 ||
		table_init(&h->lines, EXPECTED) < 0) {
		hosts_free(h);
		return NULL;
	}
	/* Backwards, since the table finds the newest first and the first shall win. */
	for (i = n; i-- > 0;) {
		h->owns[i].host = &host[i];
		table_insert(&h->own, &h->owns[i].node,
			table_hash(&h->own, host[i].name, strlen(host[i].name)));
	}
	return h;
}

void
hosts_free(struct hosts *h)
{
	if (!h)
		return;
	if (h->lines.bucket) {
		table_each(&h->lines, line_free, h);
		table_fini(&h->lines);
	}
	if (h->own.bucket)
		table_fini(&h->own);
	free(h->owns);
	free(h->file);
	free(h);
}

static bool
family_wanted(const struct ip *ip, unsigned families)
{
	return (ip->family == 4 && families & LOOKUP_V4) ||
		(ip->family == 6 && families & LOOKUP_V6);
}

static int
take(const struct ip *from, size_t n, unsigned families, struct ip *ip, int cap)
{
	int got = 0;
	size_t i;

	for (i = 0; i < n && got < cap; i++)
		if (family_wanted(&from[i], families))
			ip[got++] = from[i];
	return got > 0 ? got : -ENOENT;
}

/* RFC 6761 6.3: localhost and what is below it is this machine, whoever says otherwise. */
static bool
is_localhost(const char *name)
{
	static const char local[] = "localhost";
	size_t len = strlen(name), end = sizeof(local) - 1;

	return len >= end && strcmp(name + len - end, local) == 0 &&
		(len == end || name[len - end - 1] == '.');
}

static int
take_localhost(unsigned families, struct ip *ip, int cap)
{
	static const struct ip loopback[] = {
		{ 6, { [15] = 1 } },
		{ 4, { 127, 0, 0, 1 } },
	};

	return take(loopback, 2, families, ip, cap);
}

/* A name of the file that has no address of the family wanted may have one elsewhere. */
static int
take_lines(const struct hosts *h, const char *name, unsigned families, struct ip *ip,
	int cap)
{
	const struct line *l;
	int got = 0;

	for (l = line_find(h, name); l && got < cap; l = l->more)
		if (family_wanted(&l->ip, families))
			ip[got++] = l->ip;
	return got;
}

int
hosts_find(struct hosts *h, uint64_t now, const char **name, unsigned families,
	struct ip *ip, int cap)
{
	const struct names_host *own;
	struct ip literal;
	int aliases = 0;

	for (;;) {
		if (is_localhost(*name))
			return take_localhost(families, ip, cap);
		own = own_find(h, *name);
		if (!own)
			break;
		if (!own->alias)
			return take(own->ip, own->n, families, ip, cap);
		if (++aliases > HOSTS_ALIASES)
			return -ELOOP;
		*name = own->alias;
		if (ip_parse(&literal, *name))
			return take(&literal, 1, families, ip, cap);
	}
	file_look(h, now);
	return take_lines(h, *name, families, ip, cap);
}
