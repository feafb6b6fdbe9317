/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/import_server.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* One value at a time, as links and lists of servers carry it. */

/* Far above what any real path, name or list has. */
enum { FIELD_MAX = 16 * 1024 };

int
field_text(const struct node *n, const char **out)
{
	struct config_memory *m = n->reader->memory;
	enum json_type type = json_object_get_type(n->json);
	const char *s, *raw;
	char *clean;

	if (!n->json)
		return 0;
	if (type == json_type_object || type == json_type_array)
		return node_fail(n, "is not a single value");
	raw = json_object_get_string(n->json);
	if (type == json_type_string &&
		strlen(raw) != (size_t)json_object_get_string_len(n->json))
		return node_fail(n, "has a zero byte");
	s = config_memory_trimmed(m, raw, strlen(raw));
	if (strlen(s) > FIELD_MAX)
		return node_fail(n, "is longer than %d bytes", FIELD_MAX);
	clean = config_memory_text(m, s, strlen(s));
	text_clean(clean);
	if (strcmp(s, clean) != 0)
		return node_fail(n, "has control characters, or is not UTF-8");
	if (s[0])
		*out = s;
	return 0;
}

int
field_flag(const struct node *n, bool *out)
{
	static const char *const words[] = { "false", "0", "no", "none", "off", "true",
		"1", "yes", "on", NULL };
	enum { FIRST_TRUE = 5 };
	const char *s = NULL;
	int at;

	if (field_text(n, &s) == -1)
		return -1;
	if (!s)
		return 0;
	at = text_find(words, s);
	if (at < 0)
		return node_fail(n, "%s is not true or false", shown(s).text);
	*out = at >= FIRST_TRUE;
	return 0;
}

int
field_word(const struct node *n, const char *what, const char *const *words, int *at)
{
	const char *s = NULL;

	if (field_text(n, &s) == -1)
		return -1;
	if (!s)
		return 0;
	*at = text_find(words, s);
	if (*at < 0)
		return node_fail(n, "the %s %s is not supported", what, shown(s).text);
	return 0;
}

/* Decimal, which else is not `what`. *v stays where nothing is said. */
static int
field_number(
	const struct node *n, const char *what, uint64_t min, uint64_t max, uint64_t *v)
{
	const char *s = NULL;
	uint64_t said;

	if (field_text(n, &s) == -1)
		return -1;
	if (!s)
		return 0;
	if (!number_parse(&said, s, max) || said < min)
		return node_fail(n, "%s is not %s", shown(s).text, what);
	*v = said;
	return 0;
}

/* A name is for people only: what cannot be shown in it is no reason to refuse it. */
int
field_name(const struct node *n, struct server *s)
{
	struct config_memory *m = n->reader->memory;
	const char *raw;
	char *clean;

	if (json_object_get_type(n->json) != json_type_string)
		return 0;
	raw = json_object_get_string(n->json);
	clean = config_memory_text(m, raw, strlen(raw));
	text_clean(clean);
	s->name = config_memory_trimmed(m, clean, strlen(clean));
	return 0;
}

int
field_address(const struct node *n, struct server *s)
{
	char name[NAME_MAX_LEN + 1];
	const char *text = NULL;
	size_t len;
	struct ip ip;

	if (field_text(n, &text) == -1)
		return -1;
	if (!text)
		return node_fail(n, "is missing: the server's name or address");
	len = strlen(text);
	if (text[0] == '[' && text[len - 1] == ']')
		text = config_memory_text(n->reader->memory, text + 1, len - 2);
	if (!ip_parse(&ip, text) && !host_normal(name, sizeof(name), text, strlen(text)))
		return node_fail(
			n, "%s is not an address and not a name", shown(text).text);
	s->address = text;
	return 0;
}

int
field_port(const struct node *n, struct server *s)
{
	uint64_t v = 0;

	if (field_number(n, "a port (1-65535)", 1, UINT16_MAX, &v) == -1)
		return -1;
	if (v == 0)
		return node_fail(n, "is missing: the server's port");
	s->port = (uint16_t)v;
	return 0;
}

int
field_id(const struct node *n, struct server *s)
{
	uint8_t id[16];

	if (field_text(n, &s->id) == -1)
		return -1;
	if (!s->id || !s->id[0])
		return node_fail(n, "is missing: the user's id");
	return node_id_parse(n, s->id, id);
}

int
field_alter_id(const struct node *n, struct server *s)
{
	uint64_t v = s->alter_id;

	if (field_number(n, "a number of ids (0-65535)", 0, UINT16_MAX, &v) == -1)
		return -1;
	s->alter_id = (uint16_t)v;
	return 0;
}

int
field_security(const struct node *n, struct server *s)
{
	static const char *const words[] = { "auto", "aes-128-gcm", "chacha20-poly1305",
		"none", "zero", "chacha20-ietf-poly1305", NULL };
	const char *text = NULL;
	int at;

	if (field_text(n, &text) == -1)
		return -1;
	if (!text)
		return 0;
	at = text_find(words, text);
	if (at < 0)
		node_warn(n, "%s is no cipher of today; auto is taken", shown(text).text);
	/* Clash knows one of them by two names. */
	s->security = at < 0 ? words[0] : at == 5 ? words[2] : words[at];
	return 0;
}

int
field_transport(const struct node *n, struct server *s)
{
	static const char *const words[] = { "tcp", "raw", "ws", "websocket",
		"httpupgrade", NULL };
	static const enum server_network meant[] = { SERVER_RAW, SERVER_RAW, SERVER_WS,
		SERVER_WS, SERVER_HTTPUPGRADE };
	int at = -1;

	if (field_word(n, "transport", words, &at) == -1)
		return -1;
	if (at >= 0)
		s->network = meant[at];
	return 0;
}

int
field_path(const struct node *n, struct server *s)
{
	return field_text(n, &s->path);
}

int
field_early_data(const struct node *n, struct server *s)
{
	uint64_t v = s->early_data;

	if (field_number(n, "a number of bytes", 0, UINT32_MAX, &v) == -1)
		return -1;
	if (v > HTTP_EARLY_MAX)
		node_warn(n, "early data of %llu bytes: at most %d go with the request",
			(unsigned long long)v, HTTP_EARLY_MAX);
	s->early_data = v < HTTP_EARLY_MAX ? (uint32_t)v : HTTP_EARLY_MAX;
	return 0;
}

int
field_joined(const struct node *n, const char **out)
{
	const char *one;
	char joined[FIELD_MAX + 1] = "";
	size_t i, len = 0, more;

	for (i = 0; i < node_count(n); i++) {
		struct node at = node_at(n, i);

		one = NULL;
		if (field_text(&at, &one) == -1)
			return -1;
		if (!one)
			continue;
		more = strlen(one);
		if (len + 1 + more > FIELD_MAX)
			return node_fail(n, "is longer than %d bytes", FIELD_MAX);
		if (len)
			joined[len++] = ',';
		memcpy(joined + len, one, more + 1);
		len += more;
	}
	if (len)
		*out = config_memory_text(n->reader->memory, joined, len);
	return 0;
}

int
field_alpn(const struct node *n, struct server *s)
{
	const char *text = NULL;

	if (field_joined(n, &text) == -1)
		return -1;
	if (text)
		s->alpn = config_memory_pieces(n->reader->memory, text);
	return 0;
}

/* RFC 9110, 5.6.2: what a header may be called. */
static bool
is_token(const char *s)
{
	static const char letters[] = "!#$%&'*+-.^_`|~0123456789"
				      "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *s && s[strspn(s, letters)] == '\0';
}

static int
header_read(const struct node *n, void *arg)
{
	struct server *s = arg;
	size_t i;

	if (strcasecmp(n->key, "host") == 0)
		return field_joined(n, &s->host);
	if (!is_token(n->key))
		return node_fail(n, "is not a name of a header");
	for (i = 0; i < node_count(n); i++) {
		struct node at = node_at(n, i);
		const char *value = NULL;

		if (field_text(&at, &value) == -1)
			return -1;
		if (!value)
			continue;
		if (s->nheader == SERVER_HEADERS_MAX)
			return node_fail(n, "more than %d headers", SERVER_HEADERS_MAX);
		s->header[s->nheader].name = config_memory_text(
			n->reader->memory, n->key, strlen(n->key));
		s->header[s->nheader++].value = value;
	}
	return 0;
}

/* v2ray 5 and some others write [{ "key": ..., "value": ... }]. */
int
field_headers(const struct node *n, struct server *s)
{
	size_t i;

	if (!node_is_list(n))
		return node_each(n, header_read, s);
	for (i = 0; i < node_count(n); i++) {
		struct node at = node_at(n, i);
		struct node key = node_get(&at, "key"), value = node_get(&at, "value");
		const char *name = NULL;

		if (field_text(&key, &name) == -1)
			return -1;
		if (!name)
			continue;
		value.key = name;
		if (header_read(&value, s) == -1)
			return -1;
	}
	return 0;
}
