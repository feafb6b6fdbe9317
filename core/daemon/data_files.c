/* SPDX-License-Identifier: MIT */
#include "daemon/data_files.h"

#include "base/list.h"
#include "keeper/keeper.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char country_file[] = "country.mmdb";

static const char *const asset_variables[] = { "XRAY_LOCATION_ASSET",
	"V2RAY_LOCATION_ASSET", NULL };

static bool
try(const char *dir, const char *name, char *path, size_t cap)
{
	int n;

	if (!dir || !dir[0])
		return false;
	n = snprintf(path, cap, "%s/%s", dir, name);
	return n > 0 && (size_t)n < cap && access(path, R_OK) == 0;
}

static bool
found(const struct data_files *d, const char *name, char *path, size_t cap)
{
	size_t i;

	if (name[0] == '/')
		return (size_t)snprintf(path, cap, "%s", name) < cap &&
			access(path, R_OK) == 0;
	if (try(d->dir, name, path, cap))
		return true;
	if (try(d->data, name, path, cap))
		return true;
	for (i = 0; asset_variables[i]; i++)
		if (try(getenv(asset_variables[i]), name, path, cap))
			return true;
	for (i = 0; keeper_data_dirs[i]; i++)
		if (try(keeper_data_dirs[i], name, path, cap))
			return true;
	return false;
}

static int
find(struct rules_files *files, const char *name, char *path, size_t cap, struct err *e)
{
	const struct data_files *d = container_of(files, struct data_files, files);
	bool country = strcmp(name, "geoip") == 0;

	if (country)
		name = d->geoip ? d->geoip : country_file;
	if (found(d, name, path, cap))
		return 0;
	if (country && d->geoip)
		return err_set(
			e, "the country database %s (sluice.geoip) cannot be read", name);
	return err_set(e,
		"%s%s is neither beside the configuration nor in %s%s"
		"$XRAY_LOCATION_ASSET, $V2RAY_LOCATION_ASSET, /var/lib/sluice, or sluice, "
		"xray or v2ray in /usr/share or /usr/local/share%s",
		country ? "there is no country database: " : "", name,
		d->data ? d->data : "", d->data ? ", " : "",
		country ? "; tools/geodata in sluice's source fetches one, or "
			  "sluice.geoip names one"
			: "");
}

void
data_files_init(struct data_files *d, const char *config_path, const char *geoip)
{
	const char *slash = config_path ? strrchr(config_path, '/') : NULL;
	size_t len = slash ? (size_t)(slash - config_path) : 0;

	d->files.open = find;
	d->geoip = geoip;
	d->data = NULL;
	if (slash == config_path && slash)
		snprintf(d->dir, sizeof(d->dir), "/");
	else if (slash && len < sizeof(d->dir))
		snprintf(d->dir, sizeof(d->dir), "%.*s", (int)len, config_path);
	else
		snprintf(d->dir, sizeof(d->dir), ".");
}

void
data_files_also(struct data_files *d, const char *dir)
{
	d->data = dir;
}
