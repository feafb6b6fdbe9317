/* SPDX-License-Identifier: MIT */
#include "daemon/export.h"

#include "base/bytes.h"
#include "base/text.h"
#include "daemon/export_link.h"
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char no_word[] = "a link has no word for this; left out";

/* Members that a link can say. */
struct carried {
	const char *const *words;
};

static int
member_lost(const struct node *n, void *arg)
{
	const struct carried *c = arg;

	if (!node_is_empty(n) && text_find(c->words, n->key) < 0)
		node_warn(n, "%s", no_word);
	return 0;
}

static void
lost_say(const struct node *n, const char *const *words)
{
	struct carried c = { words };

	node_each(n, member_lost, &c);
}

/* The objects for the transport that is used. */
static void
transport_lost(const struct node *stream, const struct server *s)
{
	static const char *const web[] = { "path", "host", "headers", "header",
		"maxEarlyData", "earlyDataHeaderName", NULL };
	static const char *const raw[] = { "header", NULL };
	struct node n;

	switch (s->network) {
	case SERVER_RAW:
		n = node_get(stream, "rawSettings");
		lost_say(&n, raw);
		n = node_get(stream, "tcpSettings");
		lost_say(&n, raw);
		break;
	case SERVER_WS:
		n = node_get(stream, "wsSettings");
		lost_say(&n, web);
		break;
	case SERVER_HTTPUPGRADE:
		n = node_get(stream, "httpupgradeSettings");
		lost_say(&n, web);
		break;
	}
}

static void
stream_lost(const struct node *out, const struct server *s)
{
	static const char *const tls[] = { "serverName", "alpn", "nextProtocol",
		"allowInsecure", "fingerprint", "pinnedPeerCertSha256", NULL };
	struct node stream = node_get(out, "streamSettings");
	struct node sockopt = node_get(&stream, "sockopt");
	struct node n = node_get(&stream, "tlsSettings");

	if (s->tls)
		lost_say(&n, tls);
	if (!node_is_empty(&sockopt))
		node_warn(&sockopt, "%s", no_word);
	transport_lost(&stream, s);
}

static void
list_lost(const struct node *up, const char *key)
{
	struct node n = node_get(up, key);

	if (node_count(&n) > 1)
		node_warn(&n, "a link has one of these; the first of %zu is taken",
			node_count(&n));
}

/* What the outbound has and a link cannot say. */
static void
outbound_lost(const struct node *out, const struct server *s)
{
	struct node settings = node_get(out, "settings");
	struct node vnext = node_get(&settings, "vnext"), first = node_at(&vnext, 0);
	struct node mux = node_get(out, "mux"), on = node_get(&mux, "enabled");
	struct node source = node_get(out, "sendThrough");

	if (!node_is_empty(&source))
		node_warn(&source, "%s", no_word);
	if (!node_is_empty(&on))
		node_warn(&mux, "%s", no_word);
	list_lost(&settings, "vnext");
	list_lost(&first, "users");
	if (s->authenticated_length || s->no_termination)
		node_warn(&settings, "experiments: %s", no_word);
	if (s->nheader || s->method[0])
		node_warn(out, "headers and methods of HTTP: %s", no_word);
	stream_lost(out, s);
}

static bool
is_wanted(const struct node *out, const char *tag)
{
	struct node protocol = node_get(out, "protocol"), n = node_get(out, "tag");
	const char *text = "", *own = "";

	if (field_text(&protocol, &text) == -1 || field_text(&n, &own) == -1)
		return false;
	return tag ? strcmp(own, tag) == 0 : strcasecmp(text, "vmess") == 0;
}

/* The outbound of that tag, as a node that its list in `list` holds up. */
static bool
outbound_find(
	const struct node *root, const char *tag, struct node *list, struct node *out)
{
	static const char *const lists[] = { "outbound", "outboundDetour", "outbounds" };
	size_t i, k;

	for (k = 0; k < sizeof(lists) / sizeof(*lists); k++) {
		*list = node_get(root, lists[k]);
		for (i = 0; i < node_count(list); i++) {
			*out = node_at(list, i);
			if (is_wanted(out, tag))
				return true;
		}
	}
	return false;
}

static int
server_find(const struct node *root, const char *tag, struct server *s)
{
	struct node list, out, protocol;
	const char *kind = "";

	if (!outbound_find(root, tag, &list, &out))
		return tag
			? node_fail(root, "no outbound has the tag %s", shown(tag).text)
			: node_fail(root, "has no VMess outbound");
	protocol = node_get(&out, "protocol");
	if (field_text(&protocol, &kind) == -1)
		return -1;
	if (strcasecmp(kind, "vmess") != 0)
		return node_fail(
			&protocol, "only vmess has links, not %s", shown(kind).text);
	if (xray_server_read(&out, s) == -1)
		return -1;
	outbound_lost(&out, s);
	export_path_complete(&out, s);
	return 0;
}

static int
link_make(const struct export_request *r, const struct node *root, char **link)
{
	const char *text = NULL;
	struct server s;

	if (server_find(root, r->tag, &s) == -1)
		return -1;
	text = r->uri ? export_uri(root, &s) : export_object(root, &s);
	if (!text)
		return -1;
	*link = strdup(text);
	return *link ? 0 : node_fail(root, "no memory");
}

int
export_read(const struct export_request *r, struct config_say *say, char **link,
	struct err *e)
{
	struct config_reader reader = { .file = r->file, .say = say, .err = e };
	struct node root = { .reader = &reader };
	int result;

	root.json = import_json(r->file, r->text, r->len, e);
	if (!root.json)
		return -1;
	reader.memory = config_memory_new();
	result = link_make(r, &root, link);
	config_memory_free(reader.memory);
	json_object_put(root.json);
	return result;
}

void
export_free(char *link)
{
	if (link)
		bytes_wipe(link, strlen(link));
	free(link);
}
