/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "daemon/build.h"
#include "daemon/command.h"
#include "daemon/rules_gate.h"
#include "loop/loop.h"
#include "platform/sys.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static const char help[] =
	"usage: sluice check -c FILE [--data DIR] [--quiet]\n"
	"\n"
	"Reads a configuration and everything that it names, and touches nothing.  What is\n"
	"wrong comes as lines with the file and the path of the value, one for each rule,\n"
	"outbound or other part, up to 20, exit status 1; what is left out or has no effect\n"
	"comes as warnings on standard error.\n"
	"\n"
	"  -c, --config FILE  the configuration; - for standard input\n"
	"      --data DIR     where geosite.dat and country.mmdb are looked for after FILE's\n"
	"                     own directory, and before /var/lib/sluice, /usr/share/sluice\n"
	"                     and the folders of Xray and v2ray; in between also in\n"
	"                     $XRAY_LOCATION_ASSET, which `sluice run` does not ask\n"
	"  -q, --quiet        no warnings\n";

enum { OPTION_DATA = 256 };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "data", required_argument, NULL, OPTION_DATA },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* Which time servers the rules keep us from asking; what only an address would tell is
 * left for later. */
static void
time_servers_warn(struct command_setup *s, const struct setup *built)
{
	struct rules_gate g;
	struct outbound *o;
	char line[1024];
	struct err e;
	size_t i;

	rules_gate_init(&g, built);
	for (i = 0; i < s->config->nsntp; i++) {
		const struct time_server_spec *t = &s->config->sntp[i];

		if (g.gate.ask(&g.gate, &t->at, &o, &e) != TIME_GATE_SHUT)
			continue;
		snprintf(line, sizeof(line), "%s: is not asked for the time: %s", t->path,
			e.text);
		command_setup_warn(s, line);
	}
}

static void
interfaces_warn(struct command_setup *s)
{
	char line[BUILD_LINE];

	for (size_t i = 0; i < s->config->noutbound; i++)
		if (build_interface_lacks(&s->config->outbound[i], line))
			command_setup_warn(s, line);
}

/* All that `sluice run` would make of it, short of the system: certificates are read, and
 * what they lack is an error. */
static int
build(struct command_setup *s, struct err *e)
{
	struct outbound_env env = {
		.loop = loop_new(), .memory = tcp_memory_new(), .unix_time = sys_unix_time
	};
	struct setup *built = NULL;

	if (env.loop && env.memory) {
		built = build_setup(s->config, s->rules, &env, e);
		s->rules = NULL;
	} else {
		err_set(e, "no memory to start with");
	}
	if (built) {
		interfaces_warn(s);
		time_servers_warn(s, built);
	}
	setup_drop(built);
	if (env.loop)
		loop_free(env.loop);
	tcp_memory_free(env.memory);
	return built ? 0 : -1;
}

static int
check(struct command_setup *s, const char *path)
{
	const struct config *c;
	struct err e;
	int r;

	r = command_setup_load(s, path, &e);
	if (r == 0) {
		r = build(s, &e);
		if (r < 0)
			command_setup_fini(s);
	}
	if (r < 0) {
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
	struct command_setup s = { .every_error = true };
	const char *path = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "c:qh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			if (command_file_take(&path, optarg) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case OPTION_DATA:
			if (command_data_take(&s.data_dir, optarg) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case 'q':
			s.silent = true;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return command_usage("check");
		}
	}
	if (!path || optind != argc) {
		fputs("sluice: check takes -c FILE; see sluice check --help\n", stderr);
		return STATUS_USAGE;
	}
	/* What outbounds warn of at their start was said of the configuration already. */
	log_open(STDERR_FILENO, LOG_NONE, NULL);
	return check(&s, path);
}
