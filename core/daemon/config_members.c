/* SPDX-License-Identifier: MIT */
#include "daemon/config_members.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

void
member_put(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}

void
member_put_filled(struct json_object *o, const char *key, struct json_object *v)
{
	size_t n = json_object_get_type(v) == json_type_array
		? json_object_array_length(v)
		: (size_t)json_object_object_length(v);

	if (n)
		member_put(o, key, v);
	else
		json_object_put(v);
}

void
member_put_text(struct json_object *o, const char *key, const char *s)
{
	if (s && s[0])
		member_put(o, key, json_object_new_string(s));
}

void
member_put_number(struct json_object *o, const char *key, int64_t n)
{
	member_put(o, key, json_object_new_int64(n));
}

void
member_put_flag(struct json_object *o, const char *key, bool value)
{
	member_put(o, key, json_object_new_boolean(value));
}

void
element_add_text(struct json_object *list, const char *s)
{
	json_object_array_add(list, json_object_new_string(s));
}

void
member_put_texts(struct json_object *o, const char *key, const char *const *list)
{
	struct json_object *a;

	if (!list)
		return;
	a = json_object_new_array();
	for (; *list; list++)
		element_add_text(a, *list);
	member_put(o, key, a);
}

char *
document_text_new(struct json_object *o)
{
	const char *s = json_object_to_json_string_ext(o,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
			JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len = s ? strlen(s) : 0;
	char *text = s ? malloc(len + 2) : NULL;

	if (text) {
		memcpy(text, s, len);
		text[len] = '\n';
		text[len + 1] = '\0';
	}
	return text;
}

void
document_text_free(char *text)
{
	if (text)
		bytes_wipe(text, strlen(text));
	free(text);
}
