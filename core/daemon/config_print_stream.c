/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_members.h"
#include "daemon/config_print.h"

#include <stdio.h>
#include <string.h>

/* streamSettings of an outbound as JSON, in the words of Xray; what only v2ray has (early
 * data by its own names), in those. */

static void
put_list(struct json_object *o, const char *key, const char *const *text, size_t n)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		element_add_text(a, text[i]);
	member_put_filled(o, key, a);
}

static struct json_object *
fields_print(const struct http_request *q)
{
	struct json_object *o = json_object_new_object(), *values;
	size_t i;

	for (i = 0; i < q->nfields; i++) {
		values = json_object_object_get(o, q->fields[i].name);
		if (!values) {
			values = json_object_new_array();
			member_put(o, q->fields[i].name, values);
		}
		element_add_text(values, q->fields[i].value);
	}
	return o;
}

static struct json_object *
request_print(const struct http_request *q)
{
	struct json_object *o = json_object_new_object();
	char path[HTTP_PATH_MAX + 32];

	/* Xray has no words for early data but those in the path. */
	snprintf(path, sizeof(path), "%s", q->path);
	if (q->early_max && q->early_rule == HTTP_EARLY_WHOLE)
		snprintf(path, sizeof(path), "%s%sed=%zu", q->path,
			strchr(q->path, '?') ? "&" : "?", q->early_max);
	member_put_text(o, "path", path);
	member_put_text(o, "host", q->host);
	member_put_filled(o, "headers", fields_print(q));
	if (q->early_max && q->early_rule == HTTP_EARLY_PART) {
		member_put_number(o, "maxEarlyData", (int64_t)q->early_max);
		member_put_text(o, "earlyDataHeaderName", q->early_name);
	}
	return o;
}

static struct json_object *
head_print(const struct httphead_spec *h)
{
	struct json_object *o = json_object_new_object();
	struct json_object *header = json_object_new_object();
	struct json_object *request = json_object_new_object();
	struct json_object *headers = json_object_new_object();
	size_t i;

	member_put_text(request, "version", h->version);
	member_put_text(request, "method", h->method);
	put_list(request, "path", h->paths.text, h->paths.n);
	for (i = 0; i < h->nfields; i++)
		put_list(headers, h->fields[i].name, h->fields[i].values.text,
			h->fields[i].values.n);
	member_put(request, "headers", headers);
	member_put_text(header, "type", "http");
	member_put(header, "request", request);
	member_put(o, "header", header);
	return o;
}

static void
put_carrier(struct json_object *o, const struct carrier_spec *c)
{
	switch (c->kind) {
	case CARRIER_RAW:
		break;
	case CARRIER_HTTP_HEAD:
		member_put_text(o, "network", "raw");
		member_put(o, "rawSettings", head_print(&c->head));
		break;
	case CARRIER_WEBSOCKET:
		member_put_text(o, "network", "ws");
		member_put(o, "wsSettings", request_print(&c->request));
		break;
	case CARRIER_HTTPUPGRADE:
		member_put_text(o, "network", "httpupgrade");
		member_put(o, "httpupgradeSettings", request_print(&c->request));
		break;
	}
}

static void
put_version(struct json_object *o, const char *key, enum tls_version v)
{
	static const char *const names[] = { "1.0", "1.1", "1.2", "1.3" };

	if (v != TLS_VERSION_ANY)
		member_put_text(o, key, names[v - TLS_1_0]);
}

static void
put_pins(struct json_object *o, const char *key, const struct tls_pin_list *list)
{
	struct json_object *a = json_object_new_array();
	char hex[2 * TLS_PIN + 1];
	size_t i, k;

	for (i = 0; i < list->n; i++) {
		for (k = 0; k < TLS_PIN; k++)
			snprintf(hex + 2 * k, 3, "%02x", list->pin[i].hash[k]);
		element_add_text(a, hex);
	}
	member_put_filled(o, key, a);
}

/* A certificate of a file stays one. */
static struct json_object *
certificate_print(const struct config *c, const char *const *slot)
{
	struct json_object *o = json_object_new_object();
	const struct config_certificate *f = c->certificate;

	member_put_text(o, "usage", "verify");
	while (f && (const char *const *)f->text != slot)
		f = f->next;
	member_put_text(o, f ? "certificateFile" : "certificate", f ? f->file : *slot);
	return o;
}

static struct json_object *
tls_print(const struct config *c, const struct tls_spec *t)
{
	struct json_object *o = json_object_new_object();
	struct json_object *certificates = json_object_new_array();
	size_t i;

	member_put_text(o, "serverName", t->name);
	put_list(o, "alpn", t->alpn.text, t->alpn.n);
	put_version(o, "minVersion", t->min);
	put_version(o, "maxVersion", t->max);
	put_list(o, "verifyPeerCertByName", t->verify_names.text, t->verify_names.n);
	put_pins(o, "pinnedPeerCertificateChainSha256", &t->chain_pins);
	put_pins(o, "pinnedPeerCertSha256", &t->pins);
	if (t->disable_system_root)
		member_put_flag(o, "disableSystemRoot", true);
	if (t->allow_insecure)
		member_put_flag(o, "allowInsecure", true);
	if (t->no_resumption)
		member_put_flag(o, "enableSessionResumption", false);
	for (i = 0; i < t->trusted.n; i++)
		json_object_array_add(
			certificates, certificate_print(c, &t->trusted.text[i]));
	member_put_filled(o, "certificates", certificates);
	return o;
}

static void
put_sockopt(struct json_object *stream, const struct sock_options *s)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "interface", s->interface);
	if (s->fast != SOCK_FAST_NEVER)
		member_put_flag(o, "tcpFastOpen", true);
	member_put_filled(stream, "sockopt", o);
}

struct json_object *
config_print_stream(const struct config *c, const struct outbound_spec *s)
{
	struct json_object *o = json_object_new_object();

	if (s->kind == OUTBOUND_VMESS) {
		put_carrier(o, &s->u.vmess.carrier);
		if (s->u.vmess.carrier.secured) {
			member_put_text(o, "security", "tls");
			member_put(
				o, "tlsSettings", tls_print(c, &s->u.vmess.carrier.tls));
		}
	}
	put_sockopt(o, &s->sock);
	if (json_object_object_length(o) > 0)
		return o;
	json_object_put(o);
	return NULL;
}
