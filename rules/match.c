/* SPDX-License-Identifier: MIT */
#include "rules/match.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
port_parse(uint16_t *port, const char *p, size_t len)
{
	char digits[8];
	uint64_t n;

	while (len && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	if (len >= sizeof(digits))
		return false;
	memcpy(digits, p, len);
	digits[len] = '\0';
	if (!number_parse(&n, digits, 65535))
		return false;
	*port = (uint16_t)n;
	return true;
}

/* 0 is no port, but "0-65535" is how many people write "any". */
static int
range_parse(struct port_range *r, const char *p, size_t len, struct err *e)
{
	const char *dash = memchr(p, '-', len);
	size_t first = dash ? (size_t)(dash - p) : len;

	if (!port_parse(&r->from, p, first))
		return err_set(e, "%.*s is not a port (1-65535) or a range (1000-2000)",
			(int)len, p);
	r->to = r->from;
	if (dash && !port_parse(&r->to, dash + 1, len - first - 1))
		return err_set(
			e, "%.*s is not a range of ports (1000-2000)", (int)len, p);
	if (r->to == 0)
		return err_set(e, "%.*s is not a port (1-65535)", (int)len, p);
	if (r->to < r->from)
		return err_set(e, "%.*s: the range ends before it begins", (int)len, p);
	return 0;
}

static bool
is_blank(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != ' ' && p[i] != '\t')
			return false;
	return true;
}

static size_t
commas(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == ',';
	return n;
}

int
port_set_parse(struct port_set *s, const char *text, struct err *e)
{
	size_t len, most = commas(text) + 1;
	const char *p;

	s->n = 0;
	s->range = NULL;
	if (most > PORT_RANGES_MAX)
		return err_set(e, "more than %d ranges of ports", PORT_RANGES_MAX);
	s->range = calloc(most, sizeof(*s->range));
	if (!s->range)
		return err_set(e, "no memory for a list of ports");
	for (p = text;; p += len + 1) {
		len = strcspn(p, ",");
		if (!is_blank(p, len) && range_parse(&s->range[s->n++], p, len, e) < 0)
			return -1;
		if (!p[len])
			break;
	}
	if (s->n == 0)
		return err_set(e, "no port in it; \"53,443,1000-2000\" is right");
	return 0;
}

void
port_set_free(struct port_set *s)
{
	free(s->range);
	*s = (struct port_set){ 0 };
}

bool
port_set_has(const struct port_set *s, uint16_t port)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (port >= s->range[i].from && port <= s->range[i].to)
			return true;
	return false;
}
