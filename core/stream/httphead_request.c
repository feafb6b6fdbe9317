/* SPDX-License-Identifier: MIT */
#include "stream/httphead_request.h"

#include "base/bytes.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static const char *const paths[] = { "/" };
static const char *const hosts[] = { "www.baidu.com", "www.bing.com" };
static const char *const agents[] = {
	"Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) "
	"Chrome/53.0.2785.143 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 10_0_2 like Mac OS X) AppleWebKit/601.1 "
	"(KHTML, like Gecko) CriOS/53.0.2785.109 Mobile/14A456 Safari/601.1.46",
};
static const char *const encodings[] = { "gzip, deflate" };
static const char *const connections[] = { "keep-alive" };
static const char *const pragmas[] = { "no-cache" };

static const struct httphead_field fields[] = {
	{ "Host", { hosts, 2 } },
	{ "User-Agent", { agents, 2 } },
	{ "Accept-Encoding", { encodings, 1 } },
	{ "Connection", { connections, 1 } },
	{ "Pragma", { pragmas, 1 } },
};

const struct httphead_spec httphead_default = {
	.version = "1.1",
	.method = "GET",
	.paths = { paths, 1 },
	.fields = fields,
	.nfields = sizeof(fields) / sizeof(*fields),
};

/* No control characters, and no space where that would part words. */
static bool
is_clean(const char *s, bool spaces)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f || (*s == ' ' && !spaces))
			return false;
	return true;
}

/* The length of the longest text, or -1: one of them may not be sent. */
static int
list_check(const struct httphead_list *l, bool spaces)
{
	size_t i, n, longest = 0;

	if (l->n > HTTPHEAD_LIST_MAX)
		return -1;
	for (i = 0; i < l->n; i++) {
		n = strlen(l->text[i]);
		if (!is_clean(l->text[i], spaces) || n > HTTPHEAD_REQUEST_MAX)
			return -1;
		longest = n > longest ? n : longest;
	}
	return (int)longest;
}

int
httphead_check(const struct httphead_spec *spec, struct err *e)
{
	size_t i, all = strlen("  HTTP/\r\n\r\n");
	int n = list_check(&spec->paths, false);

	if (!*spec->method || !is_clean(spec->method, false) || !*spec->version ||
		!is_clean(spec->version, false) || n < 0)
		return err_set(e,
			"version, method and path have no spaces and no control "
			"characters");
	all += strlen(spec->method) + strlen(spec->version) + (size_t)(n ? n : 1);
	if (spec->nfields > HTTPHEAD_LIST_MAX)
		return err_set(e, "more than %d headers", HTTPHEAD_LIST_MAX);
	for (i = 0; i < spec->nfields; i++) {
		n = list_check(&spec->fields[i].values, true);
		if (n < 0 || !*spec->fields[i].name ||
			strchr(spec->fields[i].name, ':') ||
			!is_clean(spec->fields[i].name, false))
			return err_set(e,
				"header %zu has a name or a value that may not be "
				"sent, or more than %d values",
				i + 1, HTTPHEAD_LIST_MAX);
		all += strlen(spec->fields[i].name) + (size_t)n + strlen(": \r\n");
	}
	if (all > HTTPHEAD_REQUEST_MAX)
		return err_set(e,
			"the request may have more than %d bytes, which V2Ray does "
			"not read",
			HTTPHEAD_REQUEST_MAX);
	return 0;
}

static const char *
drawn(const struct httphead_list *l, struct rng *rng)
{
	return l->text[l->n > 1 ? rng_below(rng, (uint32_t)l->n) : 0];
}

static void
put(struct writer *w, const char *s)
{
	writer_bytes(w, s, strlen(s));
}

size_t
httphead_request_write(const struct httphead_spec *spec, struct rng *rng,
	uint8_t p[static HTTPHEAD_REQUEST_MAX])
{
	struct writer w;
	size_t i;

	writer_init(&w, p, HTTPHEAD_REQUEST_MAX);
	put(&w, spec->method);
	put(&w, " ");
	put(&w, spec->paths.n ? drawn(&spec->paths, rng) : "/");
	put(&w, " HTTP/");
	put(&w, spec->version);
	put(&w, "\r\n");
	for (i = 0; i < spec->nfields; i++) {
		if (spec->fields[i].values.n == 0)
			continue;
		put(&w, spec->fields[i].name);
		put(&w, ": ");
		put(&w, drawn(&spec->fields[i].values, rng));
		put(&w, "\r\n");
	}
	put(&w, "\r\n");
	assert(!w.bad);
	return w.len;
}
