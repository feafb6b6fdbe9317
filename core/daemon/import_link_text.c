/* SPDX-License-Identifier: MIT */
#include "base/base64.h"
#include "base/text.h"
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <string.h>

/* From the text of a link to the members that it stands for. */

/* A piece of a link. */
struct piece {
	const char *p;
	size_t len;
};

/* What stands before the first of `marks`, or all; the rest begins behind it. */
static struct piece
piece_cut(struct piece *rest, const char *marks)
{
	struct piece head = { rest->p, 0 };

	while (head.len < rest->len && !strchr(marks, rest->p[head.len]))
		head.len++;
	rest->p += head.len;
	rest->len -= head.len;
	if (rest->len) {
		rest->p++;
		rest->len--;
	}
	return head;
}

/* RFC 3986, 2.1. A plus is a plus. */
static int
member_add(
	struct json_object *o, const struct node *at, const char *key, struct piece text)
{
	uint8_t *plain = config_memory_take(at->reader->memory, text.len + 1, 1);
	char two[3] = "";
	size_t i, n = 0;

	for (i = 0; i < text.len; i++) {
		if (text.p[i] != '%') {
			plain[n++] = (uint8_t)text.p[i];
			continue;
		}
		memcpy(two, text.p + i + 1, text.len - i > 2 ? 2 : text.len - i - 1);
		if (text.len - i < 3 || !hex_parse(&plain[n++], 1, two))
			return node_fail(at, "%s has a %% without its two digits",
				shown(key).text);
		i += 2;
	}
	json_object_object_add(
		o, key, json_object_new_string_len((const char *)plain, (int)n));
	return 0;
}

/* "host:port", "[address]:port", and perhaps a slash behind it. */
static int
authority_add(struct json_object *o, const struct node *at, struct piece text)
{
	size_t colon;

	while (text.len && text.p[text.len - 1] == '/')
		text.len--;
	for (colon = text.len; colon && text.p[colon - 1] != ':'; colon--)
		;
	if (colon == 0 || text.p[text.len - 1] == ']')
		return node_fail(at, "has no port behind its host");
	if (member_add(o, at, "add", (struct piece){ text.p, colon - 1 }) == -1)
		return -1;
	return member_add(
		o, at, "port", (struct piece){ text.p + colon, text.len - colon });
}

static int
query_add(struct json_object *o, const struct node *at, struct piece text)
{
	while (text.len) {
		struct piece value = piece_cut(&text, "&"), key = piece_cut(&value, "=");
		const char *name = config_memory_text(at->reader->memory, key.p, key.len);

		if (!key.len || !value.len)
			continue;
		if (member_add(o, at, name, value) == -1)
			return -1;
	}
	return 0;
}

static int
uri_add(struct json_object *o, const struct node *at, struct piece text)
{
	struct piece link = piece_cut(&text, "#"), place = piece_cut(&link, "?");
	struct piece id = piece_cut(&place, "@");

	/* The members of the query first: it must not change what stands before it. */
	if (query_add(o, at, link) == -1 || member_add(o, at, "id", id) == -1)
		return -1;
	if (text.len && member_add(o, at, "ps", text) == -1)
		return -1;
	return authority_add(o, at, place);
}

struct json_object *
link_uri(const struct node *at, const char *link)
{
	struct json_object *o = json_object_new_object();

	if (uri_add(o, at, (struct piece){ link, strlen(link) }) == 0)
		return o;
	json_object_put(o);
	return NULL;
}

/* Other programs' links begin in the same way. */
static const char *
foreign_form(const char *plain, struct piece query)
{
	if (strchr(plain, '@') && plain[0] != '{')
		return "the form of Shadowrocket is not supported";
	if (strstr(plain, "= vmess") || strstr(plain, "=vmess"))
		return "the form of Quantumult is not supported";
	return query.len ? "is not the Base64 of a link, and no URI"
			 : "is not the Base64 of a link";
}

static const char cut_off[] = "the link is cut off: copy all of it";

/* No Base64 has one character in its last group of four (RFC 4648, 4). */
static bool
is_cut_base64(struct piece text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/-_";

	return strspn(text.p, digits) >= text.len && text.len % 4 == 1;
}

static bool
is_cut_json(const char *plain, size_t len)
{
	return !memchr(plain, '}', len);
}

struct json_object *
link_json(const struct node *at, const char *link)
{
	struct piece text = { link, strlen(link) }, name = text, query;
	struct json_object *o;
	char *plain;
	struct err e;
	size_t n = 0;

	query = piece_cut(&name, "#");
	text = piece_cut(&query, "?");
	plain = config_memory_take(at->reader->memory, text.len + 1, 1);
	if (!text.len) {
		node_fail(at, "is empty");
		return NULL;
	}
	if (is_cut_base64(text)) {
		node_fail(at, "%s", cut_off);
		return NULL;
	}
	if (base64_parse((uint8_t *)plain, text.len, &n, text.p, text.len,
		    BASE64_LENIENT) < 0) {
		node_fail(at, "is broken Base64");
		return NULL;
	}
	if (strlen(plain) != n || plain[strspn(plain, " \t\r\n")] != '{') {
		node_fail(at, "%s", foreign_form(plain, query));
		return NULL;
	}
	if (is_cut_json(plain, n)) {
		node_fail(at, "%s", cut_off);
		return NULL;
	}
	o = import_json("its JSON", plain, n, &e);
	if (!o)
		node_fail(at, "%s", e.text);
	else if (name.len && !json_object_object_get_ex(o, "ps", NULL))
		member_add(o, at, "ps", name);
	return o;
}
