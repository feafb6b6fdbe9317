/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/posix/resolvconf.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char theirs[] = "# by hand\nnameserver 192.0.2.1\nsearch example.org\n"
			     "options ndots:2\nnameserver 192.0.2.2"; /* no newline */

struct fixture {
	char dir[64], path[128], beside[128];
	struct ip server;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	memcpy(f->dir, "/tmp/sluice-unit-XXXXXX", 24);
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/resolv.conf", f->dir);
	snprintf(f->beside, sizeof f->beside, "%s/resolv.conf.sluice", f->dir);
	assert_true(ip_parse(&f->server, "198.18.0.53"));
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	char path[512];
	struct dirent *d;
	DIR *dir = opendir(f->dir);

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", f->dir, d->d_name);
		if (d->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	closedir(dir);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void
put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *
get(const char *path)
{
	static char text[8192];
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return NULL;
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = '\0';
	return text;
}

static void
take(struct fixture *f, char plan[static NET_PLAN])
{
	struct err e;

	assert_int_equal(resolvconf_plan(f->path, f->dir, plan, &e), 0);
	if (resolvconf_take(plan, &f->server, 1, &e) != 0)
		fail_msg("%s", e.text);
}

static void
restore(const char *plan)
{
	struct err e;

	if (resolvconf_restore(plan, &e) != 0)
		fail_msg("%s", e.text);
}

static void
a_file(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	char plan[NET_PLAN];
	const char *text;

	put(f->path, theirs);
	assert_int_equal(chmod(f->path, 0640), 0);
	assert_int_equal(stat(f->path, &before), 0);
	take(f, plan);
	text = get(f->path);
	assert_non_null(strstr(text, "\nnameserver 198.18.0.53\n"));
	assert_non_null(strstr(text, "\nsearch example.org\n"));
	assert_non_null(strstr(text, "\noptions ndots:2\n"));
	assert_null(strstr(text, "192.0.2."));
	assert_int_equal(stat(f->path, &after), 0);
	assert_int_equal(after.st_mode & 0777, 0644);
	restore(plan);
	assert_string_equal(get(f->path), theirs);
	assert_int_equal(stat(f->path, &after), 0);
	/* The very same file: owner, mode, times and all. */
	assert_true(after.st_ino == before.st_ino && after.st_mode == before.st_mode);
	assert_true(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
	assert_int_equal(access(f->beside, F_OK), -1);
	restore(plan);
	assert_string_equal(get(f->path), theirs);
}

static void
a_link(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN], target[128] = "", real[128];

	snprintf(real, sizeof real, "%s/real", f->dir);
	put(real, theirs);
	assert_int_equal(symlink("real", f->path), 0);
	take(f, plan);
	assert_non_null(strstr(get(f->path), "198.18.0.53"));
	assert_string_equal(get(real), theirs);
	restore(plan);
	assert_int_equal(readlink(f->path, target, sizeof target - 1), 4);
	assert_string_equal(target, "real");
}

static void
a_link_to_nothing(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN], target[128] = "";

	assert_int_equal(symlink("../run/nowhere", f->path), 0);
	take(f, plan);
	assert_non_null(strstr(get(f->path), "198.18.0.53"));
	restore(plan);
	assert_int_equal(readlink(f->path, target, sizeof target - 1), 14);
}

static void
none(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN];

	take(f, plan);
	assert_non_null(strstr(get(f->path), "198.18.0.53"));
	restore(plan);
	assert_int_equal(access(f->path, F_OK), -1);
	restore(plan);
}

/* The way for a file that is a mount, which only root can make. */
static void
in_place(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	char plan[NET_PLAN], saved[80];
	struct err e;

	put(f->path, theirs);
	assert_int_equal(chmod(f->path, 0604), 0);
	assert_int_equal(stat(f->path, &before), 0);
	snprintf(plan, sizeof plan, "copied %.120s %.60s/saved", f->path, f->dir);
	/* Killed before anything happened. */
	restore(plan);
	assert_string_equal(get(f->path), theirs);
	assert_int_equal(resolvconf_take(plan, &f->server, 1, &e), 0);
	assert_non_null(strstr(get(f->path), "198.18.0.53"));
	restore(plan);
	assert_string_equal(get(f->path), theirs);
	assert_int_equal(stat(f->path, &after), 0);
	assert_true(after.st_ino == before.st_ino && after.st_mode == before.st_mode);
	/* It was empty, and could not be written: it is as it was. */
	put(f->path, "");
	assert_int_equal(stat(f->path, &before), 0);
	snprintf(saved, sizeof saved, "%.60s/saved", f->dir);
	put(saved, "");
	restore(plan);
	assert_int_equal(stat(f->path, &after), 0);
	assert_true(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec &&
		after.st_mtim.tv_sec == before.st_mtim.tv_sec);
	assert_int_equal(access(saved, F_OK), -1);
	put(f->path, theirs);
	/* Killed between emptying and writing. */
	assert_int_equal(resolvconf_take(plan, &f->server, 1, &e), 0);
	put(f->path, "");
	restore(plan);
	assert_string_equal(get(f->path), theirs);
}

static void
somebody_else_wrote(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN];

	put(f->path, theirs);
	take(f, plan);
	put(f->path, "nameserver 192.0.2.77\n");
	restore(plan);
	assert_string_equal(get(f->path), "nameserver 192.0.2.77\n");
	assert_int_equal(access(f->beside, F_OK), -1);
}

/* Killed after the new file was made and before it got its name. */
static void
killed_half_way(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN];
	struct err e;

	put(f->path, theirs);
	assert_int_equal(resolvconf_plan(f->path, f->dir, plan, &e), 0);
	put(f->beside, "# Written by sluice\n");
	restore(plan);
	assert_string_equal(get(f->path), theirs);
	assert_int_equal(access(f->beside, F_OK), -1);
}

static void
rescue_after_power_failure(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN];
	struct err e;

	put(f->path, theirs);
	assert_int_equal(resolvconf_rescue(f->path, &e), 0);
	take(f, plan);
	assert_int_equal(resolvconf_rescue(f->path, &e), 1);
	assert_string_equal(get(f->path), theirs);
	assert_int_equal(resolvconf_rescue(f->path, &e), 0);
}

/* The same where nothing lies beside it. */
static void
rescue_by_itself(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN], saved[80];
	struct net_resolvers r;
	struct err e;

	take(f, plan);
	assert_int_equal(resolvconf_rescue(f->path, &e), 1);
	assert_int_equal(access(f->path, F_OK), -1);
	put(f->path, theirs);
	snprintf(saved, sizeof saved, "%.60s/saved", f->dir);
	snprintf(plan, sizeof plan, "copied %.120s %.60s", f->path, saved);
	assert_int_equal(resolvconf_take(plan, &f->server, 1, &e), 0);
	/* Whoever reads it finds our server alone. */
	assert_int_equal(resolvconf_read(f->path, &r), 0);
	assert_true(r.n == 1 && ip_equal(&r.at[0].ip, &f->server));
	assert_int_equal(unlink(saved), 0);
	assert_int_equal(resolvconf_rescue(f->path, &e), 1);
	/* But for the end of its last line. */
	assert_memory_equal(get(f->path), theirs, sizeof theirs - 1);
	assert_string_equal(get(f->path) + sizeof theirs - 1, "\n");
	put(f->path, "# Written by sluice\nnameserver 198.18.0.53\n");
	assert_int_equal(resolvconf_rescue(f->path, &e), -1);
	assert_non_null(strstr(e.text, "write your name servers into it"));
}

static void
not_a_file(void **state)
{
	struct fixture *f = *state;
	char plan[NET_PLAN];
	struct err e;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(resolvconf_plan(f->path, f->dir, plan, &e), -1);
}

static void
bad_plans(void **state)
{
	static const char *const bad[] = { "", "moved", "moved a b", "copied /a",
		"burnt /a", "absent" };
	struct fixture *f = *state;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(resolvconf_restore(bad[i], &e), -1);
		assert_int_equal(resolvconf_take(bad[i], &f->server, 1, &e), -1);
	}
}

static void
reads(void **state)
{
	struct fixture *f = *state;
	struct net_resolvers r;
	char text[ENDPOINT_TEXT];

	put(f->path,
		"# nameserver 192.0.2.9\n;nameserver 192.0.2.8\n"
		"  nameserver\t192.0.2.1  \r\nnameserver 2001:db8::1\n"
		"nameserver fe80::1%eth0\nnameserver\nnameserver x\n"
		"search a.example b.example\nsearch c.example  d.example\n"
		"nameserver 192.0.2.2");
	assert_int_equal(resolvconf_read(f->path, &r), 0);
	assert_int_equal(r.n, 3);
	assert_string_equal(endpoint_format(&r.at[0], text), "192.0.2.1:53");
	assert_string_equal(endpoint_format(&r.at[1], text), "[2001:db8::1]:53");
	assert_string_equal(endpoint_format(&r.at[2], text), "192.0.2.2:53");
	assert_string_equal(r.search, "c.example d.example");
	put(f->path, "");
	assert_int_equal(resolvconf_read(f->path, &r), 0);
	assert_int_equal(r.n, 0);
	assert_true(resolvconf_read(f->beside, &r) < 0);
}

static void
has_limits(void **state)
{
	struct fixture *f = *state;
	struct net_resolvers r;
	FILE *file = fopen(f->path, "we");
	int i;

	assert_non_null(file);
	fputs("search", file);
	for (i = 0; i < 100; i++)
		fprintf(file, " name%d.example", i);
	fputs("\n", file);
	for (i = 0; i < 20; i++)
		fprintf(file, "nameserver 192.0.2.%d\n", i + 1);
	fclose(file);
	assert_int_equal(resolvconf_read(f->path, &r), 0);
	assert_int_equal(r.n, NET_RESOLVERS);
	assert_true(strlen(r.search) < NET_SEARCH);
	assert_non_null(strstr(r.search, "name0.example name1.example"));
	assert_string_equal(r.search + strlen(r.search) - 8, ".example");
	file = fopen(f->path, "we");
	assert_non_null(file);
	for (i = 0; i < 70000; i++)
		fputc('\n', file);
	fclose(file);
	assert_true(resolvconf_read(f->path, &r) < 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file),
		TEST(a_link),
		TEST(a_link_to_nothing),
		TEST(none),
		TEST(in_place),
		TEST(somebody_else_wrote),
		TEST(killed_half_way),
		TEST(rescue_after_power_failure),
		TEST(rescue_by_itself),
		TEST(not_a_file),
		TEST(bad_plans),
		TEST(reads),
		TEST(has_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
