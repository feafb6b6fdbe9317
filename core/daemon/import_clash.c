/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <string.h>
#include <strings.h>

/* Clash's and mihomo's configuration (YAML, or the same as JSON): its VMess proxies. */

static const char lost[] = "is not carried over";
static const char as_vmess[] = "is not carried over; UDP goes as plain VMess has it";
static const char chain[] = "a chain through another proxy is not supported";

static const struct key proxy_keys[] = {
	{ "type", KEY_READ },
	{ "name", KEY_READ },
	{ "server", KEY_READ },
	{ "port", KEY_READ },
	{ "uuid", KEY_READ },
	{ "alterId", KEY_READ },
	{ "cipher", KEY_READ },
	{ "authenticated-length", KEY_READ },
	{ "global-padding", KEY_SILENT },
	{ "udp", KEY_SILENT },
	{ "packet-encoding", KEY_IDLE, as_vmess },
	{ "packet-addr", KEY_IDLE, as_vmess },
	{ "xudp", KEY_IDLE, as_vmess },
	{ "tls", KEY_READ },
	{ "servername", KEY_READ },
	{ "sni", KEY_READ },
	{ "alpn", KEY_READ },
	{ "skip-cert-verify", KEY_READ },
	{ "fingerprint", KEY_READ },
	{ "client-fingerprint", KEY_READ },
	{ "reality-opts", KEY_REFUSED, "the security reality is not supported" },
	{ "ech-opts", KEY_IDLE, lost },
	{ "network", KEY_READ },
	{ "ws-opts", KEY_READ },
	{ "ws-path", KEY_READ },
	{ "ws-headers", KEY_READ },
	{ "http-opts", KEY_READ },
	{ "h2-opts", KEY_SILENT },
	{ "grpc-opts", KEY_SILENT },
	{ "smux", KEY_IDLE, "is not carried over; connections go one by one" },
	{ "dialer-proxy", KEY_REFUSED, chain },
	{ "interface-name", KEY_IDLE, lost },
	{ "routing-mark", KEY_IDLE, lost },
	{ "ip-version", KEY_IDLE, lost },
	{ "tfo", KEY_READ },
	{ "mptcp", KEY_IDLE, lost },
	{ "country", KEY_SILENT },
	{ NULL },
};

/* The newer ws-opts wins over ws-path and ws-headers. */
static int
ws_read(const struct node *proxy, struct server *s)
{
	static const struct key keys[] = {
		{ "path", KEY_READ },
		{ "headers", KEY_READ },
		{ "max-early-data", KEY_READ },
		{ "early-data-header-name", KEY_READ },
		{ "v2ray-http-upgrade", KEY_READ },
		{ "v2ray-http-upgrade-fast-open", KEY_IDLE, lost },
		{ NULL },
	};
	struct node opts = node_get(proxy, "ws-opts"), path = node_get(&opts, "path");
	struct node headers = node_get(&opts, "headers");
	struct node early = node_get(&opts, "max-early-data");
	struct node early_header = node_get(&opts, "early-data-header-name");
	struct node upgrade = node_get(&opts, "v2ray-http-upgrade");
	struct node old_path = node_get(proxy, "ws-path");
	struct node old_headers = node_get(proxy, "ws-headers");
	bool upgrades = false;

	if (node_keys(&opts, keys) == -1 || field_path(&old_path, s) == -1 ||
		field_path(&path, s) == -1 || field_early_data(&early, s) == -1 ||
		field_text(&early_header, &s->early_header) == -1 ||
		field_flag(&upgrade, &upgrades) == -1)
		return -1;
	if (upgrades)
		s->network = SERVER_HTTPUPGRADE;
	return field_headers(headers.json ? &headers : &old_headers, s);
}

static int
http_read(const struct node *proxy, struct server *s)
{
	struct node opts = node_get(proxy, "http-opts"), path = node_get(&opts, "path");
	struct node headers = node_get(&opts, "headers");
	struct node method = node_get(&opts, "method");

	s->http_header = true;
	if (field_text(&method, &s->method) == -1 || field_joined(&path, &s->path) == -1)
		return -1;
	return field_headers(&headers, s);
}

static int
transport_read(const struct node *proxy, struct server *s)
{
	struct node network = node_get(proxy, "network");
	const char *text = "tcp";

	if (field_text(&network, &text) == -1)
		return -1;
	/* What others call tcp with the header http. */
	if (strcasecmp(text, "http") == 0)
		return http_read(proxy, s);
	if (field_transport(&network, s) == -1)
		return -1;
	return s->network == SERVER_RAW ? 0 : ws_read(proxy, s);
}

/* The digest of a certificate; people write the name of a browser here, too, which has a
 * key of its own. */
static int
fingerprint_read(const struct node *proxy, struct server *s)
{
	struct node print = node_get(proxy, "client-fingerprint");
	struct node n = node_get(proxy, "fingerprint");
	const char *text = "";

	if (field_text(&n, &text) == -1)
		return -1;
	if (text[strspn(text, "0123456789abcdefABCDEF:")] == '\0')
		s->pin = text;
	else
		s->fingerprint = text;
	return field_text(&print, &s->fingerprint);
}

static int
tls_read(const struct node *proxy, struct server *s)
{
	struct node on = node_get(proxy, "tls"), alpn = node_get(proxy, "alpn");
	struct node name = node_get(proxy, "servername"), sni = node_get(proxy, "sni");
	struct node insecure = node_get(proxy, "skip-cert-verify");

	if (field_flag(&on, &s->tls) == -1 ||
		field_text(name.json ? &name : &sni, &s->server_name) == -1 ||
		field_flag(&insecure, &s->insecure) == -1 || field_alpn(&alpn, s) == -1)
		return -1;
	return fingerprint_read(proxy, s);
}

static int
proxy_read(const struct node *proxy, struct server *s)
{
	struct node name = node_get(proxy, "name"), address = node_get(proxy, "server");
	struct node port = node_get(proxy, "port"), id = node_get(proxy, "uuid");
	struct node alter = node_get(proxy, "alterId");
	struct node cipher = node_get(proxy, "cipher");
	struct node length = node_get(proxy, "authenticated-length");
	struct node fast = node_get(proxy, "tfo");

	server_init(s);
	if (field_name(&name, s) == -1 || field_address(&address, s) == -1 ||
		field_port(&port, s) == -1 || field_id(&id, s) == -1 ||
		field_alter_id(&alter, s) == -1 || field_security(&cipher, s) == -1 ||
		field_flag(&length, &s->authenticated_length) == -1 ||
		field_flag(&fast, &s->fast_open) == -1 ||
		transport_read(proxy, s) == -1 || tls_read(proxy, s) == -1)
		return -1;
	return node_keys(proxy, proxy_keys);
}

static void
proxy_import(struct import *im, const struct node *proxy)
{
	static const char *const local[] = { NULL };
	struct node type = node_get(proxy, "type");
	struct server s;

	if (!node_is_object(proxy) || !import_is_vmess(im, &type, "proxies", local))
		return;
	if (proxy_read(proxy, &s) == -1)
		import_skip(im);
	else
		import_add(im, proxy, &s);
}

void
import_clash_proxies(struct import *im, const struct node *root)
{
	static const char *const rest[] = { "rules", "dns", "proxy-providers",
		"rule-providers", NULL };
	struct node list = node_get(root, "proxies");
	size_t i;

	import_leave_out(root, rest);
	for (i = 0; i < node_count(&list); i++) {
		struct node proxy = node_at(&list, i);

		proxy_import(im, &proxy);
	}
}

int
import_clash(struct import *im, const char *text, size_t len, struct err *e)
{
	struct node root = { .reader = &im->reader };

	root.json = import_yaml(im->name, text, len, e);
	if (!root.json)
		return -1;
	import_clash_proxies(im, &root);
	json_object_put(root.json);
	return 0;
}
