/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include <stdio.h>
#include <string.h>

/* sing-box's configuration: its VMess outbounds. */

static const char lost[] = "is not carried over";
static const char as_vmess[] = "is not carried over; UDP goes as plain VMess has it";

/* PEM in a list of lines, or in one text. */
static int
certificate_read(const struct node *n, struct server *s)
{
	struct config_memory *m = n->reader->memory;
	const char *line;
	size_t i, len = 0, put = 0;
	char *text;

	for (i = 0; i < node_count(n); i++) {
		struct node at = node_at(n, i);

		line = "";
		if (node_text(&at, &line) == -1)
			return -1;
		len += strlen(line) + 1;
	}
	s->certificate = text = config_memory_take(m, len + 1, 1);
	for (i = 0; i < node_count(n); i++) {
		struct node at = node_at(n, i);

		line = "";
		(void)node_text(&at, &line);
		put += (size_t)snprintf(text + put, len + 1 - put, "%s\n", line);
	}
	return 0;
}

/* Who is trusted, and with which versions. */
static int
trust_read(const struct node *tls, struct server *s)
{
	struct node min = node_get(tls, "min_version"),
		    max = node_get(tls, "max_version");
	struct node text = node_get(tls, "certificate");
	struct node file = node_get(tls, "certificate_path");

	if (field_text(&min, &s->min_version) == -1 ||
		field_text(&max, &s->max_version) == -1 ||
		certificate_read(&text, s) == -1)
		return -1;
	return field_text(&file, &s->certificate_file);
}

static int
tls_read(const struct node *out, struct server *s)
{
	static const struct key keys[] = {
		{ "enabled", KEY_READ },
		{ "server_name", KEY_READ },
		{ "insecure", KEY_READ },
		{ "alpn", KEY_READ },
		{ "utls", KEY_READ },
		{ "reality", KEY_READ },
		{ "disable_sni", KEY_IDLE, lost },
		{ "min_version", KEY_READ },
		{ "max_version", KEY_READ },
		{ "cipher_suites", KEY_IDLE, lost },
		{ "curve_preferences", KEY_IDLE, lost },
		{ "certificate", KEY_READ },
		{ "certificate_path", KEY_READ },
		{ "ech", KEY_IDLE, lost },
		{ "fragment", KEY_IDLE, lost },
		{ "record_fragment", KEY_IDLE, lost },
		{ NULL },
	};
	struct node tls = node_get(out, "tls"), name = node_get(&tls, "server_name");
	struct node on = node_get(&tls, "enabled"), alpn = node_get(&tls, "alpn");
	struct node insecure = node_get(&tls, "insecure");
	struct node utls = node_get(&tls, "utls"), reality = node_get(&tls, "reality");
	struct node utls_on = node_get(&utls, "enabled");
	struct node print = node_get(&utls, "fingerprint");
	struct node reality_on = node_get(&reality, "enabled");
	bool imitate = false, is_reality = false;

	if (field_flag(&on, &s->tls) == -1)
		return -1;
	if (!s->tls)
		return 0;
	if (node_keys(&tls, keys) == -1 || field_text(&name, &s->server_name) == -1 ||
		trust_read(&tls, s) == -1 || field_flag(&insecure, &s->insecure) == -1 ||
		field_alpn(&alpn, s) == -1 || field_flag(&utls_on, &imitate) == -1 ||
		field_flag(&reality_on, &is_reality) == -1)
		return -1;
	if (is_reality)
		return node_fail(&reality, "the security reality is not supported");
	return imitate ? field_text(&print, &s->fingerprint) : 0;
}

static int
transport_read(const struct node *out, struct server *s)
{
	static const struct key keys[] = {
		{ "type", KEY_READ },
		{ "path", KEY_READ },
		{ "host", KEY_READ },
		{ "headers", KEY_READ },
		{ "max_early_data", KEY_READ },
		{ "early_data_header_name", KEY_READ },
		{ NULL },
	};
	struct node t = node_get(out, "transport"), type = node_get(&t, "type");
	struct node path = node_get(&t, "path"), host = node_get(&t, "host");
	struct node headers = node_get(&t, "headers");
	struct node early = node_get(&t, "max_early_data");
	struct node early_header = node_get(&t, "early_data_header_name");

	if (field_transport(&type, s) == -1 || node_keys(&t, keys) == -1 ||
		field_headers(&headers, s) == -1 || field_joined(&host, &s->host) == -1 ||
		field_path(&path, s) == -1 || field_early_data(&early, s) == -1)
		return -1;
	return field_text(&early_header, &s->early_header);
}

static int
user_read(const struct node *out, struct server *s)
{
	struct node id = node_get(out, "uuid"), alter = node_get(out, "alter_id");
	struct node security = node_get(out, "security");
	struct node length = node_get(out, "authenticated_length");

	if (field_id(&id, s) == -1 || field_alter_id(&alter, s) == -1 ||
		field_security(&security, s) == -1)
		return -1;
	return field_flag(&length, &s->authenticated_length);
}

static int
multiplex_warn(const struct node *out)
{
	struct node mux = node_get(out, "multiplex"), on = node_get(&mux, "enabled");
	bool enabled = false;

	if (field_flag(&on, &enabled) == -1)
		return -1;
	if (enabled)
		node_warn(&mux, "%s; connections go one by one", lost);
	return 0;
}

static int
outbound_read(const struct node *out, struct server *s)
{
	static const struct key keys[] = {
		{ "type", KEY_READ },
		{ "tag", KEY_READ },
		{ "server", KEY_READ },
		{ "server_port", KEY_READ },
		{ "uuid", KEY_READ },
		{ "security", KEY_READ },
		{ "alter_id", KEY_READ },
		{ "authenticated_length", KEY_READ },
		{ "global_padding", KEY_SILENT },
		{ "network", KEY_IDLE, "is not carried over; rules say what goes where" },
		{ "packet_encoding", KEY_IDLE, as_vmess },
		{ "tls", KEY_READ },
		{ "transport", KEY_READ },
		{ "multiplex", KEY_READ },
		{ "domain_resolver", KEY_SILENT },
		{ "domain_strategy", KEY_SILENT },
		{ "tcp_fast_open", KEY_READ },
		{ "connect_timeout", KEY_SILENT },
		{ "detour", KEY_REFUSED,
			"a chain through another outbound is not supported" },
		{ NULL },
	};
	struct node tag = node_get(out, "tag"), address = node_get(out, "server");
	struct node port = node_get(out, "server_port");
	struct node fast = node_get(out, "tcp_fast_open");

	server_init(s);
	if (field_name(&tag, s) == -1 || field_address(&address, s) == -1 ||
		field_port(&port, s) == -1 || user_read(out, s) == -1 ||
		transport_read(out, s) == -1 || tls_read(out, s) == -1 ||
		multiplex_warn(out) == -1 || field_flag(&fast, &s->fast_open) == -1)
		return -1;
	return node_keys(out, keys);
}

void
import_singbox_outbound(struct import *im, const struct node *out)
{
	static const char *const local[] = { "direct", "block", "dns", "selector",
		"urltest", NULL };
	struct node type = node_get(out, "type");
	struct server s;

	if (!node_is_object(out) || !import_is_vmess(im, &type, "outbounds", local))
		return;
	if (outbound_read(out, &s) == -1)
		import_skip(im);
	else
		import_add(im, out, &s);
}

void
import_singbox(struct import *im, const struct node *root)
{
	static const char *const rest[] = { "route", "dns", "endpoints", NULL };
	struct node list = node_get(root, "outbounds");
	size_t i;

	import_leave_out(root, rest);
	import_singbox_time(im, root);
	for (i = 0; i < node_count(&list); i++) {
		struct node out = node_at(&list, i);

		import_singbox_outbound(im, &out);
	}
}
