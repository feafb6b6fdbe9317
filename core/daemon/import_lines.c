/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * A list of links, one on a line, as subscriptions have it; or one link, which
 * may be wrapped.
 */

struct lines {
	const char *next;
	unsigned number; /* of the line that was read last */
};

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next line without the space around it, into memory of the reader; NULL: the end. */
static char *
line_next(struct config_memory *m, struct lines *l)
{
	const char *p = l->next;
	size_t len = strcspn(p, "\n");

	if (!*p)
		return NULL;
	l->next = p + len + (p[len] == '\n');
	l->number++;
	while (len && is_space(p[len - 1]))
		len--;
	while (len && is_space(*p)) {
		p++;
		len--;
	}
	return config_memory_text(m, p, len);
}

/* Only letters of Base64: the rest of a link that was wrapped. */
static bool
goes_on(const char *line)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789+/-_=";

	return *line && strncmp(line, "//", 2) != 0 &&
		line[strspn(line, letters)] == '\0';
}

static bool
is_vmess(const char *line)
{
	return strncasecmp(line, "vmess://", 8) == 0;
}

/* The link with the lines that continue it. */
static char *
link_whole(struct config_memory *m, struct lines *l, char *link)
{
	struct lines ahead = *l;
	size_t len = strlen(link), more;
	char *line, *whole;

	if (!goes_on(link + 8))
		return link;
	while ((line = line_next(m, &ahead)) != NULL && goes_on(line)) {
		more = strlen(line);
		if (len + more > LINK_MAX)
			return link;
		whole = config_memory_take(m, len + more + 1, 1);
		memcpy(whole, link, len);
		memcpy(whole + len, line, more);
		link = whole;
		len += more;
		*l = ahead;
	}
	return link;
}

/* Schemes are short; what is longer is somebody's text. */
static void
foreign_refuse(struct import *im, const char *line)
{
	struct node at = { .reader = &im->reader };
	const char *colon = strstr(line, "://");
	char scheme[24];

	if (!colon || colon == line || (size_t)(colon - line) >= sizeof(scheme)) {
		node_fail(&at, "is not a link");
	} else {
		memcpy(scheme, line, (size_t)(colon - line));
		scheme[colon - line] = '\0';
		node_fail(&at, "%s:// links are not spoken, only vmess://",
			shown(scheme).text);
	}
	import_skip(im);
}

static bool
is_comment(const char *line)
{
	return !*line || *line == '#' || strncmp(line, "//", 2) == 0;
}

void
import_lines(struct import *im, const char *text)
{
	struct config_memory *m = im->reader.memory;
	struct lines l = { text, 0 };
	bool several = strchr(text, '\n') && strchr(text, '\n')[1];
	char place[512], *line;

	while ((line = line_next(m, &l)) != NULL) {
		if (is_comment(line))
			continue;
		snprintf(place, sizeof(place), "%s: line %u", im->name, l.number);
		im->reader.file = several ? config_memory_text(m, place, strlen(place))
					  : im->name;
		if (is_vmess(line))
			import_link(im, link_whole(m, &l, line));
		else
			foreign_refuse(im, line);
	}
	im->reader.file = im->name;
}
