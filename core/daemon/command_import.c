/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/command.h"
#include "daemon/data_files.h"
#include "daemon/import.h"
#include "daemon/import_file.h"
#include "daemon/whole_file.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: sluice import LINK|FILE|- [--direct CC]... [--all] [-o FILE]\n"
	"\n"
	"Prints a configuration for what you were given: a vmess:// link, a list of them\n"
	"(as it is, or in Base64), a configuration of Xray, V2Ray or sing-box, or Clash's\n"
	"YAML.  The first server is the one that is used; the others stand behind it, each\n"
	"with its name as its tag, for rules to name.  Of what else such files hold only\n"
	"sing-box's time server (ntp) is taken, into sluice.sntp.  What could not be carried\n"
	"over is said on standard error, one line each.  Then:\n"
	"\n"
	"  sluice import LINK -o config.json && sudo sluice run -c config.json\n"
	"\n"
	"Nothing is fetched.  For the address of a subscription:\n"
	"\n"
	"  curl -fsSL URL | sluice import -\n"
	"\n"
	"Without --direct everything goes through the server but what is addressed to\n"
	"private networks, such as the own LAN.  Applications' names are asked of 1.1.1.1\n"
	"and 8.8.8.8, through the server as all else; dns.servers has them.\n"
	"\n"
	"      --direct CC    addresses of a country (two letters) go directly, too; may be\n"
	"                     given more than once, or with several, by commas; this takes\n"
	"                     a country database, which tools/geodata fetches\n"
	"      --all          what is said above of no --direct\n"
	"  -o, --output FILE  write a new file, in place of standard output\n";

enum { OPTION_DIRECT = 256, OPTION_ALL };

static const struct option options[] = {
	{ "direct", required_argument, NULL, OPTION_DIRECT },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct import_request {
	const char *what, *output;
	bool all;
	char code[IMPORT_COUNTRIES_MAX][3];
	const char *direct[IMPORT_COUNTRIES_MAX + 1];
	size_t ndirect;
};

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
country_add(struct import_request *r, const char *s, size_t len)
{
	char *code = r->code[r->ndirect];

	if (len != 2 || r->ndirect == IMPORT_COUNTRIES_MAX)
		return false;
	code[0] = lower(s[0]);
	code[1] = lower(s[1]);
	if (code[0] < 'a' || code[0] > 'z' || code[1] < 'a' || code[1] > 'z')
		return false;
	r->direct[r->ndirect++] = code;
	return true;
}

static bool
countries_add(struct import_request *r, const char *s)
{
	const char *all = s;
	size_t len;

	for (;; s += len + 1) {
		len = strcspn(s, ",");
		if (!country_add(r, s, len)) {
			fprintf(stderr,
				"sluice: --direct %s: not a country in two letters, such "
				"as de\n",
				all);
			return false;
		}
		if (!s[len])
			return true;
	}
}

static void
line_print(struct config_say *say, const char *line)
{
	(void)say;
	fprintf(stderr, "warning: %s\n", line);
}

/* The rules that were asked for are there, but `sluice run` could not read what they name. */
static void
database_look(const struct import_request *r)
{
	struct data_files d;
	char path[DATA_PATH];
	struct err e;

	if (!r->ndirect)
		return;
	data_files_init(&d, r->output, NULL);
	if (d.files.open(&d.files, "geoip", path, sizeof(path), &e) < 0)
		fprintf(stderr,
			"warning: --direct: %s; until then sluice refuses the result\n",
			e.text);
}

static int
text_import(
	const struct import_request *r, const char *name, const char *text, size_t len)
{
	struct import_choices choices = { .direct = r->direct };
	struct config_say say = { line_print };
	char *out = NULL;
	struct err e;
	int result = import_read(name, text, len, &choices, &say, &out, &e);

	if (result == 0)
		result = import_file_write(r->output, out, &e);
	import_free(out);
	if (result == 0) {
		database_look(r);
		return STATUS_OK;
	}
	fprintf(stderr, "sluice: %s\n", e.text);
	return STATUS_WRONG;
}

static int
import(const struct import_request *r)
{
	const char *name = strcmp(r->what, "-") == 0 ? "standard input" : r->what;
	struct err e;
	size_t len;
	char *text;
	int status;

	if (strstr(r->what, "://"))
		return text_import(r, "link", r->what, strlen(r->what));
	text = whole_file_open(r->what, name, &len, &e);
	if (!text) {
		fprintf(stderr, "sluice: %s\n", e.text);
		return STATUS_WRONG;
	}
	status = text_import(r, name, text, len);
	whole_file_free(text, len);
	return status;
}

int
command_import(int argc, char **argv)
{
	struct import_request r = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		switch (option) {
		case OPTION_DIRECT:
			if (!countries_add(&r, optarg))
				return STATUS_USAGE;
			break;
		case OPTION_ALL:
			r.all = true;
			break;
		case 'o':
			r.output = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return command_usage("import");
		}
	}
	if (optind + 1 != argc || argv[optind][0] == '\0' || (r.all && r.ndirect)) {
		fputs("sluice: import takes a link, a file or -, and --direct or --all; "
		      "see sluice import --help\n",
			stderr);
		return STATUS_USAGE;
	}
	r.what = argv[optind];
	return import(&r);
}
