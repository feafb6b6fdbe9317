/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <string.h>
#include <strings.h>

/*
 * Xray's and V2Ray's own schema.  An outbound that can be used is taken over as
 * it stands: the configuration that is made has the same schema, and what is
 * read here is only looked at.
 */

static int
user_read(const struct node *user, struct server *s)
{
	struct node id = node_get(user, "id"), uuid = node_get(user, "uuid");
	struct node alter = node_get(user, "alterId");
	struct node security = node_get(user, "security");
	struct node experiments = node_get(user, "experiments");
	const char *text = "";

	/* v2ray 5 calls it uuid. */
	if (field_id(id.json ? &id : &uuid, s) == -1 || field_alter_id(&alter, s) == -1 ||
		field_security(&security, s) == -1 ||
		field_text(&experiments, &text) == -1)
		return -1;
	s->authenticated_length = strstr(text, "AuthenticatedLength") != NULL;
	s->no_termination = strstr(text, "NoTerminationSignal") != NULL;
	return 0;
}

static int
server_read(const struct node *server, struct server *s)
{
	struct node address = node_get(server, "address");
	struct node port = node_get(server, "port");

	/* What is no address and no name is warned of where the result is checked. */
	if (field_text(&address, &s->address) == -1)
		return -1;
	if (!s->address[0])
		return node_fail(&address, "is missing: the server's name or address");
	return field_port(&port, s);
}

static int
settings_read(const struct node *out, struct server *s)
{
	struct node settings = node_get(out, "settings");
	struct node address = node_get(&settings, "address");
	struct node vnext = node_get(&settings, "vnext");
	struct node server = node_at(&vnext, 0);
	struct node users = node_get(&server, "users"), user = node_at(&users, 0);

	if (address.json || !vnext.json)
		return server_read(&settings, s) == -1 ? -1 : user_read(&settings, s);
	return server_read(&server, s) == -1 ? -1 : user_read(&user, s);
}

/* `method` is Xray's newer word and wins over `network`; `transport` is v2ray 5's. */
static struct node
network_find(const struct node *stream)
{
	struct node n = node_get(stream, "method");

	if (!n.json)
		n = node_get(stream, "network");
	if (!n.json)
		n = node_get(stream, "transport");
	return n;
}

/* The settings by their own name, or as v2ray 5 calls those of any kind. */
static struct node
settings_find(
	const struct node *stream, const char *name, const char *other, const char *v5)
{
	struct node n = node_get(stream, name);

	if (!n.json && other)
		n = node_get(stream, other);
	if (!n.json)
		n = node_get(stream, v5);
	return n;
}

static int
web_read(const struct node *n, struct server *s)
{
	struct node path = node_get(n, "path"), host = node_get(n, "host");
	struct node headers = node_get(n, "headers"), header = node_get(n, "header");
	struct node early = node_get(n, "maxEarlyData");
	struct node early_header = node_get(n, "earlyDataHeaderName");

	if (field_headers(&header, s) == -1 || field_headers(&headers, s) == -1 ||
		field_text(&host, &s->host) == -1 || field_path(&path, s) == -1 ||
		field_early_data(&early, s) == -1)
		return -1;
	return field_text(&early_header, &s->early_header);
}

static int
raw_read(const struct node *n, struct server *s)
{
	static const char *const words[] = { "none", "http", NULL };
	struct node header = node_get(n, "header"), type = node_get(&header, "type");
	struct node request = node_get(&header, "request");
	struct node method = node_get(&request, "method");
	struct node path = node_get(&request, "path");
	struct node headers = node_get(&request, "headers");
	int at = 0;

	if (field_word(&type, "header", words, &at) == -1)
		return -1;
	s->http_header = at > 0;
	if (!s->http_header)
		return 0;
	if (field_text(&method, &s->method) == -1 || field_joined(&path, &s->path) == -1)
		return -1;
	return field_headers(&headers, s);
}

static int
tls_read(const struct node *n, struct server *s)
{
	struct node name = node_get(n, "serverName"), alpn = node_get(n, "alpn");
	struct node next = node_get(n, "nextProtocol");
	struct node insecure = node_get(n, "allowInsecure");
	struct node print = node_get(n, "fingerprint");
	struct node pin = node_get(n, "pinnedPeerCertSha256");

	if (field_text(&name, &s->server_name) == -1 ||
		field_alpn(alpn.json ? &alpn : &next, s) == -1 ||
		field_flag(&insecure, &s->insecure) == -1 ||
		field_text(&print, &s->fingerprint) == -1)
		return -1;
	return field_joined(&pin, &s->pin);
}

static int
security_read(const struct node *stream, struct server *s)
{
	static const char *const words[] = { "none", "tls", "utls", NULL };
	struct node n = node_get(stream, "security");
	struct node tls = settings_find(stream, "tlsSettings", NULL, "securitySettings");
	int at = 0;

	if (field_word(&n, "security", words, &at) == -1)
		return -1;
	s->tls = at > 0;
	return s->tls ? tls_read(&tls, s) : 0;
}

static int
transport_read(const struct node *out, struct server *s)
{
	struct node stream = node_get(out, "streamSettings");
	struct node network = network_find(&stream), settings;

	if (field_transport(&network, s) == -1)
		return -1;
	switch (s->network) {
	case SERVER_RAW:
		settings = settings_find(
			&stream, "rawSettings", "tcpSettings", "transportSettings");
		return raw_read(&settings, s) == -1 ? -1 : security_read(&stream, s);
	case SERVER_WS:
		settings = settings_find(
			&stream, "wsSettings", NULL, "transportSettings");
		break;
	case SERVER_HTTPUPGRADE:
		settings = settings_find(
			&stream, "httpupgradeSettings", NULL, "transportSettings");
		break;
	}
	return web_read(&settings, s) == -1 ? -1 : security_read(&stream, s);
}

/* A server that is reached through another outbound is not reached without it. */
static int
chain_refuse(const struct node *out)
{
	struct node proxy = node_get(out, "proxySettings");
	struct node tag = node_get(&proxy, "tag");
	struct node stream = node_get(out, "streamSettings");
	struct node sockopt = node_get(&stream, "sockopt");
	struct node dialer = node_get(&sockopt, "dialerProxy");

	if (!node_is_empty(&tag))
		return node_fail(
			&tag, "a chain through another outbound is not supported");
	if (!node_is_empty(&dialer))
		return node_fail(
			&dialer, "a chain through another outbound is not supported");
	return 0;
}

int
xray_server_read(const struct node *out, struct server *s)
{
	struct node tag = node_get(out, "tag");

	server_init(s);
	if (field_name(&tag, s) == -1 || settings_read(out, s) == -1)
		return -1;
	return transport_read(out, s) == -1 ? -1 : chain_refuse(out);
}

/* What an outbound has but for what this program does not do yet. */
static struct json_object *
outbound_copy(const struct node *out)
{
	struct node mux = node_get(out, "mux"), on = node_get(&mux, "enabled");
	struct json_object *o = json_object_new_object();
	bool enabled = false;

	if (field_flag(&on, &enabled) == 0 && enabled)
		node_warn(&mux, "is not carried over; connections go one by one");
	json_object_object_foreach(out->json, key, value)
	{
		if (strcasecmp(key, "mux") != 0)
			json_object_object_add(o, key, json_object_get(value));
	}
	return o;
}

void
import_xray_outbound(struct import *im, const struct node *out)
{
	static const char *const local[] = { "freedom", "blackhole", "dns", "direct",
		"block", "loopback", NULL };
	struct node protocol = node_get(out, "protocol");
	struct server s;

	if (!node_is_object(out) || !import_is_vmess(im, &protocol, "outbounds", local))
		return;
	if (xray_server_read(out, &s) == -1)
		import_skip(im);
	else
		import_add_outbound(im, out, s.name, outbound_copy(out));
}

void
import_xray(struct import *im, const struct node *root)
{
	/* In the order of v2ray 4, in which the first is the default. */
	static const char *const lists[] = { "outbound", "outboundDetour", "outbounds" };
	static const char *const rest[] = { "routing", "dns", "policy", "reverse",
		"fakedns", "observatory", "sluice", NULL };
	struct node transport = node_get(root, "transport");
	size_t i, k;

	import_leave_out(root, rest);
	if (!node_is_empty(&transport))
		im->transport = json_object_get(transport.json);
	for (k = 0; k < sizeof(lists) / sizeof(*lists); k++) {
		struct node list = node_get(root, lists[k]);

		for (i = 0; i < node_count(&list); i++) {
			struct node out = node_at(&list, i);

			import_xray_outbound(im, &out);
		}
	}
}
