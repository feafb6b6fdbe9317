/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "daemon/command.h"
#include "daemon/engine.h"
#include "daemon/version.h"
#include "keeper/keeper.h"
#include "platform/priv.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* `sluice run` and `sluice recover`: the two commands that change the system. */

enum { DEFAULT_LEVEL = -1 };

const char command_state_dir[] = "/run/sluice";

static const char run_help[] =
	"usage: sluice run -c FILE [--log LEVEL] [--data DIR] [--state DIR]\n"
	"\n"
	"Takes the traffic of this machine into a TUN device and sends each flow where the\n"
	"rules of FILE (Xray's or v2ray's config.json) say.  Needs root.  Stays in the\n"
	"foreground and logs to standard error; SIGTERM or Ctrl-C ends it, SIGHUP does not,\n"
	"and everything that it changed on the system is put back.\n"
	"\n"
	"  -c, --config FILE  the configuration\n"
	"      --log LEVEL    debug, info, warning, error or none; in place of log.loglevel\n"
	"      --data DIR     where geosite.dat and country.mmdb are looked for after FILE's\n"
	"                     own directory, and before /var/lib/sluice, /usr/share/sluice\n"
	"                     and the folders of Xray and v2ray\n"
	"      --state DIR    journal, lock, and where `sluice status` asks (default\n"
	"                     /run/sluice)\n";

static const char recover_help[] =
	"usage: sluice recover [--state DIR]\n"
	"\n"
	"Puts back what a sluice that was killed left on the system: routes, rules, the\n"
	"firewall table, the resolver.  Needs root.  The next `sluice run` does the same.\n"
	"Without its journal, as with another --state, routes, rules and the firewall are\n"
	"known by their names and numbers and removed; settings of the kernel are not.\n"
	"\n"
	"      --state DIR    journal and lock, as in `sluice run` (default /run/sluice)\n";

enum { OPTION_LOG = 256, OPTION_DATA, OPTION_STATE };

static const struct option run_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "log", required_argument, NULL, OPTION_LOG },
	{ "data", required_argument, NULL, OPTION_DATA },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const struct option recover_options[] = {
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int
level_option(int *level, const char *text)
{
	enum log_level l;

	if (!log_level_parse(&l, text)) {
		fprintf(stderr,
			"sluice: --log %s: one of debug, info, warning, error, none\n",
			text);
		return -1;
	}
	*level = (int)l;
	return 0;
}

/* 0 to go on, 1 when help was asked for, -1 when the words are wrong. */
static int
run_parse(int argc, char **argv, struct keeper_config *k, struct engine_options *o)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:h", run_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			if (command_file_take(&k->config_path, optarg) != STATUS_OK)
				return -1;
			break;
		case OPTION_LOG:
			if (level_option(&o->level, optarg) < 0)
				return -1;
			break;
		case OPTION_DATA:
			if (command_data_take(&k->data_dir, optarg) != STATUS_OK)
				return -1;
			break;
		case OPTION_STATE:
			k->state_dir = optarg;
			break;
		case 'h':
			return 1;
		default:
			command_usage("run");
			return -1;
		}
	}
	if (!k->config_path || optind != argc) {
		fputs("sluice: run takes -c FILE; see sluice run --help\n", stderr);
		return -1;
	}
	if (strcmp(k->config_path, "-") == 0) {
		fputs("sluice: run takes no standard input: FILE is read again when the "
		      "engine is started again\n",
			stderr);
		return -1;
	}
	return 0;
}

int
command_run(int argc, char **argv)
{
	struct engine_options o = { .level = DEFAULT_LEVEL };
	struct keeper_config k = { .version = SLUICE_VERSION,
		.state_dir = command_state_dir,
		.descriptors = engine_descriptors(),
		.engine = engine_run,
		.arg = &o };
	int r = run_parse(argc, argv, &k, &o);

	if (r != 0) {
		if (r > 0)
			fputs(run_help, stdout);
		return r > 0 ? 0 : 2;
	}
	if (!priv_is_root()) {
		fputs("sluice: run needs root, for the TUN device and the routes: "
		      "sudo sluice run -c FILE\n",
			stderr);
		return 1;
	}
	o.config_path = k.config_path;
	log_open(STDERR_FILENO, o.level >= 0 ? (enum log_level)o.level : LOG_INFO,
		"keeper");
	return keeper_run(&k);
}

int
command_recover(int argc, char **argv)
{
	const char *state = command_state_dir;
	struct err e;
	int option, n;

	while ((option = getopt_long(argc, argv, "h", recover_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(recover_help, stdout);
			return 0;
		}
		if (option != OPTION_STATE)
			return command_usage("recover");
		state = optarg;
	}
	if (optind != argc) {
		fputs("sluice: recover takes no words; see sluice recover --help\n",
			stderr);
		return 2;
	}
	log_open(STDERR_FILENO, LOG_INFO, "recover");
	n = keeper_recover(state, &e);
	if (n < 0) {
		fprintf(stderr, "sluice: %s\n", e.text);
		return 1;
	}
	if (n == 0 && state != command_state_dir && access(state, F_OK) == -1) {
		fprintf(stderr,
			"sluice: %s: %s: nothing was put back; name the --state that sluice "
			"was started with, if it was with any\n",
			state, strerror(errno));
		return 1;
	}
	printf("%s%d change%s put back\n", n == 0 ? "nothing was left: " : "", n,
		n == 1 ? "" : "s");
	return 0;
}
