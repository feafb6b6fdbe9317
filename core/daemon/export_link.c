/* SPDX-License-Identifier: MIT */
#include "daemon/export_link.h"

#include "base/base64.h"
#include "base/text.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* From a server to the text of a link. */

enum { LINK_TEXT_MAX = 64 * 1024 };

void
export_path_complete(const struct node *n, struct server *s)
{
	size_t cap = strlen(s->path) + 32;
	char *path;

	if (!s->early_data)
		return;
	if (strcmp(s->early_header, "Sec-WebSocket-Protocol") != 0) {
		node_warn(n,
			"a link can only say early data in Sec-WebSocket-Protocol; "
			"left out");
		return;
	}
	path = config_memory_take(n->reader->memory, cap, 1);
	snprintf(path, cap, "%s%ced=%u", s->path[0] ? s->path : "/",
		strchr(s->path, '?') ? '&' : '?', (unsigned)s->early_data);
	s->path = path;
}

static const char *
network_word(const struct server *s)
{
	switch (s->network) {
	case SERVER_RAW:
		return "tcp";
	case SERVER_WS:
		return "ws";
	case SERVER_HTTPUPGRADE:
		return "httpupgrade";
	}
	return "";
}

/* ["h2", "http/1.1"] as "h2,http/1.1". */
static const char *
alpn_text(const struct node *n, const struct server *s)
{
	struct config_memory *m = n->reader->memory;
	size_t i, len = 1;
	char *text;

	for (i = 0; s->alpn && s->alpn[i]; i++)
		len += strlen(s->alpn[i]) + 1;
	text = config_memory_take(m, len, 1);
	for (i = 0; s->alpn && s->alpn[i]; i++)
		snprintf(text + strlen(text), len - strlen(text), "%s%s", i ? "," : "",
			s->alpn[i]);
	return text;
}

static void
member(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void
number(struct json_object *o, const char *key, unsigned v)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", v);
	member(o, key, text);
}

/* In v2rayN's order, with its empty members, and numbers as strings. */
static struct json_object *
object_make(const struct node *n, const struct server *s)
{
	bool carried = s->network != SERVER_RAW || s->http_header;
	struct json_object *o = json_object_new_object();

	member(o, "v", "2");
	member(o, "ps", s->name);
	member(o, "add", s->address);
	number(o, "port", s->port);
	member(o, "id", s->id);
	number(o, "aid", s->alter_id);
	member(o, "scy", s->security);
	member(o, "net", network_word(s));
	member(o, "type", s->http_header ? "http" : "none");
	member(o, "host", carried ? s->host : "");
	member(o, "path", carried ? s->path : "");
	member(o, "tls", s->tls ? "tls" : "");
	member(o, "sni", s->tls ? s->server_name : "");
	member(o, "alpn", s->tls ? alpn_text(n, s) : "");
	member(o, "fp", s->tls ? s->fingerprint : "");
	if (s->tls && s->insecure)
		member(o, "insecure", "1");
	if (s->tls && s->pin[0])
		member(o, "pcs", s->pin);
	return o;
}

const char *
export_object(const struct node *n, const struct server *s)
{
	static const char scheme[] = "vmess://";
	struct json_object *o = object_make(n, s);
	const char *text = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len = strlen(text), cap = sizeof(scheme) + BASE64_TEXT(len);
	char *link = config_memory_take(n->reader->memory, cap, 1);

	memcpy(link, scheme, sizeof(scheme));
	base64_encode(link + sizeof(scheme) - 1, cap - sizeof(scheme) + 1, text, len, 0);
	json_object_put(o);
	return link;
}

/* A URI on its way. */
struct uri {
	char *text;
	size_t len, cap;
	bool asked; /* the query has begun */
	bool full;
};

static void
put(struct uri *u, const char *s)
{
	size_t n = strlen(s);

	if (u->len + n >= u->cap) {
		u->full = true;
		return;
	}
	memcpy(u->text + u->len, s, n + 1);
	u->len += n;
}

/* RFC 3986, 2.3: all but the unreserved. */
static void
put_quoted(struct uri *u, const char *s)
{
	static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz"
				   "0123456789-._~";
	char quoted[4];

	for (; *s; s++) {
		if (strchr(bare, *s))
			snprintf(quoted, sizeof(quoted), "%c", *s);
		else
			snprintf(quoted, sizeof(quoted), "%%%02X", (unsigned char)*s);
		put(u, quoted);
	}
}

/* Nothing for "". */
static void
put_query(struct uri *u, const char *key, const char *value)
{
	if (!value[0])
		return;
	put(u, u->asked ? "&" : "?");
	put(u, key);
	put(u, "=");
	put_quoted(u, value);
	u->asked = true;
}

static void
put_place(struct uri *u, const struct server *s)
{
	bool v6 = strchr(s->address, ':') != NULL;
	char port[8];

	put(u, "vmess://");
	put_quoted(u, s->id);
	put(u, v6 ? "@[" : "@");
	put(u, s->address);
	snprintf(port, sizeof(port), ":%u", s->port);
	put(u, v6 ? "]" : "");
	put(u, port);
}

static void
put_tls(struct uri *u, const struct node *n, const struct server *s)
{
	put_query(u, "sni", s->server_name);
	put_query(u, "alpn", alpn_text(n, s));
	put_query(u, "fp", s->fingerprint);
	put_query(u, "pcs", s->pin);
	if (s->insecure)
		put_query(u, "allowInsecure", "1");
}

const char *
export_uri(const struct node *n, const struct server *s)
{
	struct uri u = { .cap = LINK_TEXT_MAX };

	if (s->alter_id) {
		node_fail(n, "the URI form has no word for alterId; leave --uri out");
		return NULL;
	}
	u.text = config_memory_take(n->reader->memory, u.cap, 1);
	put_place(&u, s);
	put_query(&u, "encryption", s->security);
	put_query(&u, "type", network_word(s));
	if (s->http_header)
		put_query(&u, "headerType", "http");
	if (s->tls)
		put_query(&u, "security", "tls");
	if (s->network != SERVER_RAW || s->http_header) {
		put_query(&u, "host", s->host);
		put_query(&u, "path", s->path);
	}
	if (s->tls)
		put_tls(&u, n, s);
	if (s->name[0]) {
		put(&u, "#");
		put_quoted(&u, s->name);
	}
	if (!u.full)
		return u.text;
	node_fail(n, "its link is longer than %d bytes", LINK_TEXT_MAX);
	return NULL;
}
