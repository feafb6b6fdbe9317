/* SPDX-License-Identifier: MIT */
#include "daemon/config_json.h"

#include "base/text.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PATH_MAX_LEN = 256, KEYS_MAX = 64, MEMBERS_MAX = 4096, COMPARED_MAX = 4096 };

static struct json_object *
present(struct json_object *json)
{
	return json && json_object_get_type(json) != json_type_null ? json : NULL;
}

struct node
node_get(const struct node *up, const char *key)
{
	struct node n = { up->reader, up, key, 0, NULL };

	if (!up->json || json_object_get_type(up->json) != json_type_object)
		return n;
	json_object_object_foreach(up->json, name, value)
	{
		if (strcasecmp(name, key) == 0) {
			n.key = name;
			n.json = present(value);
		}
	}
	return n;
}

bool
node_is_object(const struct node *n)
{
	return n->json && json_object_get_type(n->json) == json_type_object;
}

bool
node_is_list(const struct node *n)
{
	return n->json && json_object_get_type(n->json) == json_type_array;
}

bool
node_is_number(const struct node *n)
{
	enum json_type type = json_object_get_type(n->json);

	return type == json_type_int || type == json_type_double;
}

size_t
node_count(const struct node *list)
{
	if (!list->json)
		return 0;
	return node_is_list(list) ? json_object_array_length(list->json) : 1;
}

struct node
node_at(const struct node *list, size_t i)
{
	struct node n = { list->reader, list, NULL, i, NULL };

	if (!node_is_list(list))
		return *list;
	n.json = present(json_object_array_get_idx(list->json, i));
	return n;
}

const struct node *
node_keep(const struct node *n)
{
	struct node *kept = config_memory_take(n->reader->memory, 1, sizeof(*kept));

	*kept = *n;
	return kept;
}

int
node_each(const struct node *object, int (*each)(const struct node *n, void *arg),
	void *arg)
{
	if (!node_is_object(object))
		return 0;
	json_object_object_foreach(object->json, name, value)
	{
		struct node n = { object->reader, object, name, 0, present(value) };

		if (each(&n, arg) == -1)
			return -1;
	}
	return 0;
}

struct shown
shown(const char *s)
{
	struct shown out;
	size_t len = strlen(s), keep = sizeof(out.text) - sizeof("...");

	if (len < sizeof(out.text)) {
		memcpy(out.text, s, len + 1);
	} else {
		/* A cut must not leave half of a character behind. */
		while (keep > 0 && ((unsigned char)s[keep] & 0xC0) == 0x80)
			keep--;
		memcpy(out.text, s, keep);
		memcpy(out.text + keep, "...", sizeof("..."));
	}
	text_clean(out.text);
	return out;
}

static void
path_write(const struct node *n, char *buf, size_t cap)
{
	size_t len;

	buf[0] = '\0';
	if (n->up)
		path_write(n->up, buf, cap);
	else
		return;
	len = strlen(buf);
	if (n->key)
		snprintf(
			buf + len, cap - len, "%s%s", len ? "." : "", shown(n->key).text);
	else
		snprintf(buf + len, cap - len, "[%zu]", n->index);
}

/* "config.json: outbounds[0]", or the file alone for the document. */
static void
place_write(const struct node *n, char *buf, size_t cap)
{
	char path[PATH_MAX_LEN];

	path_write(n, path, sizeof(path));
	snprintf(buf, cap, "%s%s%s", n->reader->file, path[0] ? ": " : "", path);
}

const char *
node_path(const struct node *n)
{
	char place[2 * PATH_MAX_LEN];

	place_write(n, place, sizeof(place));
	return config_memory_text(n->reader->memory, place, strlen(place));
}

static void
line_warn(const struct node *n, const char *why)
{
	char place[2 * PATH_MAX_LEN], line[1024];
	struct config_reader *r = n->reader;

	if (!r->say || r->warnings > WARNINGS_MAX)
		return;
	if (r->warnings++ == WARNINGS_MAX) {
		snprintf(line, sizeof(line), "%s: more warnings are left out", r->file);
		r->say->warn(r->say, line);
		return;
	}
	place_write(n, place, sizeof(place));
	snprintf(line, sizeof(line), "%s: %s", place, why);
	r->say->warn(r->say, line);
}

bool
config_goes_on(struct config_reader *r)
{
	if (!r->failed)
		return true;
	if (!r->say || !r->say->error || r->errors >= CONFIG_ERRORS_MAX)
		return false;
	r->failed = false;
	return true;
}

/* Errors leave in the order of the file: the one before this one is not the last. */
static int
line_fail(const struct node *n, const char *why)
{
	struct config_reader *r = n->reader;
	char place[2 * PATH_MAX_LEN];

	if (r->failed)
		return -1;
	r->failed = true;
	if (r->errors++ > 0 && r->say && r->say->error)
		r->say->error(r->say, r->err->text);
	place_write(n, place, sizeof(place));
	return err_set(r->err, "%s: %s", place, why);
}

int
node_fail(const struct node *n, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return line_fail(n, why);
}

int
node_refuse(const struct node *n, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (!n->reader->unreached)
		return line_fail(n, why);
	node_warn(n, "%s; the outbound is left out, since nothing leads to it", why);
	return -1;
}

void
node_warn(const struct node *n, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	line_warn(n, why);
}

static const char *
type_name(const struct node *n)
{
	switch (json_object_get_type(n->json)) {
	case json_type_null:
		return "null";
	case json_type_boolean:
		return "true or false";
	case json_type_double:
	case json_type_int:
		return "a number";
	case json_type_object:
		return "an object";
	case json_type_array:
		return "a list";
	case json_type_string:
		return "a string";
	}
	return "something else";
}

static int
wrong_type(const struct node *n, const char *meant)
{
	return node_fail(n, "%s, where %s is meant", type_name(n), meant);
}

int
node_text(const struct node *n, const char **out)
{
	const char *s;
	size_t len;

	if (!n->json)
		return 0;
	if (json_object_get_type(n->json) != json_type_string)
		return wrong_type(n, "a string");
	s = json_object_get_string(n->json);
	len = (size_t)json_object_get_string_len(n->json);
	if (strlen(s) != len)
		return node_fail(n, "has a zero byte");
	*out = config_memory_text(n->reader->memory, s, len);
	return 0;
}

int
node_bool(const struct node *n, bool *out)
{
	const char *s;

	if (!n->json)
		return 0;
	if (json_object_get_type(n->json) == json_type_boolean) {
		*out = json_object_get_boolean(n->json);
		return 0;
	}
	s = json_object_get_type(n->json) == json_type_string
		? json_object_get_string(n->json)
		: "";
	if (strcasecmp(s, "true") != 0 && strcasecmp(s, "false") != 0)
		return wrong_type(n, "true or false");
	*out = strcasecmp(s, "true") == 0;
	return 0;
}

int
node_number(
	const struct node *n, const char *what, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *s;
	uint64_t v;

	if (!n->json)
		return 0;
	if (!node_is_number(n) && json_object_get_type(n->json) != json_type_string)
		return wrong_type(n, "a number");
	s = json_object_get_string(n->json);
	if (!number_parse(&v, s, max) || v < min)
		return node_fail(n, "%s is not %s (%llu-%llu)",
			*s ? shown(s).text : "\"\"", what, (unsigned long long)min,
			(unsigned long long)max);
	*out = v;
	return 0;
}

int
node_port(const struct node *n, uint16_t *out)
{
	uint64_t v = *out;

	if (node_number(n, "a port", 1, UINT16_MAX, &v) == -1)
		return -1;
	*out = (uint16_t)v;
	return 0;
}

int
node_texts(const struct node *n, const char *const **out)
{
	struct config_memory *m = n->reader->memory;
	const char **list, *s = "";
	size_t count = node_count(n), i, k = 0;

	if (!n->json)
		return 0;
	if (!node_is_list(n)) {
		if (json_object_get_type(n->json) != json_type_string)
			return wrong_type(n, "a list of strings");
		if (node_text(n, &s) == -1)
			return -1;
		*out = config_memory_pieces(m, s);
		return 0;
	}
	list = config_memory_take(m, count + 1, sizeof(*list));
	for (i = 0; i < count; i++) {
		struct node at = node_at(n, i);

		if (node_text(&at, &list[k]) == -1)
			return -1;
		k += list[k] && list[k][0];
	}
	list[k] = NULL;
	*out = list;
	return 0;
}

int
node_word(const struct node *n, const char *const *words, int *out, const char **text)
{
	const char *s = NULL;

	if (node_text(n, &s) == -1)
		return -1;
	if (text)
		*text = s;
	if (s)
		*out = text_find(words, s);
	return 0;
}

bool
node_is_empty(const struct node *n)
{
	if (!n->json)
		return true;
	switch (json_object_get_type(n->json)) {
	case json_type_null:
		return true;
	case json_type_boolean:
		return !json_object_get_boolean(n->json);
	case json_type_double:
	case json_type_int:
		return json_object_get_double(n->json) == 0;
	case json_type_object:
		return json_object_object_length(n->json) == 0;
	case json_type_array:
		return json_object_array_length(n->json) == 0;
	case json_type_string:
		return json_object_get_string_len(n->json) == 0;
	}
	return false;
}

struct key_check {
	const struct key *keys;
	bool strict;
};

/* Whether `key` is one that has an effect, misspelt. Words of three letters are near to too
 * many, but for those of that one in another order. */
static bool
misses(const char *key, const char *near, const struct key *keys)
{
	if (strlen(key) < 3 ||
		(strlen(key) == 3 && strncasecmp(key, "ip", 2) != 0 &&
			(strlen(near) != 3 || strspn(near, key) != 3)))
		return false;
	while (strcmp(keys->name, near) != 0)
		keys++;
	return keys->use == KEY_READ || keys->use == KEY_REFUSED;
}

static int
key_unknown(const struct node *n, const struct key_check *c)
{
	const char *words[KEYS_MAX + 1], *near;
	size_t i;

	/* null is absent, and people write notes into keys that no program knows. */
	if (!n->json || (!c->strict && strchr("_/#$", n->key[0])))
		return 0;
	/* So many are no people's slips, and the search takes its time. */
	if (!c->strict && n->reader->compared++ >= COMPARED_MAX)
		return 0;
	for (i = 0; c->keys[i].name && i < KEYS_MAX; i++)
		words[i] = c->keys[i].name;
	words[i] = NULL;
	near = text_nearest(n->key, words);
	if (c->strict && near)
		return node_fail(n, "unknown key; did you mean %s?", near);
	if (c->strict)
		return node_fail(n, "unknown key");
	/* What others export has keys of its own, and is only imported. */
	if (near && n->reader->config && misses(n->key, near, c->keys))
		return node_refuse(n, "unknown key; did you mean %s?", near);
	if (near)
		node_warn(n, "unknown key; did you mean %s?", near);
	else
		node_warn(n, "unknown key, without effect");
	return 0;
}

static int
key_check(const struct node *n, void *arg)
{
	const struct key_check *c = arg;
	const struct key *k = c->keys;

	while (k->name && strcasecmp(k->name, n->key) != 0)
		k++;
	if (!k->name)
		return key_unknown(n, c);
	if (node_is_empty(n))
		return 0;
	switch (k->use) {
	case KEY_READ:
	case KEY_SPARED:
	case KEY_SILENT:
		return 0;
	case KEY_IDLE:
		node_warn(n, "%s", k->why ? k->why : "has no effect here");
		return 0;
	case KEY_REFUSED:
		return node_refuse(n, "%s", k->why ? k->why : "is not supported");
	}
	return 0;
}

static int
keys_check(const struct node *n, struct key_check *c)
{
	if (!n->json)
		return 0;
	if (!node_is_object(n))
		return wrong_type(n, "an object");
	if (json_object_object_length(n->json) > MEMBERS_MAX)
		return node_fail(n, "has more than %d members", MEMBERS_MAX);
	return node_each(n, key_check, c);
}

int
node_keys(const struct node *n, const struct key *keys)
{
	struct key_check c = { keys, false };

	return keys_check(n, &c);
}

int
node_keys_strict(const struct node *n, const struct key *keys)
{
	struct key_check c = { keys, true };

	return keys_check(n, &c);
}
