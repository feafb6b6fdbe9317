/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "base/text.h"
#include "daemon/config_text.h"
#include "daemon/import_parts.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *
parse(const char *name, const char *text, size_t len, struct err *e)
{
	struct json_tokener *t = json_tokener_new_ex(CONFIG_DEPTH_MAX + 2);
	struct json_object *json;
	struct config_spot spot;
	size_t end;

	if (!t) {
		err_set(e, "%s: no memory", name);
		return NULL;
	}
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	json = json_tokener_parse_ex(t, text, (int)len);
	end = json_tokener_get_parse_end(t);
	if (json_tokener_get_error(t) != json_tokener_success) {
		spot = config_text_spot(text, end);
		err_set(e, "%s:%u:%u: broken JSON: %s", name, spot.line, spot.column,
			json_tokener_error_desc(json_tokener_get_error(t)));
	}
	json_tokener_free(t);
	return json;
}

struct json_object *
import_json(const char *name, const char *text, size_t len, struct err *e)
{
	struct json_object *json = NULL;
	struct config_spot second;
	char *copy = malloc(len + 1);
	size_t n = len;

	if (!copy) {
		err_set(e, "%s: no memory", name);
		return NULL;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	/* What stands behind the first document is not read, as in Xray. */
	if (config_text_clean(name, copy, &n, &second, e) == 0)
		json = parse(name, copy, n, e);
	bytes_wipe(copy, len);
	free(copy);
	return json;
}
