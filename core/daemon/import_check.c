/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include "outbound/vmess.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/*
 * One server that the configuration's reader refuses would void the file with all the
 * others, so each is read and built here as `sluice check` will do it, as the only
 * outbound of a file.
 */

/* Behind "outbounds[0]" and the mark that follows: all servers stand there when they are
 * checked. */
static const char *
place_cut(const char *why)
{
	static const char place[] = "outbounds[0]";
	const char *s = strstr(why, place);

	if (!s)
		return why;
	s += strlen(place);
	return s + strspn(s, ".: ");
}

static struct config *
alone_read(struct import *im, struct json_object *out, struct err *e)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct config *c;
	const char *text;

	json_object_array_add(list, json_object_get(out));
	json_object_object_add(o, "outbounds", list);
	if (im->transport)
		json_object_object_add(o, "transport", json_object_get(im->transport));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	c = config_read("the result", text, strlen(text), NULL, e);
	json_object_put(o);
	return c;
}

static void
files_note(const struct node *at, const struct config *c)
{
	const struct config_certificate *f;

	for (f = c->certificate; f; f = f->next)
		node_warn(at,
			"the file %s is not looked at here; it is to be where the result names it",
			shown(f->file).text);
}

/* NULL and why. */
static struct outbound *
alone_build(struct import *im, struct config *c, struct err *e)
{
	struct outbound_env env = { .tls_library = c->tls };
	struct tls_spec *tls = &c->outbound[0].u.vmess.carrier.tls;

	if (!im->tls)
		im->tls = tls_stock_new(NULL, 1);
	env.tls = im->tls;
	/* That this machine has authorities to trust is no matter of the server. */
	tls->disable_system_root = true;
	/* Files lie where the configuration will be. */
	if (c->certificate)
		tls->trusted.n = 0;
	return outbound_new(&c->outbound[0], &env, e);
}

int
import_check(struct import *im, const struct node *at, struct json_object *out,
	char dead[static IMPORT_DEAD_MAX])
{
	struct err e = { "" };
	struct config *c = alone_read(im, out, &e);
	struct outbound *built = NULL;

	dead[0] = '\0';
	if (c)
		built = alone_build(im, c, &e);
	if (built)
		files_note(at, c);
	if (built && vmess_dead(built))
		snprintf(dead, IMPORT_DEAD_MAX, "%s", vmess_dead(built));
	outbound_drop(built);
	config_free(c);
	return built ? 0 : node_fail(at, "%s", place_cut(e.text));
}
