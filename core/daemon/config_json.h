/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_JSON_H
#define DAEMON_CONFIG_JSON_H

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/config_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct outbound_row;

enum {
	WARNINGS_MAX = 200,
	SECONDS_MAX = 365 * 24 * 3600, /* of a policy */
};

/*
 * What the reading of one configuration shares.  Of a part of the file the first error is
 * kept, since the ones after it are often its children; then another part may be read
 * (config_goes_on), if more than one is wanted.
 */
struct config_reader {
	const char *file;
	struct config *config; /* NULL: of something else, which is imported */
	struct config_memory *memory;
	struct config_say *say; /* may be NULL */
	unsigned warnings;      /* said so far; after WARNINGS_MAX no more are */
	unsigned compared;      /* unknown keys for which a near one was looked for */
	struct err *err;
	bool failed;     /* in this part */
	unsigned errors; /* of all parts; `err` has the last one */
	bool unreached;  /* inside of an outbound that no rule leads to */

	struct outbound_row *row;
	size_t nrow;
};

/*
 * A value and where it stands.  `json` is NULL when it is absent (null is
 * absent).  Nodes are values that point at the node above, which must outlive
 * them.
 */
struct node {
	struct config_reader *reader;
	const struct node *up; /* NULL: the document */
	const char *key;       /* NULL: an element of a list */
	size_t index;
	struct json_object *json;
};

/* A member by its name without regard to case; of several the last. */
struct node node_get(const struct node *up, const char *key);
/* A list. A single value stands for a list of one; what is absent for an empty one. */
size_t node_count(const struct node *list);
struct node node_at(const struct node *list, size_t i);
/* The members of an object in the order of the file; n is the node of the value. */
bool node_is_object(const struct node *n);
bool node_is_list(const struct node *n);
bool node_is_number(const struct node *n);
/* A copy that lives as long as the configuration, for nodes below to point at. */
const struct node *node_keep(const struct node *n);
int node_each(const struct node *object, int (*each)(const struct node *n, void *arg),
	void *arg);

/* A part on which no other depends was read. True: it was right, or more errors are wanted. */
bool config_goes_on(struct config_reader *r);

/* "config.json: outbounds[0].settings", in the memory of the configuration. */
const char *node_path(const struct node *n);
/* An error at this value; -1. */
int node_fail(const struct node *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for what is right but not supported; where nothing leads to the outbound
 * that holds it, only a warning. -1 either way. */
int node_refuse(const struct node *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void node_warn(const struct node *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Foreign text for a message: without control characters, cut to fit. */
struct shown {
	char text[80];
};
struct shown shown(const char *s);

/* These leave *out alone where the value is absent. 0, or -1 after node_fail. */
int node_text(const struct node *n, const char **out);
int node_bool(const struct node *n, bool *out);
/* Numbers may be written as strings. `what`: "a port". */
int node_number(const struct node *n, const char *what, uint64_t min, uint64_t max,
	uint64_t *out);
int node_port(const struct node *n, uint16_t *out);
/* A NULL-ended list of strings; a single string is cut at its commas. */
int node_texts(const struct node *n, const char *const **out);
/* The index of a word in a NULL-ended list, without regard to case. 0 with *out -1 for a
 * word that is not there; the text may be NULL. */
int
node_word(const struct node *n, const char *const *words, int *out, const char **text);

/* null, false, 0, "", {} and []: what says nothing. */
bool node_is_empty(const struct node *n);

/* What becomes of a key. */
enum key_use {
	KEY_READ,    /* the reader asks for it */
	KEY_SPARED,  /* the same; without it nothing goes elsewhere or unprotected */
	KEY_SILENT,  /* has no meaning here, and nothing is lost */
	KEY_IDLE,    /* has no effect here, which is said unless it is empty */
	KEY_REFUSED, /* would change what is protected or where traffic goes */
};

struct key {
	const char *name; /* NULL ends a table */
	enum key_use use;
	const char *why; /* for KEY_IDLE and KEY_REFUSED; NULL: a general sentence */
};

/* Looks at every member of an object. Unknown ones get a warning; it is an error where one
 * is near to a key that is KEY_READ or KEY_REFUSED. */
int node_keys(const struct node *n, const struct key *keys);
/* The same, but unknown ones are errors. */
int node_keys_strict(const struct node *n, const struct key *keys);

/* The rest of the reader, a file each. 0, or -1 after node_fail. */
int config_read_inbounds(const struct node *root);
int config_read_outbounds(const struct node *root);
int config_read_routing(const struct node *root);
int config_read_dns(const struct node *root);
int config_read_own(const struct node *root);

/* An outbound of the file, before it is read in full. */
struct outbound_row {
	const struct node *node;
	const char *tag; /* "" when it has none */
	int kind;        /* enum outbound_kind, or -1 */
	bool reached;
};

/* Finds the outbounds, so that rules can be checked against them. */
int config_find_outbounds(const struct node *root);

/* A user's id, as vmess_id_parse takes it; a warning where it looks like a UUID of which
 * something is missing, since any word of 1 to 30 bytes is an id. The id is never shown. */
int node_id_parse(const struct node *n, const char *text, uint8_t id[static 16]);
/* settings of a vmess outbound. */
int config_read_vmess(const struct node *outbound, struct vmess_spec *v);
/* streamSettings of an outbound. */
int config_read_stream(const struct node *outbound, struct outbound_spec *spec);

#endif
