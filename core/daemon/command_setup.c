/* SPDX-License-Identifier: MIT */
#include "base/list.h"
#include "daemon/command.h"
#include "daemon/whole_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

int
command_data_take(const char **dir, const char *word)
{
	struct stat st;

	if (stat(word, &st) == -1 || !S_ISDIR(st.st_mode)) {
		fprintf(stderr, "sluice: --data %s: there is no such folder\n", word);
		return STATUS_USAGE;
	}
	*dir = word;
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

int
command_setup_load(struct command_setup *s, const char *path, struct err *e)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct printer printer = { { warning_print, s->every_error ? error_print : NULL },
		s };
	size_t len;
	char *text = whole_file_open(path, name, &len, e);

	if (!text)
		return -1;
	s->warnings = 0;
	s->config = config_read(name, text, len, &printer.say, e);
	whole_file_free(text, len);
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
