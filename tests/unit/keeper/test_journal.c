/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "keeper/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The changes here are replacements of a resolv.conf in a folder of the test,
 * which can be undone by anybody; two of them, and the order shows.
 */
struct fixture {
	char dir[64];
	struct journal journal;
};

static void
file_put(const struct fixture *f, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *
file_get(const struct fixture *f, const char *name)
{
	static char text[4096];
	char path[128];
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = '\0';
	return text;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e;

	log_open(2, LOG_NONE, NULL);
	assert_non_null(f);
	memcpy(f->dir, "/tmp/sluice-unit-XXXXXX", 24);
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(journal_open(&f->journal, f->dir, &e), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "journal", "journal.new", "journal.damaged",
		"a", "a.sluice", "b", "b.sluice", "c", "c.sluice" };
	struct fixture *f = *state;
	char path[128];
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static struct change
moved(const struct fixture *f, const char *name, enum change_class until)
{
	struct change c = { .until = until, .kind = CHANGE_RESOLVER };

	snprintf(c.u.plan, sizeof c.u.plan, "moved %s/%s", f->dir, name);
	return c;
}

/* As if the change had been made: ours under the name, theirs beside it. */
static void
take(const struct fixture *f, const char *name)
{
	char beside[32];

	snprintf(beside, sizeof beside, "%s.sluice", name);
	file_put(f, name, "# Written by sluice\n");
	file_put(f, beside, name);
}

/* Noted, and made. */
static void
made(struct fixture *f, const char *name, enum change_class until)
{
	struct change c = moved(f, name, until);
	struct err e;

	assert_int_equal(journal_add(&f->journal, &c, &e), 0);
	take(f, name);
}

static void
is_on_disk_before(void **state)
{
	struct fixture *f = *state;
	struct change c = moved(f, "a", CHANGE_SESSION);
	struct journal again;
	char path[128];
	struct stat st;
	struct err e;

	assert_int_equal(journal_add(&f->journal, &c, &e), 0);
	assert_int_equal(journal_open(&again, f->dir, &e), 0);
	assert_int_equal(again.n, 1);
	assert_string_equal(again.change[0].u.plan, c.u.plan);
	snprintf(path, sizeof path, "%s/journal", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	journal_drop(&f->journal);
	assert_null(file_get(f, "journal"));
}

static void
undoes_the_session_only(void **state)
{
	struct fixture *f = *state;

	made(f, "a", CHANGE_SESSION);
	made(f, "b", CHANGE_GUARD);
	made(f, "c", CHANGE_SESSION);
	assert_true(journal_has_session(&f->journal));
	assert_int_equal(journal_undo(&f->journal, 0), 2);
	assert_false(journal_has_session(&f->journal));
	assert_int_equal(f->journal.n, 1);
	assert_string_equal(file_get(f, "a"), "a");
	assert_string_equal(file_get(f, "b"), "# Written by sluice\n");
	assert_string_equal(file_get(f, "c"), "c");
	assert_non_null(strstr(file_get(f, "journal"), "guard resolver moved"));
	assert_null(strstr(file_get(f, "journal"), "session"));
}

/* Both changes are of one file; only newest first brings the oldest state back. */
static void
undoes_newest_first(void **state)
{
	struct fixture *f = *state;
	struct change c;
	struct err e;

	made(f, "a", CHANGE_SESSION);
	c = moved(f, "a.sluice", CHANGE_SESSION);
	assert_int_equal(journal_add(&f->journal, &c, &e), 0);
	file_put(f, "a.sluice", "# Written by sluice\n");
	file_put(f, "a.sluice.sluice", "oldest");
	assert_int_equal(journal_undo(&f->journal, 0), 2);
	assert_string_equal(file_get(f, "a"), "oldest");
}

static void
undoes_from_a_number(void **state)
{
	struct fixture *f = *state;

	made(f, "a", CHANGE_SESSION);
	made(f, "b", CHANGE_SESSION);
	assert_int_equal(journal_undo(&f->journal, 1), 1);
	assert_string_equal(file_get(f, "b"), "b");
	assert_string_equal(file_get(f, "a"), "# Written by sluice\n");
	assert_int_equal(f->journal.n, 1);
}

/* What cannot be undone stays, and stops nothing else. */
static void
undoes_one_alone(void **state)
{
	struct fixture *f = *state;
	struct change c[] = { moved(f, "a", CHANGE_SESSION),
		moved(f, "b", CHANGE_SESSION) };
	struct err e;
	size_t i;

	take(f, "a");
	take(f, "b");
	for (i = 0; i < 2; i++)
		assert_int_equal(journal_add(&f->journal, &c[i], &e), 0);
	assert_true(journal_undo_one(&f->journal, 0));
	assert_string_equal(file_get(f, "a"), "a");
	assert_string_equal(file_get(f, "b"), "# Written by sluice\n");
	assert_int_equal(f->journal.n, 1);
	assert_non_null(strstr(file_get(f, "journal"), "/b"));
	assert_null(strstr(file_get(f, "journal"), "/a"));
}

static void
keeps_what_fails(void **state)
{
	struct fixture *f = *state;
	struct change c;
	struct err e;

	made(f, "a", CHANGE_SESSION);
	c = moved(f, "b", CHANGE_SESSION);
	assert_int_equal(journal_add(&f->journal, &c, &e), 0);
	file_put(f, "b", "# Written by sluice\n"); /* and the original is lost */
	assert_int_equal(journal_undo(&f->journal, 0), 1);
	assert_true(journal_has_session(&f->journal));
	assert_string_equal(file_get(f, "a"), "a");
	assert_non_null(strstr(file_get(f, "journal"), "/b\n"));
}

static void
undoing_twice_is_once(void **state)
{
	struct fixture *f = *state;
	struct change c = moved(f, "a", CHANGE_SESSION);
	struct err e;

	assert_int_equal(journal_add(&f->journal, &c, &e), 0);
	take(f, "a");
	assert_int_equal(journal_undo(&f->journal, 0), 1);
	assert_int_equal(journal_add(&f->journal, &c, &e), 0);
	assert_int_equal(journal_undo(&f->journal, 0), 1);
	assert_string_equal(file_get(f, "a"), "a");
}

static void
reads_what_it_can(void **state)
{
	struct fixture *f = *state;
	struct err e;

	file_put(f, "journal",
		"sluice journal 1\n"
		"session firewall\n"
		"session sysctl kernel.core_pattern 1 0\n"
		"\n"
		"session\tfirewall\n"
		"guard firewall\n"
		"session firew");
	assert_int_equal(journal_open(&f->journal, f->dir, &e), 0);
	assert_int_equal(f->journal.n, 2);
	assert_int_equal(f->journal.unread, 4);
	assert_int_equal(f->journal.change[0].until, CHANGE_SESSION);
	assert_int_equal(f->journal.change[1].until, CHANGE_GUARD);
}

static void
has_a_maximum(void **state)
{
	struct fixture *f = *state;
	struct change c = moved(f, "a", CHANGE_BOOT);
	char path[128];
	struct err e;
	FILE *file;
	int i;

	for (i = 0; i < JOURNAL_MAX; i++)
		assert_int_equal(journal_add(&f->journal, &c, &e), 0);
	assert_int_equal(journal_add(&f->journal, &c, &e), -1);
	assert_int_equal(f->journal.n, JOURNAL_MAX);
	snprintf(path, sizeof path, "%s/journal", f->dir);
	file = fopen(path, "ae");
	assert_non_null(file);
	for (i = 0; i < 100000; i++)
		fputs("session firewall\n", file);
	fclose(file);
	assert_int_equal(journal_open(&f->journal, f->dir, &e), 0);
	assert_int_equal(f->journal.n, JOURNAL_MAX);
}

static void
follows_no_link(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct err e;

	snprintf(path, sizeof path, "%s/journal", f->dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(journal_open(&f->journal, f->dir, &e), -1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(is_on_disk_before),
		TEST(undoes_the_session_only),
		TEST(undoes_newest_first),
		TEST(undoes_from_a_number),
		TEST(undoes_one_alone),
		TEST(keeps_what_fails),
		TEST(undoing_twice_is_once),
		TEST(reads_what_it_can),
		TEST(has_a_maximum),
		TEST(follows_no_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
