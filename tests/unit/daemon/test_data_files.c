/* SPDX-License-Identifier: MIT */
#include "daemon/data_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A folder of its own with some files in it, gone at the end. */
static char dir[] = "/tmp/sluice-data-XXXXXX";

static const char *const made[] = { "geosite.dat", "country.mmdb", "own.mmdb" };

static int
make(void **state)
{
	char path[256];
	size_t i;
	FILE *f;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	for (i = 0; i < sizeof(made) / sizeof(*made); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
		f = fopen(path, "w");
		if (!f || fclose(f) != 0)
			return -1;
	}
	return 0;
}

static int
clear(void **state)
{
	char path[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(made) / sizeof(*made); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void
expect_file(struct data_files *d, const char *name, const char *want)
{
	char path[DATA_PATH], full[256];
	struct err e = { "" };

	snprintf(full, sizeof(full), "%s/%s", dir, want);
	if (d->files.open(&d->files, name, path, sizeof(path), &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(path, full);
}

static void
beside_the_configuration(void **state)
{
	struct data_files d;
	char config[256];

	(void)state;
	snprintf(config, sizeof(config), "%s/config.json", dir);
	data_files_init(&d, config, NULL);
	expect_file(&d, "geosite.dat", "geosite.dat");
	expect_file(&d, "geoip", "country.mmdb");
	data_files_init(&d, config, "own.mmdb");
	expect_file(&d, "geoip", "own.mmdb");
}

static void
where_the_environment_says(void **state)
{
	struct data_files d;

	(void)state;
	setenv("XRAY_LOCATION_ASSET", dir, 1);
	data_files_init(&d, "config.json", NULL);
	expect_file(&d, "geosite.dat", "geosite.dat");
	unsetenv("XRAY_LOCATION_ASSET");
	setenv("V2RAY_LOCATION_ASSET", dir, 1);
	expect_file(&d, "geosite.dat", "geosite.dat");
	unsetenv("V2RAY_LOCATION_ASSET");
}

static void
says_what_is_missing(void **state)
{
	struct data_files d;
	char path[DATA_PATH];
	struct err e;

	(void)state;
	data_files_init(&d, "/nonexistent/config.json", "/nonexistent/x.mmdb");
	assert_int_equal(d.files.open(&d.files, "geoip", path, sizeof(path), &e), -1);
	assert_string_equal(e.text,
		"the country database /nonexistent/x.mmdb "
		"(sluice.geoip) cannot be read");
	assert_int_equal(
		d.files.open(&d.files, "no-such.dat", path, sizeof(path), &e), -1);
	assert_non_null(strstr(e.text, "no-such.dat is neither beside"));
	data_files_init(&d, "/nonexistent/config.json", NULL);
	data_files_also(&d, "/nonexistent/data");
	/* One may be installed here. */
	if (d.files.open(&d.files, "geoip", path, sizeof(path), &e) == 0)
		return;
	assert_non_null(strstr(e.text,
		"country.mmdb is neither beside the configuration nor in "
		"/nonexistent/data, $XRAY_LOCATION_ASSET, "));
	assert_non_null(strstr(e.text, "xray or v2ray in /usr/share or"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_the_configuration),
		cmocka_unit_test(where_the_environment_says),
		cmocka_unit_test(says_what_is_missing),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
