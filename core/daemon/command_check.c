/* SPDX-License-Identifier: MIT */
#include "daemon/command.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: sluice check -c FILE [--quiet]\n"
	"\n"
	"Reads a configuration and everything that it names, and touches nothing.  What is\n"
	"wrong comes as one line with the file and the path of the value, exit status 1;\n"
	"what is left out or has no effect comes as warnings on standard error.\n"
	"\n"
	"  -c, --config FILE  the configuration; - for standard input\n"
	"  -q, --quiet        no warnings\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int
check(struct command_setup *s, const char *path)
{
	const struct config *c;
	struct err e;

	if (command_setup_load(s, path, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return STATUS_WRONG;
	}
	c = s->config;
	printf("%s: ok: %zu outbound%s, %zu rule%s, %u warning%s\n", c->file,
		c->noutbound, plural(c->noutbound), c->nrule, plural(c->nrule),
		s->warnings, plural(s->warnings));
	command_setup_fini(s);
	return STATUS_OK;
}

int
command_check(int argc, char **argv)
{
	struct command_setup s = { 0 };
	const char *path = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "c:qh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'q':
			s.silent = true;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	if (!path || optind != argc) {
		fputs("sluice: check takes -c FILE; see sluice check --help\n", stderr);
		return STATUS_USAGE;
	}
	return check(&s, path);
}
