/* SPDX-License-Identifier: MIT */
#include "daemon/import_server.h"

#include "base/text.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void
server_init(struct server *s)
{
	*s = (struct server){
		.name = "",
		.address = "",
		.id = "",
		.security = "auto",
		.method = "",
		.host = "",
		.path = "",
		.early_header = "",
		.server_name = "",
		.fingerprint = "",
		.pin = "",
		.min_version = "",
		.max_version = "",
		.certificate = "",
		.certificate_file = "",
	};
}

/* Of "a.example:8443,b.example" the name that a certificate may have. */
static const char *
host_name(struct config_memory *m, const char *host)
{
	size_t len = strcspn(host, ",");
	struct ip ip;
	char *name = config_memory_text(m, host, len);

	if (!ip_parse(&ip, name))
		name[strcspn(name, ":")] = '\0';
	return name;
}

/* The handshake ends with a request of HTTP/1.1, so nothing else may be agreed on. */
static void
alpn_complete(const struct node *n, struct server *s)
{
	static const char *const only[] = { "http/1.1", NULL };
	size_t i;

	if (!s->alpn || s->network == SERVER_RAW)
		return;
	for (i = 0; s->alpn[i]; i++) {
		if (strcmp(s->alpn[i], only[0]) == 0)
			continue;
		node_warn(n, "alpn %s cannot carry %s; http/1.1 is asked for",
			shown(s->alpn[i]).text,
			s->network == SERVER_WS ? "WebSocket" : "HTTPUpgrade");
		break;
	}
	s->alpn = only;
}

static void
tls_complete(const struct node *n, struct server *s)
{
	if (!s->tls) {
		if (s->insecure)
			node_warn(n,
				"there is no TLS, so that its certificate is not "
				"checked says nothing; left out");
		if (s->fingerprint[0])
			node_warn(n,
				"there is no TLS, so its fingerprint %s says "
				"nothing; left out",
				shown(s->fingerprint).text);
		return;
	}
	if (!s->server_name[0] && s->host[0])
		s->server_name = host_name(n->reader->memory, s->host);
	alpn_complete(n, s);
	if (s->insecure)
		node_warn(n,
			"the server's certificate will not be checked: whoever "
			"is on the way can read along");
	if (s->fingerprint[0])
		node_warn(n,
			"the fingerprint %s is carried over, but the handshake "
			"of a browser is not imitated",
			shown(s->fingerprint).text);
	if (s->server_name[0] == '[' && s->server_name[strlen(s->server_name) - 1] == ']')
		s->server_name = config_memory_text(n->reader->memory, s->server_name + 1,
			strlen(s->server_name) - 2);
}

void
server_complete(const struct node *n, struct server *s)
{
	struct config_memory *m = n->reader->memory;
	size_t len = strlen(s->path);
	char *path;

	if (s->network != SERVER_RAW && len && s->path[0] != '/') {
		path = config_memory_take(m, len + 2, 1);
		path[0] = '/';
		memcpy(path + 1, s->path, len);
		s->path = path;
	}
	if (s->network != SERVER_RAW && strchr(s->host, ',')) {
		node_warn(n, "of the hosts %s the first is taken", shown(s->host).text);
		s->host = field_pieces(m, s->host)[0];
		s->host = s->host ? s->host : "";
	}
	tls_complete(n, s);
}

/* Takes the reference to the object. */
static void
object_add(struct json_object *o, const char *key, struct json_object *member)
{
	if (json_object_object_length(member))
		json_object_object_add(o, key, member);
	else
		json_object_put(member);
}

static void
text_add(struct json_object *o, const char *key, const char *text)
{
	if (text[0])
		json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *
settings_print(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	text_add(o, "address", s->address);
	json_object_object_add(o, "port", json_object_new_int(s->port));
	text_add(o, "id", s->id);
	if (s->alter_id)
		json_object_object_add(o, "alterId", json_object_new_int(s->alter_id));
	text_add(o, "security", s->security);
	if (s->authenticated_length || s->no_termination)
		text_add(o, "experiments",
			!s->no_termination ? "AuthenticatedLength"
				: !s->authenticated_length
				? "NoTerminationSignal"
				: "AuthenticatedLength|NoTerminationSignal");
	return o;
}

static struct json_object *
pieces_print(const char *s, char between)
{
	const char ends[2] = { between, '\0' };
	struct json_object *list = json_object_new_array();
	size_t len;

	for (; *s; s += len + (s[len] == between)) {
		len = strcspn(s, ends);
		if (len)
			json_object_array_add(
				list, json_object_new_string_len(s, (int)len));
	}
	return list;
}

/* A false request has a list of values for each name; elsewhere the last one counts. */
static void
header_add(struct json_object *o, const struct server_header *h, bool lists)
{
	struct json_object *value = json_object_new_string(h->value), *list = NULL;

	if (!lists) {
		json_object_object_add(o, h->name, value);
		return;
	}
	if (!json_object_object_get_ex(o, h->name, &list)) {
		list = json_object_new_array();
		json_object_object_add(o, h->name, list);
	}
	json_object_array_add(list, value);
}

static struct json_object *
headers_print(const struct server *s, bool lists)
{
	struct json_object *o = json_object_new_object();
	size_t i;

	if (lists && s->host[0])
		json_object_object_add(o, "Host", pieces_print(s->host, ','));
	for (i = 0; i < s->nheader; i++)
		header_add(o, &s->header[i], lists);
	return o;
}

static struct json_object *
web_print(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	text_add(o, "path", s->path);
	text_add(o, "host", s->host);
	object_add(o, "headers", headers_print(s, false));
	if (s->early_data)
		json_object_object_add(
			o, "maxEarlyData", json_object_new_int64(s->early_data));
	text_add(o, "earlyDataHeaderName", s->early_header);
	return o;
}

static struct json_object *
false_request_print(const struct server *s)
{
	struct json_object *raw = json_object_new_object();
	struct json_object *header = json_object_new_object();
	struct json_object *request = json_object_new_object();

	text_add(request, "method", s->method);
	if (s->path[0])
		json_object_object_add(request, "path", pieces_print(s->path, ','));
	object_add(request, "headers", headers_print(s, true));
	text_add(header, "type", "http");
	object_add(header, "request", request);
	json_object_object_add(raw, "header", header);
	return raw;
}

static void
trust_print(struct json_object *tls, const struct server *s)
{
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();

	if (s->certificate[0])
		json_object_object_add(
			o, "certificate", pieces_print(s->certificate, '\n'));
	else
		text_add(o, "certificateFile", s->certificate_file);
	text_add(o, "usage", "verify");
	json_object_array_add(list, o);
	json_object_object_add(tls, "disableSystemRoot", json_object_new_boolean(true));
	json_object_object_add(tls, "certificates", list);
}

static struct json_object *
tls_print(const struct server *s)
{
	struct json_object *o = json_object_new_object(), *list;
	size_t i;

	text_add(o, "serverName", s->server_name);
	if (s->alpn && s->alpn[0]) {
		list = json_object_new_array();
		for (i = 0; s->alpn[i]; i++)
			json_object_array_add(list, json_object_new_string(s->alpn[i]));
		json_object_object_add(o, "alpn", list);
	}
	if (s->insecure)
		json_object_object_add(o, "allowInsecure", json_object_new_boolean(true));
	text_add(o, "fingerprint", s->fingerprint);
	text_add(o, "pinnedPeerCertSha256", s->pin);
	text_add(o, "minVersion", s->min_version);
	text_add(o, "maxVersion", s->max_version);
	if (s->certificate[0] || s->certificate_file[0])
		trust_print(o, s);
	return o;
}

static struct json_object *
sockopt_print(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "tcpFastOpen", json_object_new_boolean(true));
	return o;
}

static struct json_object *
stream_print(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	switch (s->network) {
	case SERVER_RAW:
		text_add(o, "network", "raw");
		if (s->http_header)
			json_object_object_add(o, "rawSettings", false_request_print(s));
		break;
	case SERVER_WS:
		text_add(o, "network", "ws");
		object_add(o, "wsSettings", web_print(s));
		break;
	case SERVER_HTTPUPGRADE:
		text_add(o, "network", "httpupgrade");
		object_add(o, "httpupgradeSettings", web_print(s));
		break;
	}
	if (s->tls) {
		text_add(o, "security", "tls");
		object_add(o, "tlsSettings", tls_print(s));
	}
	if (s->fast_open)
		json_object_object_add(o, "sockopt", sockopt_print());
	return o;
}

struct json_object *
server_outbound(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	text_add(o, "protocol", "vmess");
	json_object_object_add(o, "settings", settings_print(s));
	json_object_object_add(o, "streamSettings", stream_print(s));
	return o;
}
