/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", "take the traffic of this machine and send it where the rules say",
		command_run },
	{ "status", "say how the sluice that runs is, and what passed", command_status },
	{ "check", "read a configuration and say what is wrong with it", command_check },
	{ "explain", "say where a connection would go, and why", command_explain },
	{ "connect", "join standard input and output to a connection, like netcat",
		command_connect },
	{ "test", "go through an outbound step by step, and say what fails",
		command_test },
	{ "geo", "say which country an address is in", command_geo },
	{ "import", "make a configuration of a vmess:// link or what else you were given",
		command_import },
	{ "export", "print the vmess:// link of a server of a configuration",
		command_export },
	{ "uuid", "print a random id, or with -i the one that a word stands for",
		command_uuid },
	{ "recover", "put back what a sluice that was killed left behind",
		command_recover },
	{ "version", "print the versions of sluice and its libraries", command_version },
	{ "help", "print this, or the help of a command", command_help },
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void
usage_print(FILE *f)
{
	size_t i;

	fputs("usage: sluice COMMAND ...\n"
	      "\n"
	      "A VPN client: a TUN device, a router with countries, VMess or direct.\n"
	      "\n",
		f);
	for (i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-8s  %s\n", commands[i].name, commands[i].help);
	fputs("\nsluice COMMAND --help says more.\n", f);
}

static const struct command *
command_find(const char *name)
{
	const char *words[COMMANDS + 1], *near;
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
		words[i] = commands[i].name;
	}
	words[i] = NULL;
	near = text_nearest(name, words);
	fprintf(stderr, "sluice: there is no command %s%s%s%s; see sluice --help\n", name,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return NULL;
}

/* Standard output may be a full disk or a closed pipe. */
static int
output_end(int status)
{
	errno = EIO;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "sluice: standard output: %s\n", strerror(errno));
	return status == STATUS_OK ? STATUS_WRONG : status;
}

/* getopt begins its messages with argv[0]. */
static int
command_call(const struct command *c, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "sluice %s", c->name);
	argv[0] = name;
	return output_end(c->run(argc, argv));
}

int
command_help(int argc, char **argv)
{
	static char ask[] = "--help";
	const struct command *c;
	char *words[3];

	if (argc < 2 || argv[1][0] == '-') {
		usage_print(stdout);
		return STATUS_OK;
	}
	c = command_find(argv[1]);
	if (!c)
		return STATUS_USAGE;
	if (c->run == command_help) {
		usage_print(stdout);
		return STATUS_OK;
	}
	words[0] = argv[1];
	words[1] = ask;
	words[2] = NULL;
	optind = 0;
	return c->run(2, words);
}

int
main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		usage_print(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage_print(stdout);
		return output_end(STATUS_OK);
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] += 2;
	c = command_find(argv[1]);
	return c ? command_call(c, argc - 1, argv + 1) : STATUS_USAGE;
}
