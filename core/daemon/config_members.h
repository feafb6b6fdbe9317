/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_MEMBERS_H
#define DAEMON_CONFIG_MEMBERS_H

#include <json-c/json.h>
#include <stdbool.h>

/* Members of objects, and elements of lists, in JSON that is written. */

/* Takes the reference to `v`. */
void member_put(struct json_object *o, const char *key, struct json_object *v);
/* Takes the reference to `v`, and leaves an empty object or list out. */
void member_put_filled(struct json_object *o, const char *key, struct json_object *v);
void
member_put_text(struct json_object *o, const char *key, const char *s); /* "": none */
void member_put_number(struct json_object *o, const char *key, int64_t n);
void member_put_flag(struct json_object *o, const char *key, bool value);
/* A NULL-ended list; nothing for NULL. */
void member_put_texts(struct json_object *o, const char *key, const char *const *list);
void element_add_text(struct json_object *list, const char *s);

/* The document as people read it, with a line's end, to be freed by document_text_free.
 * NULL without memory. */
char *document_text_new(struct json_object *o);
void document_text_free(char *text); /* wipes it; NULL is fine */

#endif
