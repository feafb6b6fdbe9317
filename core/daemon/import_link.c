/* SPDX-License-Identifier: MIT */
#include "base/base64.h"
#include "base/text.h"
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * vmess:// links: v2rayN's, which are the Base64 of a JSON object, and those in
 * the form of a URI.  Both end as an object of members, which the same code reads
 * by two tables of names.
 */
static const char scheme[] = "vmess://";

static const char as_vmess[] = "is not carried over; UDP goes as plain VMess has it";
static const char stricter[] =
	"is not carried over; the certificate must be the server name's";

/* What both forms may say. */
#define SHARED_KEYS                                                                     \
	{ "id", KEY_READ }, { "add", KEY_READ }, { "port", KEY_READ },                  \
		{ "ps", KEY_READ }, { "aid", KEY_READ }, { "alterId", KEY_READ },       \
		{ "host", KEY_READ }, { "path", KEY_READ }, { "type", KEY_READ },       \
		{ "sni", KEY_READ }, { "peer", KEY_READ }, { "alpn", KEY_READ },        \
		{ "fp", KEY_READ }, { "pcs", KEY_READ }, { "ed", KEY_READ },            \
		{ "eh", KEY_READ }, { "security", KEY_READ }, { "insecure", KEY_READ }, \
		{ "allowInsecure", KEY_READ }, { "allow_insecure", KEY_READ },          \
		{ "skip-cert-verify", KEY_READ }, { "skip_cert_verify", KEY_READ },     \
		{ "verify_cert", KEY_READ }, { "vcn", KEY_IDLE, stricter },             \
		{ "ech", KEY_IDLE, "is not carried over" },                             \
		{ "packetEncoding", KEY_IDLE, as_vmess }, { "udp", KEY_SILENT },        \
		{ "fm", KEY_REFUSED, "masks are not supported" },                       \
	{                                                                               \
		"headerType", KEY_READ                                                  \
	}

static const struct key object_keys[] = {
	SHARED_KEYS,
	{ "v", KEY_SILENT },
	{ "remarks", KEY_READ },
	{ "remark", KEY_READ },
	{ "name", KEY_READ },
	{ "scy", KEY_READ },
	{ "net", KEY_READ },
	{ "tls", KEY_READ },
	{ "ws-opts", KEY_SILENT },
	{ "headers", KEY_SILENT },
	{ "serverPort", KEY_SILENT },
	{ "nation", KEY_SILENT },
	{ "country", KEY_SILENT },
	{ "group", KEY_SILENT },
	{ "class", KEY_SILENT },
	{ "test_name", KEY_SILENT },
	{ "file", KEY_SILENT },
	{ "flow", KEY_SILENT },
	{ NULL },
};

static const struct key uri_keys[] = {
	SHARED_KEYS,
	{ "encryption", KEY_READ },
	{ "remarks", KEY_READ },
	{ NULL },
};

/* The words of a form: NULL-ended where there are several, of which the first that says
 * something counts. */
struct dialect {
	const struct key *keys;
	const char *name[4], *security[3], *header[3];
	const char *network, *tls;
};

static const struct dialect object_dialect = {
	.keys = object_keys,
	.name = { "ps", "remarks", "remark" },
	.security = { "scy", "security" },
	.header = { "type", "headerType" },
	.network = "net",
	.tls = "tls",
};

static const struct dialect uri_dialect = {
	.keys = uri_keys,
	.name = { "ps", "remarks" },
	.security = { "encryption" },
	.header = { "headerType" },
	.network = "type",
	.tls = "security",
};

static struct node
said(const struct node *link, const char *const *names)
{
	struct node n = node_get(link, *names);

	while (node_is_empty(&n) && *++names)
		n = node_get(link, *names);
	return n;
}

static int
tls_word_read(const struct node *n, struct server *s)
{
	static const char *const words[] = { "tls", "true", "1", "none", "false", "0",
		"auto", NULL };
	enum { FIRST_FALSE = 3 };
	int at = s->tls ? 0 : FIRST_FALSE;

	if (field_word(n, "security", words, &at) == -1)
		return -1;
	s->tls = at < FIRST_FALSE;
	return 0;
}

/* Several words for one thing, one of them turned round. */
static int
insecure_read(const struct node *link, struct server *s)
{
	static const char *const names[] = { "insecure", "allowInsecure",
		"allow_insecure", "skip-cert-verify", "skip_cert_verify", NULL };
	struct node verify = node_get(link, "verify_cert");
	bool verified = true;
	size_t i;

	if (field_flag(&verify, &verified) == -1)
		return -1;
	s->insecure = !verified;
	for (i = 0; names[i]; i++) {
		struct node n = node_get(link, names[i]);
		bool on = false;

		if (field_flag(&n, &on) == -1)
			return -1;
		s->insecure |= on;
	}
	return 0;
}

static int
tls_read(const struct node *link, const struct dialect *d, struct server *s)
{
	static const char *const names[] = { "sni", "peer", NULL };
	struct node tls = node_get(link, d->tls), sni = said(link, names);
	struct node alpn = node_get(link, "alpn"), fp = node_get(link, "fp");
	struct node pin = node_get(link, "pcs");

	if (tls_word_read(&tls, s) == -1 || insecure_read(link, s) == -1 ||
		field_text(&sni, &s->server_name) == -1 || field_alpn(&alpn, s) == -1 ||
		field_text(&fp, &s->fingerprint) == -1)
		return -1;
	return field_joined(&pin, &s->pin);
}

/* Raw TCP may pose as HTTP; with every other transport the word says nothing. */
static int
header_read(const struct node *link, const struct dialect *d, struct server *s)
{
	static const char *const silent[] = { "none", "auto", "---", "tcp", "raw",
		"vmess", NULL };
	struct node n = said(link, d->header);
	const char *text = "none";

	if (s->network != SERVER_RAW)
		return 0;
	if (field_text(&n, &text) == -1)
		return -1;
	if (strcasecmp(text, "http") == 0) {
		s->http_header = true;
		return 0;
	}
	if (text_find(silent, text) < 0)
		node_warn(&n, "%s says nothing for this transport; left out",
			shown(text).text);
	return 0;
}

static int
transport_read(const struct node *link, const struct dialect *d, struct server *s)
{
	struct node network = node_get(link, d->network), early = node_get(link, "ed");
	struct node host = node_get(link, "host"), path = node_get(link, "path");
	struct node early_header = node_get(link, "eh");

	if (field_transport(&network, s) == -1 || header_read(link, d, s) == -1 ||
		field_joined(&host, &s->host) == -1 || field_path(&path, s) == -1 ||
		field_early_data(&early, s) == -1)
		return -1;
	if (s->early_data)
		s->early_header = "Sec-WebSocket-Protocol";
	return field_text(&early_header, &s->early_header);
}

static int
user_read(const struct node *link, const struct dialect *d, struct server *s)
{
	static const char *const alters[] = { "aid", "alterId", NULL };
	struct node id = node_get(link, "id"), alter = said(link, alters);
	struct node security = said(link, d->security);

	if (field_id(&id, s) == -1 || field_alter_id(&alter, s) == -1)
		return -1;
	return field_security(&security, s);
}

static int
link_read(const struct node *link, const struct dialect *d, struct server *s)
{
	struct node name = said(link, d->name), address = node_get(link, "add");
	struct node port = node_get(link, "port");

	server_init(s);
	if (field_name(&name, s) == -1 || field_address(&address, s) == -1 ||
		field_port(&port, s) == -1 || user_read(link, d, s) == -1) {
		/* What is missing may stand there under a misspelt name. */
		node_keys(link, d->keys);
		return -1;
	}
	if (transport_read(link, d, s) == -1 || tls_read(link, d, s) == -1)
		return -1;
	return node_keys(link, d->keys);
}

static void
link_add(struct import *im, const struct node *link, const struct dialect *d)
{
	struct server s;

	if (link_read(link, d, &s) == -1)
		import_skip(im);
	else
		import_add(im, link, &s);
}

void
import_link_object(struct import *im, const struct node *link)
{
	link_add(im, link, &object_dialect);
}

void
import_link(struct import *im, const char *link)
{
	struct node at = { .reader = &im->reader };
	bool uri = memchr(link, '@', strcspn(link, "#")) != NULL;

	if (strlen(link) > LINK_MAX)
		node_fail(&at, "is longer than %d bytes", LINK_MAX);
	else
		at.json = uri ? link_uri(&at, link + strlen(scheme))
			      : link_json(&at, link + strlen(scheme));
	if (at.json)
		link_add(im, &at, uri ? &uri_dialect : &object_dialect);
	else
		import_skip(im);
	json_object_put(at.json);
}
