/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"
#include "daemon/config_stream.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What lies between TCP and VMess, but for TLS: WebSocket, HTTPUpgrade, and the false HTTP
 * head of raw TCP. */

/* Headers as they are collected. */
struct headers {
	const struct node *settings;
	struct http_request *request;
	struct http_field *field;
};

static int
header_add(struct headers *h, const struct node *n, const char *name, const char *value)
{
	struct http_field *f = &h->field[h->request->nfields];
	struct err e;

	if (strcasecmp(name, "Host") == 0) {
		if (!h->request->host || !*h->request->host)
			h->request->host = value;
		return 0;
	}
	if (h->request->nfields == HTTP_FIELDS_MAX)
		return node_fail(n, "more than %d headers", HTTP_FIELDS_MAX);
	f->name = name;
	f->value = value;
	if (http_field_check(f, &e) < 0)
		return node_fail(n, "%s", e.text);
	h->request->nfields++;
	return 0;
}

/* "Name": "value", or a list of values, each in a line of its own. */
static int
header_read(const struct node *n, void *arg)
{
	const char *value = "", *name;
	size_t i;

	name = config_memory_text(n->reader->memory, n->key, strlen(n->key));
	for (i = 0; i < node_count(n); i++) {
		struct node at = node_at(n, i);

		if (node_text(&at, &value) == -1 ||
			header_add(arg, &at, name, value) == -1)
			return -1;
	}
	return 0;
}

/* { "key": "Name", "value": "value" }, as v2ray 5 has it. */
static int
pair_read(const struct node *n, struct headers *h)
{
	static const struct key keys[] = { { "key", KEY_READ }, { "value", KEY_READ },
		{ NULL } };
	struct node key = node_get(n, "key"), value = node_get(n, "value");
	const char *k = "", *v = "";

	if (node_keys(n, keys) == -1 || node_text(&key, &k) == -1 ||
		node_text(&value, &v) == -1)
		return -1;
	return header_add(h, n, k, v);
}

static int
headers_read(const struct node *settings, struct http_request *q)
{
	struct config_memory *m = settings->reader->memory;
	struct headers h = { settings, q, NULL };
	struct node object = node_get(settings, "headers");
	struct node list = node_get(settings, "header");
	size_t i;

	if (object.json && !node_is_object(&object))
		return node_fail(&object, "is not an object of headers");
	if (!object.json && !list.json)
		return 0;
	h.field = config_memory_take(m, HTTP_FIELDS_MAX, sizeof(*h.field));
	q->fields = h.field;
	if (node_each(&object, header_read, &h) == -1)
		return -1;
	for (i = 0; i < node_count(&list); i++) {
		struct node n = node_at(&list, i);

		if (pair_read(&n, &h) == -1)
			return -1;
	}
	return 0;
}

/* More than servers take is no harm: less of the first bytes goes with the request. */
static size_t
early_bounded(const struct node *n, uint64_t asked)
{
	if (asked <= HTTP_EARLY_MAX)
		return (size_t)asked;
	node_warn(n, "early data of %llu bytes: at most %d go with the request",
		(unsigned long long)asked, HTTP_EARLY_MAX);
	return HTTP_EARLY_MAX;
}

/* What is no number asks for none, as in Xray. */
static size_t
early_parse(const struct node *n, const char *text)
{
	uint64_t asked = 0;

	if (*text && !number_parse(&asked, text, UINT64_MAX))
		node_warn(n, "ed is not a number of bytes: %s; no early data is sent",
			shown(text).text);
	return early_bounded(n, asked);
}

/*
 * Takes `ed=N` out of the query of a path, and answers N: how Xray, and the links of
 * nearly everybody, ask for early data.
 */
static size_t
path_cut_early(const struct node *n, char *path)
{
	char *query = strchr(path, '?'), *p = query, *end;
	const char *number;

	while (p && strncmp(p + 1, "ed=", 3) != 0)
		p = strchr(p + 1, '&');
	if (!p)
		return 0;
	end = p + 4 + strcspn(p + 4, "&");
	number = config_memory_text(n->reader->memory, p + 4, (size_t)(end - (p + 4)));
	/* "?ed=1&a=b" keeps its question mark, "?a=b&ed=1" loses the ampersand. */
	if (*end == '&')
		memmove(p + 1, end + 1, strlen(end + 1) + 1);
	else
		memmove(p, end, strlen(end) + 1);
	return early_parse(n, number);
}

static int
path_read(const struct node *settings, struct http_request *q, size_t *early)
{
	struct node n = node_get(settings, "path");
	const char *s = "";
	char *path;

	if (node_text(&n, &s) == -1)
		return -1;
	path = config_memory_take(n.reader->memory, strlen(s) + 2, 1);
	snprintf(path, strlen(s) + 2, "%s%s", *s == '/' ? "" : "/", s);
	q->path = path;
	*early = path_cut_early(&n, path);
	return 0;
}

/* v2ray's way to say it wins over the path's. */
static int
early_read(const struct node *settings, enum carrier_kind kind, size_t by_path,
	struct http_request *q)
{
	struct node max = node_get(settings, "maxEarlyData");
	struct node name = node_get(settings, "earlyDataHeaderName");
	uint64_t n = 0;

	q->early_name = "";
	if (node_number(&max, "a number of bytes", 0, UINT32_MAX, &n) == -1 ||
		node_text(&name, &q->early_name) == -1)
		return -1;
	q->early_max = early_bounded(&max, n);
	q->early_rule = HTTP_EARLY_PART;
	if (n > 0 && kind == CARRIER_HTTPUPGRADE && !*q->early_name)
		return node_fail(&max, "HTTPUpgrade needs earlyDataHeaderName for it");
	if (n > 0 || by_path == 0)
		return 0;
	/* Xray's HTTPUpgrade only does not wait for the answer, which loses bytes. */
	if (kind == CARRIER_HTTPUPGRADE)
		return 0;
	q->early_max = by_path;
	q->early_name = "Sec-WebSocket-Protocol";
	q->early_rule = HTTP_EARLY_WHOLE;
	return 0;
}

static int
upgrade_read(const struct node *settings, struct carrier_spec *c)
{
	static const struct key keys[] = {
		{ "path", KEY_READ },
		{ "host", KEY_READ },
		{ "headers", KEY_READ },
		{ "header", KEY_READ },
		{ "maxEarlyData", KEY_READ },
		{ "earlyDataHeaderName", KEY_READ },
		{ "heartbeatPeriod", KEY_IDLE, "no pings are sent by sluice" },
		{ "acceptProxyProtocol", KEY_SILENT },
		{ "parseXForwardedFor", KEY_SILENT },
		{ "useBrowserForwarding", KEY_REFUSED,
			"connections through a browser are not supported" },
		{ "connectionReuse", KEY_SILENT },
		{ NULL },
	};
	struct http_request *q = &c->request;
	struct node host = node_get(settings, "host");
	size_t early = 0;
	struct http_request probe;
	struct err e;

	if (node_keys(settings, keys) == -1 || node_text(&host, &q->host) == -1 ||
		headers_read(settings, q) == -1 || path_read(settings, q, &early) == -1 ||
		early_read(settings, c->kind, early, q) == -1)
		return -1;
	probe = *q;
	if (!probe.host || !*probe.host)
		probe.host = "host.invalid";
	if (http_request_check(&probe, &e) < 0)
		return node_fail(settings, "%s", e.text);
	return 0;
}

/* A list for httphead; absent leaves it alone. */
static int
list_read(const struct node *n, struct httphead_list *list)
{
	const char *const *texts = NULL;

	if (node_texts(n, &texts) == -1)
		return -1;
	if (!texts || !texts[0])
		return 0;
	list->text = texts;
	for (list->n = 0; texts[list->n]; list->n++)
		if (list->n == HTTPHEAD_LIST_MAX)
			return node_fail(n, "more than %d of them", HTTPHEAD_LIST_MAX);
	return 0;
}

/* Values of one field; a single string is one, commas and all. */
static int
field_read(const struct node *n, void *arg)
{
	struct config_memory *m = n->reader->memory;
	struct httphead_spec *h = arg;
	struct httphead_field *f = (struct httphead_field *)&h->fields[h->nfields];
	const char **text;
	size_t i;

	if (h->nfields == HTTPHEAD_LIST_MAX || node_count(n) > HTTPHEAD_LIST_MAX)
		return node_fail(n, "more than %d of them", HTTPHEAD_LIST_MAX);
	text = config_memory_take(m, node_count(n) + 1, sizeof(*text));
	f->name = config_memory_text(m, n->key, strlen(n->key));
	f->values.text = text;
	for (i = 0; i < node_count(n); i++) {
		struct node at = node_at(n, i);

		text[f->values.n] = NULL;
		if (node_text(&at, &text[f->values.n]) == -1)
			return -1;
		f->values.n += text[f->values.n] != NULL;
	}
	h->nfields++;
	return 0;
}

static int
fields_read(const struct node *request, struct httphead_spec *h)
{
	struct node n = node_get(request, "headers");
	struct config_memory *m = n.reader->memory;

	if (!n.json || node_is_empty(&n))
		return 0;
	if (!node_is_object(&n))
		return node_fail(&n, "is not an object of headers");
	h->fields = config_memory_take(m, HTTPHEAD_LIST_MAX, sizeof(*h->fields));
	h->nfields = 0;
	return node_each(&n, field_read, h);
}

/* The response is the server's; ours takes any. */
static int
false_head_read(const struct node *header, struct httphead_spec *h)
{
	static const struct key header_keys[] = { { "type", KEY_READ },
		{ "request", KEY_READ }, { "response", KEY_SILENT }, { NULL } };
	static const struct key keys[] = { { "version", KEY_READ },
		{ "method", KEY_READ }, { "path", KEY_READ }, { "uri", KEY_READ },
		{ "headers", KEY_READ }, { NULL } };
	struct node request = node_get(header, "request");
	struct node version = node_get(&request, "version");
	struct node method = node_get(&request, "method");
	struct node path = node_get(&request, "path");
	struct err e;

	*h = httphead_default;
	if (node_keys(header, header_keys) == -1 || node_keys(&request, keys) == -1 ||
		node_text(&version, &h->version) == -1 ||
		node_text(&method, &h->method) == -1 ||
		list_read(&path, &h->paths) == -1 || fields_read(&request, h) == -1)
		return -1;
	if (httphead_check(h, &e) < 0)
		return node_fail(&request, "%s", e.text);
	return 0;
}

static int
raw_read(const struct node *settings, struct carrier_spec *c)
{
	static const struct key keys[] = {
		{ "header", KEY_READ },
		{ "headerSettings", KEY_READ },
		{ "acceptProxyProtocol", KEY_SILENT },
		{ "connectionReuse", KEY_SILENT },
		{ NULL },
	};
	static const char *const types[] = { "none", "http", NULL };
	struct node header = node_get(settings, "header");
	struct node type = node_get(&header, "type");
	struct node newer = node_get(settings, "headerSettings");
	const char *s = "";
	int i = 0;

	if (node_keys(settings, keys) == -1 || node_word(&type, types, &i, &s) == -1)
		return -1;
	if (!node_is_empty(&newer))
		return node_refuse(&newer, "a header of v2ray 5 is not supported");
	if (i < 0 && s[0])
		return node_refuse(
			&type, "the header %s is not supported", shown(s).text);
	if (i != 1)
		return 0;
	c->kind = CARRIER_HTTP_HEAD;
	return false_head_read(&header, &c->head);
}

int
config_read_carrier(const struct node *settings, struct carrier_spec *c)
{
	if (c->kind == CARRIER_RAW)
		return raw_read(settings, c);
	return upgrade_read(settings, c);
}
