/* SPDX-License-Identifier: MIT */
#ifndef RULES_LOAD_H
#define RULES_LOAD_H

#include "base/bytes.h"
#include "rules/ruleset.h"

#include <stdint.h>

/* What lives while a rule set is loaded, and no longer. */

enum {
	DATA_FILES = 16,           /* different data files that one rule set may name */
	DATA_FILE_MAX = 256 << 20, /* bytes of one */
	LINES_MAX = 100            /* of doubts about values */
};

struct data_file {
	char *name;
	uint8_t *mem;
	size_t len;
};

struct loader {
	struct rules *rules;
	struct rules_files *files; /* NULL: there are none */
	struct data_file file[DATA_FILES];
	size_t nfile;
	struct rules_say *say; /* NULL: nobody listens */
	unsigned said;         /* at most LINES_MAX are */
	const char *path;      /* of the rule that is being read */
	const char *field;     /* of the rule that is being read; NULL: the rule itself */
	long index;            /* in the field's list; -1: the field itself */
	struct err *e;
};

/* A data file, read once; borrowed until the loader is through. NULL and a sentence. */
const struct data_file *data_file_get(struct loader *l, const char *name);
void data_files_free(struct loader *l);

/* These answer 0, or -1 with a sentence in l->e that begins with the value and names no
 * path of the configuration. */

/* Adds one value of an `ip` or `source` list. */
int address_value_load(struct loader *l, const char *value, struct address_match *m);
/* Adds one value of a `domain` list. */
int domain_value_load(struct loader *l, const char *value, struct domain_set *s);

/* A line about the value that is being read. */
void
loader_warn(struct loader *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Splits "FILE:LIST" as it stands after "ext:"; file has `cap` bytes. False when it is
 * not of that form. */
bool ext_split(const char *s, char *file, size_t cap, const char **list);
/* A list of a data file. */
int data_list_find(struct loader *l, const char *value, const char *file,
	const char *list, struct reader *fields);

#endif
