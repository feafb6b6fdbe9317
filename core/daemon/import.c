/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include "base/base64.h"
#include "base/text.h"
#include "daemon/config_text.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Which kind of text it is, and the list of its servers. */

/* What `check` takes, and what is left of it where a number makes a tag unique. */
enum { TAG_SIZE = 64, TAG_NUMBERED_SIZE = 56 };

static void
note(struct import *im, const char *line)
{
	struct config_reader *r = &im->reader;
	char last[256];

	if (r->warnings > WARNINGS_MAX)
		return;
	if (r->warnings++ == WARNINGS_MAX) {
		snprintf(last, sizeof(last), "%s: more warnings are left out", im->name);
		line = last;
	}
	r->say->warn(r->say, line);
}

/* The first failure waits: if nothing else comes, it is the error of the whole. */
static void
first_note(struct import *im)
{
	char line[sizeof(im->first.text) + 16];

	if (!im->first.text[0])
		return;
	snprintf(line, sizeof(line), "%s; left out", im->first.text);
	im->first.text[0] = '\0';
	note(im, line);
}

void
import_skip(struct import *im)
{
	first_note(im);
	im->first = im->err;
	im->failed++;
	im->reader.failed = false;
	if (im->failed > 1)
		first_note(im);
}

void
import_lose(struct import *im)
{
	char line[sizeof(im->err.text) + 16];

	snprintf(line, sizeof(line), "%s; left out", im->err.text);
	im->reader.failed = false;
	note(im, line);
}

/* As much of a name as fits, without half a character or a space at its end. */
static void
name_cut(char *out, size_t cap, const char *name)
{
	size_t len = strlen(name);

	if (len >= cap) {
		len = cap - 1;
		while (len && ((unsigned char)name[len] & 0xC0) == 0x80)
			len--;
	}
	while (len && name[len - 1] == ' ')
		len--;
	memcpy(out, name, len);
	out[len] = '\0';
}

/* A name as a tag, no two alike. */
static void
tag_make(const struct import *im, const char *name, char tag[static TAG_SIZE])
{
	char base[TAG_NUMBERED_SIZE];
	unsigned i;

	if (!name[0])
		name = "proxy";
	name_cut(tag, TAG_SIZE, name);
	name_cut(base, sizeof(base), name);
	for (i = 2; json_object_object_get_ex(im->tags, tag, NULL); i++)
		snprintf(tag, TAG_SIZE, "%s %u", base, i);
}

static void
full_note(struct import *im)
{
	char line[256];

	if (im->full)
		return;
	im->full = true;
	snprintf(line, sizeof(line), "%s: more than %d servers; the rest is left out",
		im->name, IMPORT_SERVERS_MAX);
	note(im, line);
}

/* A copy with the tag first, whatever tag it had. */
static struct json_object *
tagged_new(struct json_object *out, const char *tag)
{
	struct json_object *tagged = json_object_new_object();

	json_object_object_add(tagged, "tag", json_object_new_string(tag));
	json_object_object_foreach(out, key, value)
	{
		if (strcasecmp(key, "tag") != 0)
			json_object_object_add(tagged, key, json_object_get(value));
	}
	return tagged;
}

/* 0, or -1 after node_fail: `sluice check` would refuse it, or it is of no use. */
static int
outbound_check(struct import *im, const struct node *at, struct json_object *tagged,
	bool place_holders)
{
	char dead[IMPORT_DEAD_MAX];

	if (import_check(im, at, tagged, dead) == -1)
		return -1;
	if (!dead[0])
		return 0;
	if (!place_holders)
		return node_fail(at, "%s", dead);
	node_warn(at, "%s; nothing will get through", dead);
	return 0;
}

static void
outbound_add(struct import *im, const struct node *at, const char *name,
	struct json_object *out, bool place_holders)
{
	struct json_object *tagged;
	char tag[TAG_SIZE];

	if (im->servers == IMPORT_SERVERS_MAX) {
		full_note(im);
		return;
	}
	im->reader.failed = false;
	tag_make(im, name, tag);
	tagged = tagged_new(out, tag);
	if (outbound_check(im, at, tagged, place_holders) == -1) {
		import_skip(im);
		json_object_put(tagged);
		return;
	}
	first_note(im);
	im->servers++;
	json_object_object_add(im->tags, tag, NULL);
	json_object_array_add(im->outbounds, tagged);
}

void
import_add_outbound(struct import *im, const struct node *at, const char *name,
	struct json_object *out)
{
	outbound_add(im, at, name, out, true);
	json_object_put(out);
}

void
import_add(struct import *im, const struct node *at, struct server *s)
{
	struct json_object *out;

	server_complete(at, s);
	out = server_outbound(s);
	outbound_add(im, at, s->name, out, false);
	json_object_put(out);
}

bool
import_is_vmess(struct import *im, const struct node *kind, const char *what,
	const char *const *local)
{
	const char *s = "";

	if (field_text(kind, &s) == -1) {
		import_skip(im);
		return false;
	}
	if (strcasecmp(s, "vmess") == 0)
		return true;
	if (text_find(local, s) < 0)
		node_warn(kind, "%s of the kind %s are not spoken; left out", what,
			shown(s).text);
	return false;
}

void
import_leave_out(const struct node *root, const char *const *keys)
{
	for (; *keys; keys++) {
		struct node n = node_get(root, *keys);

		if (!node_is_empty(&n))
			node_warn(&n, "is not carried over, only servers are");
	}
}

/* What an object in its outbounds calls its kind decides whose configuration it is. */
static bool
has_members(const struct node *list, const char *key)
{
	size_t i;

	for (i = 0; i < node_count(list); i++) {
		struct node at = node_at(list, i), member = node_get(&at, key);

		if (member.json)
			return true;
	}
	return false;
}

static bool
is_xray(const struct node *root)
{
	static const char *const lists[] = { "outbounds", "outbound", "outboundDetour" };
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct node list = node_get(root, lists[i]);

		if (has_members(&list, "protocol"))
			return true;
	}
	return false;
}

static int
document_read(struct import *im, const struct node *root, struct err *e)
{
	struct node outbounds = node_get(root, "outbounds");
	struct node proxies = node_get(root, "proxies"), add = node_get(root, "add");
	struct node protocol = node_get(root, "protocol"), type = node_get(root, "type");

	if (is_xray(root))
		import_xray(im, root);
	else if (has_members(&outbounds, "type"))
		import_singbox(im, root);
	else if (proxies.json)
		import_clash_proxies(im, root);
	else if (add.json)
		import_link_object(im, root);
	else if (protocol.json)
		import_xray_outbound(im, root);
	else if (type.json)
		import_singbox_outbound(im, root);
	else
		return err_set(
			e, "%s: is JSON, but has no outbounds and no proxies", im->name);
	return 0;
}

static int
json_read(struct import *im, const char *text, struct err *e)
{
	struct node root = { .reader = &im->reader };
	int result;

	root.json = import_json(im->name, text, strlen(text), e);
	if (!root.json)
		return -1;
	result = document_read(im, &root, e);
	json_object_put(root.json);
	return result;
}

/* Clash's YAML has this word at the beginning of a line. */
static bool
is_clash(const char *text)
{
	static const char word[] = "proxies:";
	const char *p;

	for (p = strstr(text, word); p; p = strstr(p + 1, word))
		if (p == text || p[-1] == '\n')
			return true;
	return false;
}

static bool
is_base64(const char *text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789+/-_= \t\r\n";

	return text[strspn(text, letters)] == '\0';
}

/* The first thing that is no comment and no space: lists of links and JSON have both. */
static const char *
first_word(const char *text)
{
	const char *end;

	for (;;) {
		text += strspn(text, " \t\r\n");
		if (*text == '#' || strncmp(text, "//", 2) == 0)
			text += strcspn(text, "\n");
		else if (strncmp(text, "/*", 2) != 0)
			return text;
		else if ((end = strstr(text + 2, "*/")) != NULL)
			text = end + 2;
		else
			return text;
	}
}

/* Behind the mark of UTF-8 with which some editors begin a text. */
static const char *
unmarked(const char *text)
{
	static const char mark[] = "\xef\xbb\xbf";

	return strncmp(text, mark, strlen(mark)) == 0 ? text + strlen(mark) : text;
}

static int
plain_read(struct import *im, const char *text, struct err *e)
{
	const char *word;

	text = unmarked(text);
	word = first_word(text);
	if (*word == '\0')
		return err_set(e, "%s: is empty", im->name);
	if (*word == '{')
		return json_read(im, text, e);
	if (*word == '[')
		return err_set(e,
			"%s: is a list of configurations; import them one by one",
			im->name);
	if (is_clash(text))
		return import_clash(im, text, strlen(text), e);
	import_lines(im, text);
	return 0;
}

static int
text_read(struct import *im, const char *text, size_t len, struct err *e)
{
	char *plain;
	size_t n = 0;

	if (memchr(text, '\0', len))
		return err_set(e, "%s: has a zero byte", im->name);
	text = unmarked(config_memory_text(im->reader.memory, text, len));
	if (!is_base64(text) || !*first_word(text))
		return plain_read(im, text, e);
	len = strlen(text);
	plain = config_memory_take(im->reader.memory, len + 1, 1);
	if (base64_parse((uint8_t *)plain, len, &n, text, len, BASE64_LENIENT) < 0 ||
		strlen(plain) != n || !strstr(plain, "://"))
		return err_set(
			e, "%s: is no link, and not the Base64 of links", im->name);
	return plain_read(im, plain, e);
}

/* Nothing that can be used: the only reason that there is, or a sentence. */
static int
nothing(struct import *im, struct err *e)
{
	if (im->first.text[0]) {
		*e = im->first;
		im->first.text[0] = '\0';
		return -1;
	}
	return err_set(e, "%s: no VMess server that can be used", im->name);
}

/* The order is what decides. */
static void
several_note(struct import *im)
{
	struct json_object *tag = NULL;
	char line[256];

	if (im->servers < 2)
		return;
	json_object_object_get_ex(
		json_object_array_get_idx(im->outbounds, 0), "tag", &tag);
	snprintf(line, sizeof(line),
		"%s: %zu servers; %s, the first, is used, and the others are kept for "
		"rules to name",
		im->name, im->servers, json_object_get_string(tag));
	note(im, line);
}

int
import_read(const char *name, const char *text, size_t len,
	const struct import_choices *c, struct config_say *say, char **out, struct err *e)
{
	struct import im = { .name = name };
	int result;

	if (len > CONFIG_TEXT_MAX)
		return err_set(e, "%s: larger than 16 MB", name);
	im.reader.memory = config_memory_new();
	im.reader.file = name;
	im.reader.say = say;
	im.reader.err = &im.err;
	im.outbounds = json_object_new_array();
	im.tags = json_object_new_object();
	json_object_object_add(im.tags, IMPORT_DIRECT_TAG, NULL);
	result = text_read(&im, text, len, e);
	if (result == 0 && im.servers == 0)
		result = nothing(&im, e);
	first_note(&im);
	several_note(&im);
	if (result == 0)
		result = import_print(&im, c, out, e);
	tls_stock_drop(im.tls);
	json_object_put(im.transport);
	json_object_put(im.tags);
	json_object_put(im.outbounds);
	config_memory_free(im.reader.memory);
	return result;
}
