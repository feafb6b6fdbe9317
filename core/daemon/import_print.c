/* SPDX-License-Identifier: MIT */
#include "daemon/config_members.h"
#include "daemon/config_text.h"
#include "daemon/import_parts.h"

#include <stdio.h>
#include <string.h>

/* The configuration around the servers: the device, the rules, what applications ask. */

static struct json_object *
texts_print(const char *const *list, const char *prefix)
{
	struct json_object *o = json_object_new_array();
	char text[NAME_MAX_LEN + 8];

	for (; list && *list; list++) {
		snprintf(text, sizeof(text), "%s%s", prefix, *list);
		element_add_text(o, text);
	}
	return o;
}

static struct json_object *
rule_print(const char *const *countries)
{
	struct json_object *o = json_object_new_object();

	member_put(o, "ip", texts_print(countries, "geoip:"));
	member_put_text(o, "outboundTag", IMPORT_DIRECT_TAG);
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
		member_put(o, "domain", texts_print(names, "full:"));
	} else {
		ip_format(&at->ip, ip);
		member_put_texts(o, "ip", ips);
	}
	snprintf(port, sizeof(port), "%u", at->port);
	member_put_text(o, "port", port);
	member_put_text(o, "network", "udp");
	member_put_text(o, "outboundTag", IMPORT_DIRECT_TAG);
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
	element_add_text(list, text);
	member_put(o, "sntp", list);
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
	member_put_text(o, "domainStrategy", "AsIs");
	member_put(o, "rules", rules);
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

	member_put_texts(settings, "autoSystemRoutingTable", routes);
	member_put_flag(sniffing, "enabled", true);
	member_put_texts(sniffing, "destOverride", looked_for);
	member_put_text(in, "tag", "tun");
	member_put_text(in, "protocol", "tun");
	member_put(in, "settings", settings);
	member_put(in, "sniffing", sniffing);
	json_object_array_add(list, in);
	return list;
}

static struct json_object *
direct_print(void)
{
	struct json_object *o = json_object_new_object();

	member_put_text(o, "tag", IMPORT_DIRECT_TAG);
	member_put_text(o, "protocol", "freedom");
	return o;
}

static struct json_object *
document_print(struct import *im, const struct import_choices *c)
{
	static const char *const servers[] = { "1.1.1.1", "8.8.8.8", NULL };
	struct json_object *o = json_object_new_object();
	struct json_object *log = json_object_new_object(),
			   *dns = json_object_new_object();

	member_put_text(log, "loglevel", "info");
	member_put_texts(dns, "servers", servers);
	json_object_array_add(im->outbounds, direct_print());
	member_put(o, "log", log);
	member_put(o, "dns", dns);
	member_put(o, "inbounds", inbounds_print());
	member_put(o, "outbounds", json_object_get(im->outbounds));
	if (im->transport)
		member_put(o, "transport", json_object_get(im->transport));
	member_put(o, "routing", routing_print(im, c));
	if (im->time)
		member_put(o, "sluice", own_print(im->time));
	return o;
}

int
import_print(struct import *im, const struct import_choices *c, char **out, struct err *e)
{
	struct json_object *o = document_print(im, c);
	char *text = document_text_new(o);

	json_object_put(o);
	if (!text)
		return err_set(e, "%s: no memory", im->name);
	if (strlen(text) > CONFIG_TEXT_MAX) {
		document_text_free(text);
		return err_set(
			e, "%s: makes a configuration larger than 16 MB", im->name);
	}
	*out = text;
	return 0;
}

void
import_free(char *out)
{
	document_text_free(out);
}
