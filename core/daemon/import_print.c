/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "daemon/config_text.h"
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The configuration around the servers: the device, the rules, what applications ask. */

static struct json_object *
texts_print(const char *const *list, const char *prefix)
{
	struct json_object *o = json_object_new_array();
	char text[NAME_MAX_LEN + 8];

	for (; list && *list; list++) {
		snprintf(text, sizeof(text), "%s%s", prefix, *list);
		json_object_array_add(o, json_object_new_string(text));
	}
	return o;
}

static struct json_object *
rule_print(const char *const *countries)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "ip", texts_print(countries, "geoip:"));
	json_object_object_add(
		o, "outboundTag", json_object_new_string(IMPORT_DIRECT_TAG));
	return o;
}

/* The time server is asked directly, as its own program did. */
static struct json_object *
time_rule_print(const struct target *at)
{
	struct json_object *o = json_object_new_object();
	char ip[IP_TEXT], port[8];
	const char *const ips[] = { ip, NULL }, *const names[] = { at->name, NULL };

	if (at->name) {
		json_object_object_add(o, "domain", texts_print(names, "full:"));
	} else {
		ip_format(&at->ip, ip);
		json_object_object_add(o, "ip", texts_print(ips, ""));
	}
	snprintf(port, sizeof(port), "%u", at->port);
	json_object_object_add(o, "port", json_object_new_string(port));
	json_object_object_add(o, "network", json_object_new_string("udp"));
	json_object_object_add(
		o, "outboundTag", json_object_new_string(IMPORT_DIRECT_TAG));
	return o;
}

/* What only sluice has a word for. */
static struct json_object *
own_print(const struct target *at)
{
	const struct endpoint e = { at->ip, at->port };
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	char text[NAME_MAX_LEN + 8];

	if (at->name)
		snprintf(text, sizeof(text), "%s:%u", at->name, at->port);
	else
		endpoint_format(&e, text);
	json_object_array_add(list, json_object_new_string(text));
	json_object_object_add(o, "sntp", list);
	return o;
}

/* No rule for the rest: it goes to the first outbound. */
static struct json_object *
routing_print(const struct import *im, const struct import_choices *c)
{
	static const char *const lan[] = { "private", NULL };
	struct json_object *o = json_object_new_object();
	struct json_object *rules = json_object_new_array();

	json_object_array_add(rules, rule_print(lan));
	if (c->direct && c->direct[0])
		json_object_array_add(rules, rule_print(c->direct));
	if (im->time)
		json_object_array_add(rules, time_rule_print(im->time));
	json_object_object_add(o, "domainStrategy", json_object_new_string("AsIs"));
	json_object_object_add(o, "rules", rules);
	return o;
}

static struct json_object *
inbounds_print(void)
{
	static const char *const routes[] = { "0.0.0.0/0", "::/0", NULL };
	static const char *const looked_for[] = { "http", "tls", NULL };
	struct json_object *list = json_object_new_array(),
			   *in = json_object_new_object();
	struct json_object *settings = json_object_new_object();
	struct json_object *sniffing = json_object_new_object();

	json_object_object_add(
		settings, "autoSystemRoutingTable", texts_print(routes, ""));
	json_object_object_add(sniffing, "enabled", json_object_new_boolean(true));
	json_object_object_add(sniffing, "destOverride", texts_print(looked_for, ""));
	json_object_object_add(in, "tag", json_object_new_string("tun"));
	json_object_object_add(in, "protocol", json_object_new_string("tun"));
	json_object_object_add(in, "settings", settings);
	json_object_object_add(in, "sniffing", sniffing);
	json_object_array_add(list, in);
	return list;
}

static struct json_object *
direct_print(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "tag", json_object_new_string(IMPORT_DIRECT_TAG));
	json_object_object_add(o, "protocol", json_object_new_string("freedom"));
	return o;
}

static struct json_object *
document_print(struct import *im, const struct import_choices *c)
{
	static const char *const servers[] = { "1.1.1.1", "8.8.8.8", NULL };
	struct json_object *o = json_object_new_object();
	struct json_object *log = json_object_new_object(),
			   *dns = json_object_new_object();

	json_object_object_add(log, "loglevel", json_object_new_string("info"));
	json_object_object_add(dns, "servers", texts_print(servers, ""));
	json_object_array_add(im->outbounds, direct_print());
	json_object_object_add(o, "log", log);
	json_object_object_add(o, "dns", dns);
	json_object_object_add(o, "inbounds", inbounds_print());
	json_object_object_add(o, "outbounds", json_object_get(im->outbounds));
	if (im->transport)
		json_object_object_add(o, "transport", json_object_get(im->transport));
	json_object_object_add(o, "routing", routing_print(im, c));
	if (im->time)
		json_object_object_add(o, "sluice", own_print(im->time));
	return o;
}

int
import_print(struct import *im, const struct import_choices *c, char **out, struct err *e)
{
	struct json_object *o = document_print(im, c);
	const char *s = json_object_to_json_string_ext(o,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
			JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t len = s ? strlen(s) : 0;

	if (len + 1 > CONFIG_TEXT_MAX) {
		json_object_put(o);
		return err_set(
			e, "%s: makes a configuration larger than 16 MB", im->name);
	}
	*out = s ? malloc(len + 2) : NULL;
	if (*out) {
		memcpy(*out, s, len);
		memcpy(*out + len, "\n", 2);
	}
	json_object_put(o);
	return *out ? 0 : err_set(e, "%s: no memory", im->name);
}

void
import_free(char *out)
{
	if (out)
		bytes_wipe(out, strlen(out));
	free(out);
}
