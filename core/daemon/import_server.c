/* SPDX-License-Identifier: MIT */
#include "daemon/import_server.h"

#include "base/text.h"
#include "daemon/config_members.h"

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
		s->host = config_memory_pieces(m, s->host)[0];
		s->host = s->host ? s->host : "";
	}
	tls_complete(n, s);
}

static struct json_object *
settings_print(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "address", s->address);
	member_put_number(o, "port", s->port);
	member_put_text(o, "id", s->id);
	if (s->alter_id)
		member_put_number(o, "alterId", s->alter_id);
	member_put_text(o, "security", s->security);
	if (s->authenticated_length || s->no_termination)
		member_put_text(o, "experiments",
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
		member_put(o, h->name, value);
		return;
	}
	if (!json_object_object_get_ex(o, h->name, &list)) {
		list = json_object_new_array();
		member_put(o, h->name, list);
	}
	json_object_array_add(list, value);
}

static struct json_object *
headers_print(const struct server *s, bool lists)
{
	struct json_object *o = json_object_new_object();
	size_t i;

	if (lists && s->host[0])
		member_put(o, "Host", pieces_print(s->host, ','));
	for (i = 0; i < s->nheader; i++)
		header_add(o, &s->header[i], lists);
	return o;
}

static struct json_object *
web_print(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "path", s->path);
	member_put_text(o, "host", s->host);
	member_put_filled(o, "headers", headers_print(s, false));
	if (s->early_data)
		member_put_number(o, "maxEarlyData", s->early_data);
	member_put_text(o, "earlyDataHeaderName", s->early_header);
	return o;
}

static struct json_object *
false_request_print(const struct server *s)
{
	struct json_object *raw = json_object_new_object();
	struct json_object *header = json_object_new_object();
	struct json_object *request = json_object_new_object();

	member_put_text(request, "method", s->method);
	if (s->path[0])
		member_put(request, "path", pieces_print(s->path, ','));
	member_put_filled(request, "headers", headers_print(s, true));
	member_put_text(header, "type", "http");
	member_put_filled(header, "request", request);
	member_put(raw, "header", header);
	return raw;
}

static void
trust_print(struct json_object *tls, const struct server *s)
{
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();

	if (s->certificate[0])
		member_put(o, "certificate", pieces_print(s->certificate, '\n'));
	else
		member_put_text(o, "certificateFile", s->certificate_file);
	member_put_text(o, "usage", "verify");
	json_object_array_add(list, o);
	member_put_flag(tls, "disableSystemRoot", true);
	member_put(tls, "certificates", list);
}

static struct json_object *
tls_print(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "serverName", s->server_name);
	if (s->alpn && s->alpn[0])
		member_put_texts(o, "alpn", s->alpn);
	if (s->insecure)
		member_put_flag(o, "allowInsecure", true);
	member_put_text(o, "fingerprint", s->fingerprint);
	member_put_text(o, "pinnedPeerCertSha256", s->pin);
	member_put_text(o, "minVersion", s->min_version);
	member_put_text(o, "maxVersion", s->max_version);
	if (s->certificate[0] || s->certificate_file[0])
		trust_print(o, s);
	return o;
}

static struct json_object *
sockopt_print(void)
{
	struct json_object *o = json_object_new_object();

	member_put_flag(o, "tcpFastOpen", true);
	return o;
}

static struct json_object *
stream_print(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	switch (s->network) {
	case SERVER_RAW:
		member_put_text(o, "network", "raw");
		if (s->http_header)
			member_put(o, "rawSettings", false_request_print(s));
		break;
	case SERVER_WS:
		member_put_text(o, "network", "ws");
		member_put_filled(o, "wsSettings", web_print(s));
		break;
	case SERVER_HTTPUPGRADE:
		member_put_text(o, "network", "httpupgrade");
		member_put_filled(o, "httpupgradeSettings", web_print(s));
		break;
	}
	if (s->tls) {
		member_put_text(o, "security", "tls");
		member_put_filled(o, "tlsSettings", tls_print(s));
	}
	if (s->fast_open)
		member_put(o, "sockopt", sockopt_print());
	return o;
}

struct json_object *
server_outbound(const struct server *s)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "protocol", "vmess");
	member_put(o, "settings", settings_print(s));
	member_put(o, "streamSettings", stream_print(s));
	return o;
}
