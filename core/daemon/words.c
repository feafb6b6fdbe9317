/* SPDX-License-Identifier: MIT */
#include "daemon/words.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

int
words_target(const char *words, struct target *to, char name[static NAME_MAX_LEN + 1],
	const char *see)
{
	const char *colon = strrchr(words, ':');
	struct endpoint e;
	uint64_t port;

	*to = (struct target){ .port = 0 };
	if (endpoint_parse(&e, words)) {
		to->ip = e.ip;
		to->port = e.port;
		return 0;
	}
	if (!colon || !number_parse(&port, colon + 1, UINT16_MAX) || port == 0) {
		fprintf(stderr, "sluice: %s is not HOST:PORT; see %s\n", words, see);
		return -1;
	}
	to->port = (uint16_t)port;
	if (!name_normal(name, NAME_MAX_LEN + 1, words, (size_t)(colon - words))) {
		fprintf(stderr, "sluice: %s is not a name; see %s\n", words, see);
		return -1;
	}
	to->name = name;
	return 0;
}
