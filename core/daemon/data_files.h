/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_DATA_FILES_H
#define DAEMON_DATA_FILES_H

#include "base/err.h"
#include "rules/rules.h"

enum { DATA_PATH = 1024 };

/*
 * Data files for a process that may open them itself: beside the configuration,
 * where $XRAY_LOCATION_ASSET and $V2RAY_LOCATION_ASSET say, and where systems
 * keep them.
 */
struct data_files {
	struct rules_files files;
	char dir[DATA_PATH]; /* of the configuration */
	const char *data;    /* another place to look, borrowed; NULL: none */
	const char *geoip;   /* sluice.geoip, borrowed; NULL: country.mmdb */
};

/* `config_path` NULL or "-": the working directory. */
void data_files_init(struct data_files *d, const char *config_path, const char *geoip);
/* Where else to look before the system's places; borrowed, NULL for nowhere. */
void data_files_also(struct data_files *d, const char *dir);

#endif
