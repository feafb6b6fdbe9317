/* SPDX-License-Identifier: MIT */
#include "daemon/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: sluice geo ADDR [--db FILE] [-c FILE]\n"
	"       sluice geo --verify FILE\n"
	"\n"
	"Says which country an address is in, by the database that the rules ask.  Exit\n"
	"status 1 where the database has none.\n"
	"\n"
	"      --db FILE      a MaxMind database, in place of the one that is installed\n"
	"  -c, --config FILE  the configuration whose sluice.geoip counts\n"
	"      --verify FILE  only whether FILE is a database of countries\n";

enum { OPTION_DB = 256, OPTION_VERIFY };

static const struct option options[] = {
	{ "db", required_argument, NULL, OPTION_DB },
	{ "config", required_argument, NULL, 'c' },
	{ "verify", required_argument, NULL, OPTION_VERIFY },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct geo_request {
	const char *db, *verify, *config, *address;
};

static int
complain(const struct err *e)
{
	fprintf(stderr, "sluice: %s\n", e->text);
	return STATUS_WRONG;
}

static int
verify(const char *path)
{
	struct err e;
	struct geoip *g = geoip_open(path, &e);
	char text[256];

	if (!g)
		return complain(&e);
	printf("%s: %s\n", path, geoip_describe(g, text, sizeof(text)));
	geoip_free(g);
	return STATUS_OK;
}

/* Which file the rules would ask. 0, or -1 and why. */
static int
database_find(const struct geo_request *r, char path[static DATA_PATH], struct err *e)
{
	struct command_setup s = { .silent = true };
	struct data_files d;
	int result;

	if (r->db) {
		if ((size_t)snprintf(path, DATA_PATH, "%s", r->db) < DATA_PATH)
			return 0;
		return err_set(e, "the name of the database is too long");
	}
	if (!r->config) {
		data_files_init(&d, NULL, NULL);
		return d.files.open(&d.files, "geoip", path, DATA_PATH, e);
	}
	if (command_setup_load(&s, r->config, e) < 0)
		return -1;
	result = s.files.files.open(&s.files.files, "geoip", path, DATA_PATH, e);
	command_setup_fini(&s);
	return result;
}

static int
look_up(const struct geo_request *r)
{
	char path[DATA_PATH], text[256], cc[3] = "";
	struct geoip *g;
	struct err e;
	struct ip ip;
	int result;

	if (!ip_parse(&ip, r->address)) {
		fprintf(stderr, "sluice: %s is not an address\n", r->address);
		return STATUS_USAGE;
	}
	if (database_find(r, path, &e) < 0)
		return complain(&e);
	g = geoip_open(path, &e);
	if (!g)
		return complain(&e);
	result = geoip_country(g, &ip, cc);
	printf("%s: %s\n%s: %s\n", r->address,
		result == 0 && cc[0] ? cc : "no country in this database", path,
		geoip_describe(g, text, sizeof(text)));
	geoip_free(g);
	return result == 0 && cc[0] ? STATUS_OK : STATUS_WRONG;
}

int
command_geo(int argc, char **argv)
{
	struct geo_request r = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case OPTION_DB:
			r.db = optarg;
			break;
		case OPTION_VERIFY:
			r.verify = optarg;
			break;
		case 'c':
			if (command_file_take(&r.config, optarg) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return command_usage("geo");
		}
	}
	if (r.verify && optind == argc)
		return verify(r.verify);
	if (r.verify || optind + 1 != argc) {
		fputs("sluice: geo takes an address, or --verify FILE; see sluice geo "
		      "--help\n",
			stderr);
		return STATUS_USAGE;
	}
	r.address = argv[optind];
	return look_up(&r);
}
