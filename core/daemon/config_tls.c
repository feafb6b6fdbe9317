/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"
#include "daemon/config_stream.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* tlsSettings. What would change whom a connection trusts, or what it hides, is read or
 * refused; the rest is the library's choice. */

static const char library_choice[] = "is left to the TLS library";
static const char no_ech[] = "Encrypted Client Hello is not supported";

static const struct key tls_keys[] = {
	{ "serverName", KEY_READ },
	{ "alpn", KEY_READ },
	{ "nextProtocol", KEY_READ },
	{ "allowInsecure", KEY_READ },
	{ "allowInsecureIfPinnedPeerCertificate", KEY_READ },
	{ "pinnedPeerCertSha256", KEY_READ },
	{ "pinnedPeerCertificateChainSha256", KEY_READ },
	{ "pinnedPeerCertificatePublicKeySha256", KEY_REFUSED,
		"pins of public keys are not supported; pinnedPeerCertSha256 is" },
	{ "verifyPeerCertByName", KEY_READ },
	{ "verifyPeerCertInNames", KEY_READ },
	{ "fingerprint", KEY_READ },
	{ "minVersion", KEY_READ },
	{ "maxVersion", KEY_READ },
	{ "certificates", KEY_READ },
	{ "certificate", KEY_READ },
	{ "disableSystemRoot", KEY_READ },
	{ "enableSessionResumption", KEY_READ },
	{ "cipherSuites", KEY_IDLE, library_choice },
	{ "preferServerCipherSuites", KEY_SILENT },
	{ "curvePreferences", KEY_IDLE, library_choice },
	{ "allowInsecureCiphers", KEY_IDLE, library_choice },
	{ "rejectUnknownSni", KEY_SILENT },
	{ "verifyClientCertificate", KEY_SILENT },
	{ "show", KEY_SILENT },
	{ "masterKeyLog", KEY_IDLE, "the keys of connections are not written anywhere" },
	{ "echConfigList", KEY_REFUSED, no_ech },
	{ "echConfig", KEY_REFUSED, no_ech },
	{ "echDohServer", KEY_REFUSED, no_ech },
	{ "echForceQuery", KEY_SILENT },
	{ "echServerKeys", KEY_SILENT },
	{ NULL },
};

/* At most `max` texts; absent leaves the list alone. */
static int
list_read(const struct node *n, size_t max, struct tls_text_list *list)
{
	const char *const *texts = NULL;
	size_t count = 0;

	if (node_texts(n, &texts) == -1)
		return -1;
	while (texts && texts[count])
		count++;
	if (count > max)
		return node_fail(n, "more than %zu of them", max);
	if (count)
		*list = (struct tls_text_list){ texts, count };
	return 0;
}

/* WebSocket and HTTPUpgrade are HTTP/1.1: a server that may choose h2 speaks that. */
static void
alpn_suit(const struct node *n, struct carrier_spec *c)
{
	static const char *const http1[] = { "http/1.1" };
	static const char *const raw[] = { "h2", "http/1.1" };
	struct tls_text_list *list = &c->tls.alpn;
	bool raw_bytes = c->kind == CARRIER_RAW || c->kind == CARRIER_HTTP_HEAD;
	size_t i;

	if (list->n == 0)
		*list = raw_bytes ? (struct tls_text_list){ raw, 2 }
				  : (struct tls_text_list){ http1, 1 };
	if (raw_bytes)
		return;
	for (i = 0; i < list->n; i++)
		if (strcmp(list->text[i], http1[0]) != 0)
			node_warn(n, "%s cannot carry %s; only http/1.1 is offered",
				shown(list->text[i]).text,
				c->kind == CARRIER_WEBSOCKET ? "WebSocket"
							     : "HTTPUpgrade");
	*list = (struct tls_text_list){ http1, 1 };
}

static int
alpn_read(const struct node *settings, struct carrier_spec *c)
{
	struct node n = node_get(settings, "alpn");
	struct node newer = node_get(settings, "nextProtocol");
	size_t i;

	if (!n.json)
		n = newer;
	if (list_read(&n, TLS_ALPN_MAX, &c->tls.alpn) == -1)
		return -1;
	for (i = 0; i < c->tls.alpn.n; i++)
		if (strlen(c->tls.alpn.text[i]) > 255)
			return node_fail(&n, "a protocol's name has up to 255 bytes");
	alpn_suit(&n, c);
	return 0;
}

static int
version_read(const struct node *settings, const char *key, enum tls_version *v)
{
	static const char *const words[] = { "1.0", "1.1", "1.2", "1.3", "TLS1_0",
		"TLS1_1", "TLS1_2", "TLS1_3", "Default", NULL };
	struct node n = node_get(settings, key);
	const char *s;
	int i = -1;

	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (!s || !s[0] || i == 8)
		return 0;
	if (i < 0)
		return node_fail(&n, "%s is not a version of TLS (1.0, 1.1, 1.2, 1.3)",
			shown(s).text);
	*v = (enum tls_version)(TLS_1_0 + i % 4);
	if (*v == TLS_1_3 && strcmp(key, "minVersion") == 0 &&
		!tls_library_built(TLS_OPENSSL))
		return node_fail(&n,
			"this sluice was built without OpenSSL, and has TLS "
			"up to 1.2");
	return 0;
}

static int
versions_read(const struct node *settings, struct tls_spec *t)
{
	struct node n = node_get(settings, "maxVersion");

	if (version_read(settings, "minVersion", &t->min) == -1 ||
		version_read(settings, "maxVersion", &t->max) == -1)
		return -1;
	if (t->min && t->max && t->max < t->min)
		return node_fail(&n, "is below minVersion");
	if ((t->min && t->min < TLS_1_2) || (t->max && t->max < TLS_1_2))
		node_warn(settings, "versions below TLS 1.2 are not safe");
	return 0;
}

/* Hashes, in a list or with commas between them. */
static int
pins_read(const struct node *settings, const char *key, struct tls_pin_list *list)
{
	struct node n = node_get(settings, key);
	struct tls_text_list texts = { 0 };
	struct tls_pin *pin;

	if (list_read(&n, TLS_LIST_MAX, &texts) == -1)
		return -1;
	pin = config_memory_take(n.reader->memory, texts.n, sizeof(*pin));
	list->pin = pin;
	for (list->n = 0; list->n < texts.n; list->n++)
		if (!tls_pin_parse(&pin[list->n], texts.text[list->n]))
			return node_fail(&n,
				"%s is not a SHA-256 (64 hex digits, or Base64)",
				shown(texts.text[list->n]).text);
	return 0;
}

/* The text of a certificate as a list of lines, or in one. */
static int
certificate_text(const struct node *n, const char **out)
{
	char *text;
	size_t i, len = 0, at = 0;

	if (!node_is_list(n))
		return node_text(n, out);
	for (i = 0; i < node_count(n); i++) {
		struct node line = node_at(n, i);
		const char *s = "";

		if (node_text(&line, &s) == -1)
			return -1;
		len += strlen(s) + 1;
	}
	text = config_memory_take(n->reader->memory, len + 1, 1);
	for (i = 0; i < node_count(n); i++) {
		struct node line = node_at(n, i);
		const char *s = "";

		if (node_text(&line, &s) == -1)
			return -1;
		at += (size_t)snprintf(text + at, len + 1 - at, "%s\n", s);
	}
	*out = text;
	return 0;
}

/* The slot of a file's text is filled when the file is read (config_rules). */
static int
certificate_file(const struct node *n, const char *file, const char **slot)
{
	struct config *c = n->reader->config;
	struct config_certificate *f;

	f = config_memory_take(n->reader->memory, 1, sizeof(*f));
	*f = (struct config_certificate){ file, node_path(n), slot, c->certificate };
	c->certificate = f;
	return 0;
}

static int
certificate_read(const struct node *n, const char **slot)
{
	static const struct key keys[] = {
		{ "usage", KEY_READ },
		{ "certificateFile", KEY_READ },
		{ "certificate", KEY_READ },
		{ "keyFile", KEY_READ },
		{ "key", KEY_READ },
		{ "ocspStapling", KEY_SILENT },
		{ "oneTimeLoading", KEY_SILENT },
		{ "buildChain", KEY_SILENT },
		{ NULL },
	};
	static const char *const usages[] = { "encipherment", "verify",
		"authority_verify", NULL };
	struct node usage = node_get(n, "usage");
	struct node file = node_get(n, "certificateFile");
	struct node text = node_get(n, "certificate");
	const char *s, *name = "";
	int i = 0;

	if (node_keys(n, keys) == -1 || node_word(&usage, usages, &i, &s) == -1 ||
		node_text(&file, &name) == -1)
		return -1;
	if (i <= 0)
		return node_refuse(n,
			"certificates of the client are not supported, only "
			"\"usage\": \"verify\"");
	if (*name)
		return certificate_file(&file, name, slot);
	if (node_is_empty(&text))
		return node_fail(n, "has neither certificateFile nor certificate");
	return certificate_text(&text, slot);
}

static int
certificates_read(const struct node *settings, struct tls_spec *t)
{
	struct node list = node_get(settings, "certificates");
	struct node newer = node_get(settings, "certificate");
	const char **text;
	size_t i;

	if (!list.json)
		list = newer;
	if (node_count(&list) > TLS_LIST_MAX)
		return node_fail(&list, "more than %d of them", TLS_LIST_MAX);
	text = config_memory_take(list.reader->memory, node_count(&list), sizeof(*text));
	t->trusted.text = text;
	for (i = 0; i < node_count(&list); i++) {
		struct node n = node_at(&list, i);

		if (certificate_read(&n, &text[i]) == -1)
			return -1;
		t->trusted.n++;
	}
	return 0;
}

static int
trust_read(const struct node *settings, struct tls_spec *t)
{
	struct node insecure = node_get(settings, "allowInsecure");
	struct node pinned = node_get(settings, "allowInsecureIfPinnedPeerCertificate");
	struct node no_roots = node_get(settings, "disableSystemRoot");
	struct node resumption = node_get(settings, "enableSessionResumption");
	struct node names = node_get(settings, "verifyPeerCertByName");
	struct node older = node_get(settings, "verifyPeerCertInNames");
	bool if_pinned = false, resumes = true;

	if (node_bool(&insecure, &t->allow_insecure) == -1 ||
		node_bool(&pinned, &if_pinned) == -1 ||
		node_bool(&no_roots, &t->disable_system_root) == -1 ||
		node_bool(&resumption, &resumes) == -1 ||
		list_read(&older, TLS_LIST_MAX, &t->verify_names) == -1 ||
		list_read(&names, TLS_LIST_MAX, &t->verify_names) == -1 ||
		pins_read(settings, "pinnedPeerCertificateChainSha256", &t->chain_pins) ==
			-1 ||
		pins_read(settings, "pinnedPeerCertSha256", &t->pins) == -1)
		return -1;
	t->no_resumption = !resumes;
	if (t->allow_insecure && !t->chain_pins.n && !t->pins.n)
		node_warn(&insecure,
			"the server's certificate is not checked: whoever is on the way "
			"can be the server");
	t->allow_insecure |= if_pinned && t->chain_pins.n;
	return certificates_read(settings, t);
}

static int
fingerprint_read(const struct node *settings)
{
	struct node n = node_get(settings, "fingerprint");
	const char *s = "";

	if (node_text(&n, &s) == -1)
		return -1;
	if (*s && strcasecmp(s, "unsafe") != 0)
		node_warn(&n,
			"%s: sluice does not imitate a browser's handshake; what it sends "
			"can be told from one",
			shown(s).text);
	return 0;
}

static int
name_read(const struct node *settings, struct tls_spec *t)
{
	struct node n = node_get(settings, "serverName");
	char name[NAME_MAX_LEN + 2];
	const char *s = "";
	struct ip ip;

	if (node_text(&n, &s) == -1)
		return -1;
	if (!*s)
		return 0;
	if (ip_parse(&ip, s)) {
		t->name = s;
		return 0;
	}
	if (!name_normal(name, sizeof(name), s, strlen(s))) {
		/* A place-holder, mostly, as with the server's address: it is built dead. */
		node_warn(&n,
			"%s is not an address, and no name that a certificate can have; "
			"nothing will get through",
			shown(s).text);
		t->name = s;
		return 0;
	}
	t->name = config_memory_text(n.reader->memory, name, strlen(name));
	return 0;
}

int
config_read_tls(const struct node *settings, struct carrier_spec *c)
{
	c->secured = true;
	if (node_keys(settings, tls_keys) == -1 || name_read(settings, &c->tls) == -1 ||
		alpn_read(settings, c) == -1 || versions_read(settings, &c->tls) == -1 ||
		trust_read(settings, &c->tls) == -1)
		return -1;
	return fingerprint_read(settings);
}
