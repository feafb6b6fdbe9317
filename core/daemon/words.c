/* SPDX-License-Identifier: MIT */
#include "daemon/words.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int
wrong(const char *words, const char *why, const char *see)
{
	fprintf(stderr, "sluice: %s %s; see %s\n", words, why, see);
	return -1;
}

static bool
name_top_is_word(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *top = dot ? dot + 1 : name;

	return strspn(top, "0123456789") != strlen(top) && !strpbrk(name, "*/");
}

int
words_target(const char *words, struct target *to, char name[static NAME_MAX_LEN + 1],
	const char *see)
{
	const char *colon = strrchr(words, ':');
	struct endpoint e;
	uint64_t port;

	*to = (struct target){ .port = 0 };
	if (endpoint_parse(&e, words) && e.port != 0) {
		to->ip = e.ip;
		to->port = e.port;
		return 0;
	}
	if (strstr(words, "://"))
		return wrong(words, "is a URL; HOST:PORT is wanted", see);
	if (!colon)
		return wrong(words, "has no port; HOST:PORT is wanted", see);
	if (!number_parse(&port, colon + 1, UINT16_MAX) || port == 0)
		return wrong(words, "does not end in a port (1-65535)", see);
	to->port = (uint16_t)port;
	if (memchr(words, ':', (size_t)(colon - words)) || words[0] == '[')
		return wrong(words,
			"is no IPv6 address in brackets, such as [2001:db8::1]:443", see);
	if (!name_normal(name, NAME_MAX_LEN + 1, words, (size_t)(colon - words)))
		return wrong(words, "has no name in front of the port", see);
	/* The last label of a name is never a number (RFC 3696, 2). */
	if (!name_top_is_word(name))
		return wrong(words, "is neither an address nor a name", see);
	to->name = name;
	return 0;
}
