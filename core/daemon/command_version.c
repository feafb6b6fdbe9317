/* SPDX-License-Identifier: MIT */
#include "daemon/command.h"
#include "daemon/version.h"

#include <stdio.h>
#include <string.h>

/* What it was built with; the rooms that use a library are the only ones that include it,
 * so the build tells. */
static const struct {
	const char *name, *version;
} libraries[] = {
	{ "libuv", UV_VERSION },
	{ "json-c", JSONC_VERSION },
	{ "libmaxminddb", MAXMINDDB_VERSION },
	{ "pcre2", PCRE2_VERSION },
	{ "libyaml", YAML_VERSION },
	{ "libmnl", MNL_VERSION },
	{ "libcap-ng", CAPNG_VERSION },
	{ "lwIP", LWIP_VERSION },
	{ "BearSSL", "" },
	{ "OpenSSL", OPENSSL_VERSION },
};

static const char help[] =
	"usage: sluice version\n"
	"\n"
	"The version of sluice, and of the libraries that it was built "
	"with.\n";

int
command_version(int argc, char **argv)
{
	size_t i;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return STATUS_OK;
	}
	if (argc > 1) {
		fputs("sluice: version takes no words\n", stderr);
		return STATUS_USAGE;
	}
	printf("sluice %s\n", SLUICE_VERSION);
	for (i = 0; i < sizeof(libraries) / sizeof(*libraries); i++)
		printf("  %s%s%s\n", libraries[i].name,
			libraries[i].version[0] ? " " : "", libraries[i].version);
	return STATUS_OK;
}
