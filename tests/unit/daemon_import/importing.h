/* SPDX-License-Identifier: MIT */
#ifndef UNIT_DAEMON_IMPORT_IMPORTING_H
#define UNIT_DAEMON_IMPORT_IMPORTING_H

/* cmocka, and an import as a test sees it: its outbounds in one line of JSON each, what was
 * said, and why it failed. */

#include "base/base64.h"
#include "base/list.h"
#include "daemon/import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define ID "b831381d-6324-4d53-ad4f-8cda48b30811"

struct imported {
	struct config_say say;
	char said[64 * 1024]; /* lines, each with its end */
	struct err err;       /* "" when it was right */
	char *text;
	struct json_object *json;
};

static void
line_keep(struct config_say *say, const char *line)
{
	struct imported *im = container_of(say, struct imported, say);
	size_t len = strlen(im->said);

	if (strchr(line, '\n'))
		fail_msg("two lines: %s", line);
	snprintf(im->said + len, sizeof(im->said) - len, "%s\n", line);
}

/* Whatever is made, the reader of configurations takes. */
static inline void
import_reread(const struct imported *im)
{
	struct config *c;
	struct err e;

	c = config_read("out", im->text, strlen(im->text), NULL, &e);
	if (!c)
		fail_msg("%s", e.text);
	config_free(c);
}

static inline void
import_bytes(struct imported *im, const char *text, size_t len, const char *const *direct)
{
	struct import_choices choices = { direct };

	memset(im, 0, sizeof(*im));
	im->say.warn = line_keep;
	if (import_read("in", text, len, &choices, &im->say, &im->text, &im->err) < 0) {
		assert_true(im->err.text[0] && !strchr(im->err.text, '\n'));
		return;
	}
	assert_string_equal(im->err.text, "");
	im->json = json_tokener_parse(im->text);
	assert_non_null(im->json);
	import_reread(im);
}

static inline void
import_text(struct imported *im, const char *text)
{
	import_bytes(im, text, strlen(text), NULL);
}

static inline void
imported_free(struct imported *im)
{
	json_object_put(im->json);
	import_free(im->text);
}

/* Without what the text is outside of its outbounds. */
static inline size_t
imported_count(const struct imported *im)
{
	struct json_object *list;

	assert_true(json_object_object_get_ex(im->json, "outbounds", &list));
	return json_object_array_length(list);
}

static inline const char *
imported_outbound(const struct imported *im, size_t i)
{
	struct json_object *list;

	assert_true(json_object_object_get_ex(im->json, "outbounds", &list));
	return json_object_to_json_string_ext(json_object_array_get_idx(list, i),
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* The link whose Base64 is this object; good until the next call. */
static inline const char *
link_of(const char *object)
{
	static char link[32 * 1024];

	memcpy(link, "vmess://", 9);
	assert_int_equal(
		base64_encode(link + 8, sizeof(link) - 8, object, strlen(object), 0), 0);
	return link;
}

#endif
