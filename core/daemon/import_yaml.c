/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { YAML_TEXT_MAX = 4 << 20, YAML_DEPTH_MAX = 64 };

/* The objects that nodes of the document have become: a node that is named in many places
 * becomes one object with many references. */
struct made {
	struct json_object *json;
	bool begun; /* a node within itself is met while it is begun */
	bool ended;
};

struct walk {
	yaml_document_t *document;
	struct made *made;
	unsigned depth;
	const char *why; /* set once: what is wrong with the document */
};

static struct json_object *node_make(struct walk *w, int index);

static bool
is_plain(const yaml_node_t *n, const char *const *words)
{
	if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	while (*words && strcmp((const char *)n->data.scalar.value, *words) != 0)
		words++;
	return *words != NULL;
}

/* Numbers stay text: what is read here may be written either way. */
static struct json_object *
scalar_make(const yaml_node_t *n)
{
	static const char *const nothing[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const on[] = { "true", "True", "TRUE", NULL };
	static const char *const off[] = { "false", "False", "FALSE", NULL };

	if (is_plain(n, nothing))
		return NULL;
	if (is_plain(n, on) || is_plain(n, off))
		return json_object_new_boolean(is_plain(n, on));
	return json_object_new_string_len(
		(const char *)n->data.scalar.value, (int)n->data.scalar.length);
}

static struct json_object *
sequence_make(struct walk *w, const yaml_node_t *n)
{
	struct json_object *o = json_object_new_array();
	yaml_node_item_t *i;

	for (i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
		json_object_array_add(o, node_make(w, *i));
	return o;
}

/* Members of `from` (an object, or a list of them) that `o` does not have. */
static void
merge(struct json_object *o, struct json_object *from)
{
	size_t i, n;

	if (json_object_is_type(from, json_type_array)) {
		n = json_object_array_length(from);
		for (i = 0; i < n; i++)
			if (json_object_is_type(
				    json_object_array_get_idx(from, i), json_type_object))
				merge(o, json_object_array_get_idx(from, i));
		return;
	}
	if (!json_object_is_type(from, json_type_object))
		return;
	json_object_object_foreach(from, key, value)
	{
		if (!json_object_object_get_ex(o, key, NULL))
			json_object_object_add(o, key, json_object_get(value));
	}
}

static struct json_object *
mapping_make(struct walk *w, const yaml_node_t *n)
{
	struct json_object *o = json_object_new_object(), *value, *merged = NULL;
	const yaml_node_t *key;
	yaml_node_pair_t *p;

	for (p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		key = yaml_document_get_node(w->document, p->key);
		if (!key || key->type != YAML_SCALAR_NODE)
			continue;
		value = node_make(w, p->value);
		if (strcmp((const char *)key->data.scalar.value, "<<") == 0) {
			json_object_put(merged);
			merged = value;
		} else {
			json_object_object_add(
				o, (const char *)key->data.scalar.value, value);
		}
	}
	merge(o, merged);
	json_object_put(merged);
	return o;
}

/* A reference to what the node has become. */
static struct json_object *
node_make(struct walk *w, int index)
{
	yaml_node_t *n = yaml_document_get_node(w->document, index);
	struct made *m = &w->made[index];

	if (!n || w->why)
		return NULL;
	if (m->ended)
		return json_object_get(m->json);
	if (m->begun || w->depth == YAML_DEPTH_MAX) {
		w->why = m->begun ? "a part of it stands within itself"
				  : "is nested more than 64 deep";
		return NULL;
	}
	m->begun = true;
	w->depth++;
	switch (n->type) {
	case YAML_SCALAR_NODE:
		m->json = scalar_make(n);
		break;
	case YAML_SEQUENCE_NODE:
		m->json = sequence_make(w, n);
		break;
	case YAML_MAPPING_NODE:
		m->json = mapping_make(w, n);
		break;
	case YAML_NO_NODE:
		break;
	}
	w->depth--;
	m->ended = true;
	return json_object_get(m->json);
}

static struct json_object *
document_make(const char *name, yaml_document_t *document, struct err *e)
{
	size_t i, n = (size_t)(document->nodes.top - document->nodes.start);
	struct walk w = { .document = document };
	struct json_object *o = NULL;

	/* Nodes count from one. */
	w.made = calloc(n + 1, sizeof(*w.made));
	if (!w.made)
		w.why = "no memory";
	else if (n)
		o = node_make(&w, 1);
	for (i = 0; w.made && i <= n; i++)
		json_object_put(w.made[i].json);
	free(w.made);
	if (w.why || !json_object_is_type(o, json_type_object)) {
		err_set(e, "%s: broken YAML: %s", name,
			w.why ? w.why : "is no list of names and values");
		json_object_put(o);
		return NULL;
	}
	return o;
}

static int
depth_step(const yaml_event_t *event)
{
	if (event->type == YAML_SEQUENCE_START_EVENT ||
		event->type == YAML_MAPPING_START_EVENT)
		return 1;
	return event->type == YAML_SEQUENCE_END_EVENT ||
			event->type == YAML_MAPPING_END_EVENT
		? -1
		: 0;
}

static int
parser_fail(const char *name, const yaml_parser_t *parser, struct err *e)
{
	return err_set(e, "%s:%zu:%zu: broken YAML: %s", name,
		parser->problem_mark.line + 1, parser->problem_mark.column + 1,
		parser->problem ? parser->problem : "cannot be read");
}

/* The library takes a time for each token that grows with the depth, so the depth is looked
 * at before the document is loaded. */
static int
depth_check(const char *name, yaml_parser_t *parser, struct err *e)
{
	bool ended = false;
	yaml_event_t event;
	int depth = 0;

	while (!ended) {
		if (!yaml_parser_parse(parser, &event))
			return parser_fail(name, parser, e);
		depth += depth_step(&event);
		ended = event.type == YAML_DOCUMENT_END_EVENT ||
			event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (depth > YAML_DEPTH_MAX)
			return err_set(e,
				"%s:%zu: broken YAML: is nested more than %d deep", name,
				parser->mark.line + 1, YAML_DEPTH_MAX);
	}
	return 0;
}

static int
document_load(
	const char *name, yaml_parser_t *parser, struct json_object **o, struct err *e)
{
	yaml_document_t document;

	if (!yaml_parser_load(parser, &document))
		return parser_fail(name, parser, e);
	*o = document_make(name, &document, e);
	yaml_document_delete(&document);
	return *o ? 0 : -1;
}

struct json_object *
import_yaml(const char *name, const char *text, size_t len, struct err *e)
{
	struct json_object *o = NULL;
	yaml_parser_t parser;
	int pass, result = 0;

	if (len > YAML_TEXT_MAX) {
		err_set(e, "%s: larger than 4 MB of YAML", name);
		return NULL;
	}
	for (pass = 0; pass < 2 && result == 0; pass++) {
		if (!yaml_parser_initialize(&parser)) {
			err_set(e, "%s: no memory", name);
			return NULL;
		}
		yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
		result = pass == 0 ? depth_check(name, &parser, e)
				   : document_load(name, &parser, &o, e);
		yaml_parser_delete(&parser);
	}
	return o;
}
