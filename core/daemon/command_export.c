/* SPDX-License-Identifier: MIT */
#include "daemon/command.h"
#include "daemon/export.h"
#include "daemon/whole_file.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: sluice export -c FILE [TAG] [--uri]\n"
	"\n"
	"Prints the vmess:// link of an outbound: of the one with the tag TAG, else of the\n"
	"first VMess outbound.  What a link has no word for is said on standard error.  The\n"
	"link holds the user's id: who has it can use the server.\n"
	"\n"
	"  -c, --config FILE  the configuration; - for standard input\n"
	"      --uri          the form vmess://id@host:port?..., in place of v2rayN's\n";

enum { OPTION_URI = 256 };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "uri", no_argument, NULL, OPTION_URI },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void
line_print(struct config_say *say, const char *line)
{
	(void)say;
	fprintf(stderr, "warning: %s\n", line);
}

static int export(struct export_request *r, const char *path)
{
	struct config_say say = { line_print };
	char *text, *link = NULL;
	struct err e;
	int result;

	r->file = strcmp(path, "-") == 0 ? "standard input" : path;
	text = whole_file_open(path, r->file, &r->len, &e);
	r->text = text;
	result = text ? export_read(r, &say, &link, &e) : -1;
	whole_file_free(text, r->len);
	if (result < 0) {
		fprintf(stderr, "sluice: %s\n", e.text);
		return STATUS_WRONG;
	}
	puts(link);
	export_free(link);
	return STATUS_OK;
}

int
command_export(int argc, char **argv)
{
	struct export_request r = { 0 };
	const char *path = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			if (command_file_take(&path, optarg) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case OPTION_URI:
			r.uri = true;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return command_usage("export");
		}
	}
	if (!path || argc - optind > 1) {
		fputs("sluice: export takes -c FILE and at most one tag; see sluice "
		      "export --help\n",
			stderr);
		return STATUS_USAGE;
	}
	r.tag = argv[optind];
	return export(&r, path);
}
