/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "base/list.h"
#include "daemon/command.h"
#include "daemon/config_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where warnings go. */
struct printer {
	struct config_say say;
	struct command_setup *setup;
};

int
command_usage(const char *command)
{
	fprintf(stderr, "sluice: see sluice %s --help\n", command);
	return STATUS_USAGE;
}

int
command_file_take(const char **file, const char *word)
{
	if (*file) {
		fprintf(stderr, "sluice: only one -c: %s and %s are two files\n", *file,
			word);
		return STATUS_USAGE;
	}
	*file = word;
	return STATUS_OK;
}

void
command_setup_warn(struct command_setup *s, const char *line)
{
	s->warnings++;
	if (!s->silent)
		fprintf(stderr, "warning: %s\n", line);
}

static void
warning_print(struct config_say *say, const char *line)
{
	command_setup_warn(container_of(say, struct printer, say)->setup, line);
}

static void
error_print(struct config_say *say, const char *line)
{
	(void)say;
	fprintf(stderr, "%s\n", line);
}

/* All of a file, NUL-terminated, to be freed with text_free. NULL and why. */
static char *
text_new(FILE *f, const char *name, size_t *len, struct err *e)
{
	size_t cap = 64 * 1024, n;
	char *text = malloc(cap), *more;

	*len = 0;
	while (text && (n = fread(text + *len, 1, cap - 1 - *len, f)) > 0) {
		*len += n;
		if (*len <= CONFIG_TEXT_MAX && *len + 1 < cap)
			continue;
		more = *len > CONFIG_TEXT_MAX ? NULL : realloc(text, cap *= 2);
		if (!more) {
			free(text);
			err_set(e, "%s: larger than 16 MB", name);
			return NULL;
		}
		text = more;
	}
	if (!text || ferror(f)) {
		err_set(e, "%s: %s", name, strerror(text ? errno : ENOMEM));
		free(text);
		return NULL;
	}
	text[*len] = '\0';
	return text;
}

static void
text_free(char *text, size_t len)
{
	if (text)
		bytes_wipe(text, len);
	free(text);
}

static char *
path_read(const char *path, const char *name, size_t *len, struct err *e)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text;

	if (!f) {
		err_set(e, "%s: %s", name, strerror(errno));
		return NULL;
	}
	errno = 0;
	text = text_new(f, name, len, e);
	if (f != stdin)
		fclose(f);
	return text;
}

int
command_setup_load(struct command_setup *s, const char *path, struct err *e)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct printer printer = { { warning_print, s->every_error ? error_print : NULL },
		s };
	size_t len;
	char *text = path_read(path, name, &len, e);

	if (!text)
		return -1;
	s->warnings = 0;
	s->config = config_read(name, text, len, &printer.say, e);
	text_free(text, len);
	if (!s->config)
		return -1;
	data_files_init(&s->files, path, s->config->geoip_file);
	data_files_also(&s->files, s->data_dir);
	if (config_rules(s->config, &s->files.files, &printer.say, &s->rules, e) == 0)
		return 0;
	config_free(s->config);
	return -1;
}

void
command_setup_fini(struct command_setup *s)
{
	rules_free(s->rules);
	config_free(s->config);
}
