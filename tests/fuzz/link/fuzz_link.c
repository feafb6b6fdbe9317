/* SPDX-License-Identifier: MIT */
#include "base/base64.h"
#include "daemon/export.h"
#include "daemon/import.h"
#include "fuzz/fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Any text is links, servers of another program, or an error of one line.  What
 * an import makes, the reader of configurations takes; an import takes it again,
 * and makes the same of it; the link of its first server is a link.
 *
 * The first byte says what becomes of the rest: an even one leaves it as it is, an
 * odd one makes it the Base64 of a link, which no mutation would find.
 */

static void
note(struct config_say *say, const char *line)
{
	(void)say;
	must_be_line(line);
}

static char *
read_text(const char *text, size_t len)
{
	static const char *const countries[] = { "de", NULL };
	struct import_choices choices = { countries };
	struct config_say say = { note };
	struct err e = { "" };
	char *out = NULL;

	if (import_read("in", text, len, &choices, &say, &out, &e) < 0) {
		must_be_line(e.text);
		return NULL;
	}
	return out;
}

static void
link_check(const char *config, bool uri)
{
	struct export_request r = {
		.file = "c.json", .text = config, .len = strlen(config), .uri = uri
	};
	struct config_say say = { note };
	struct err e = { "" };
	char *link = NULL, *again;

	if (export_read(&r, &say, &link, &e) < 0) {
		must_be_line(e.text);
		return;
	}
	must_be_line(link);
	if (strncmp(link, "vmess://", 8) != 0)
		abort();
	/* A host that Xray's schema takes may be none for a link. */
	again = read_text(link, strlen(link));
	import_free(again);
	export_free(link);
}

static void
config_check(const char *text)
{
	struct config_say say = { .warn = note };
	struct err e = { "" };
	struct config *c = config_read("c.json", text, strlen(text), &say, &e);

	if (!c)
		abort();
	config_free(c);
}

/* How much of it a second import makes again: all, but for a time server and the rule for
 * it, which are taken from sing-box alone. */
static size_t
lasting(const char *config)
{
	if (!strstr(config, "\n\t\"sluice\": "))
		return strlen(config) + 1;
	return (size_t)(strstr(config, "\n\t\"routing\": ") - config);
}

static void
text_check(const char *text, size_t len)
{
	char *out = read_text(text, len), *again;

	if (!out)
		return;
	config_check(out);
	again = read_text(out, strlen(out));
	if (!again || strncmp(again, out, lasting(out)) != 0)
		abort();
	import_free(again);
	link_check(out, false);
	link_check(out, true);
	import_free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const char scheme[] = "vmess://";
	size_t cap = sizeof(scheme) + BASE64_TEXT(len);
	char *link;

	if (len == 0)
		return 0;
	if (p[0] % 2 == 0) {
		text_check((const char *)p + 1, len - 1);
		return 0;
	}
	link = malloc(cap);
	if (!link)
		abort();
	memcpy(link, scheme, sizeof(scheme));
	base64_encode(
		link + sizeof(scheme) - 1, cap - sizeof(scheme) + 1, p + 1, len - 1, 0);
	text_check(link, strlen(link));
	free(link);
	return 0;
}
