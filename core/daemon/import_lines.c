/* SPDX-License-Identifier: MIT */
#include "base/base64.h"
#include "daemon/import_parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * A list of links, one on a line, as subscriptions have it; any of them may be
 * wrapped, as mail programs do it.
 */

static const char scheme[] = "vmess://";
enum { SCHEME_LEN = sizeof(scheme) - 1 };

/* Where the reading of the list is. */
struct lines {
	const char *next;
	unsigned number; /* of the line that was read last */
};

/* A line without the space around it, where it stands. */
struct line {
	const char *p;
	size_t len;
};

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
line_next(struct lines *l, struct line *line)
{
	const char *p = l->next;
	size_t len = strcspn(p, "\n");

	if (!*p)
		return false;
	l->next = p + len + (p[len] == '\n');
	l->number++;
	while (len && is_space(p[len - 1]))
		len--;
	while (len && is_space(*p)) {
		p++;
		len--;
	}
	*line = (struct line){ p, len };
	return true;
}

static bool
begins(const struct line *line, const char *with)
{
	size_t n = strlen(with);

	return line->len >= n && strncasecmp(line->p, with, n) == 0;
}

/* How many letters of Base64 p begins with. */
static size_t
letters(const char *p, size_t len)
{
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz"
				  "0123456789+/-_=";
	size_t n = strspn(p, all);

	return n < len ? n : len;
}

/* Letters of Base64, perhaps with a name behind them: what a wrapped link goes on with. */
static bool
goes_on(const struct line *line)
{
	size_t n = letters(line->p, line->len);

	return n && !begins(line, "//") && (n == line->len || line->p[n] == '#');
}

/* Whether the Base64 of a link ends where an object does, or a name ends it. `before` of
 * its letters stand on the lines above. */
static bool
is_whole(struct line base64, size_t before)
{
	size_t len = base64.len, tail, n = 0;
	uint8_t end[8];

	if (letters(base64.p, len) < len)
		return true;
	while (len && base64.p[len - 1] == '=')
		len--;
	/* Letters come by fours; the last five to eight end with the last byte. */
	tail = (before + len + 3) % 4 + 5;
	if (tail > len)
		tail = len;
	if (base64_parse(end, sizeof(end), &n, base64.p + len - tail, tail,
		    BASE64_LENIENT) < 0)
		return false;
	while (n && is_space((char)end[n - 1]))
		n--;
	return n && end[n - 1] == '}';
}

/* How many letters the lines have that go on with a link; *l is then behind them. */
static size_t
rest_find(struct lines *l, struct line base64)
{
	struct lines ahead = *l;
	size_t before = 0, more = 0;

	while (!is_whole(base64, before)) {
		before += base64.len;
		if (!line_next(&ahead, &base64) || !goes_on(&base64))
			break;
		more += base64.len;
		*l = ahead;
	}
	return more;
}

/* The link in one piece, in memory of the reader. */
static const char *
link_join(struct config_memory *m, struct lines *l, struct line link)
{
	struct lines from = *l;
	struct line base64 = { link.p + SCHEME_LEN, link.len - SCHEME_LEN }, line;
	size_t more = goes_on(&base64) ? rest_find(l, base64) : 0;
	char *whole = config_memory_take(m, link.len + more + 1, 1);

	memcpy(whole, link.p, link.len);
	while (from.number < l->number && line_next(&from, &line)) {
		memcpy(whole + link.len, line.p, line.len);
		link.len += line.len;
	}
	return whole;
}

/* Schemes are short; what is longer is somebody's text. */
static void
foreign_refuse(struct import *im, const struct line *line)
{
	struct node at = { .reader = &im->reader };
	char word[24];
	size_t n = 0;

	while (n < line->len && n < sizeof(word) - 1 && line->p[n] != ':')
		n++;
	memcpy(word, line->p, n);
	word[n] = '\0';
	if (n == 0 || line->len - n < 3 || strncmp(line->p + n, "://", 3) != 0)
		node_fail(&at, "is not a link");
	else if (strcasecmp(word, "http") == 0 || strcasecmp(word, "https") == 0)
		node_fail(&at,
			"an address on the web; fetch what lies there first: "
			"curl -fsSL URL | sluice import -");
	else
		node_fail(&at, "%s:// links are not spoken, only vmess://",
			shown(word).text);
	import_skip(im);
}

void
import_lines(struct import *im, const char *text)
{
	struct config_memory *m = im->reader.memory;
	struct lines l = { text, 0 };
	bool several = strchr(text, '\n') && strchr(text, '\n')[1];
	struct line line;
	char place[512];

	while (line_next(&l, &line)) {
		if (!line.len || *line.p == '#' || begins(&line, "//"))
			continue;
		snprintf(place, sizeof(place), "%s: line %u", im->name, l.number);
		im->reader.file = several ? config_memory_text(m, place, strlen(place))
					  : im->name;
		if (begins(&line, scheme))
			import_link(im, link_join(m, &l, line));
		else
			foreign_refuse(im, &line);
	}
	im->reader.file = im->name;
}
