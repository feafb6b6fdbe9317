/* SPDX-License-Identifier: MIT */
#include "base/list.h"
#include "daemon/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * unit/daemon/golden/NAME.json is read; what it means, printed, and the
 * warnings in front of it as comments, is NAME.typed.  The print is read again
 * and prints the same.  SLUICE_GOLDEN=write writes the files anew.
 */
static const char folder[] = "unit/daemon/golden";

enum { FILE_MAX = 64 * 1024 };

struct page {
	struct config_say say;
	char text[FILE_MAX];
	size_t len;
};

static void
note(struct config_say *say, const char *line)
{
	struct page *p = container_of(say, struct page, say);

	p->len += (size_t)snprintf(p->text + p->len, FILE_MAX - p->len, "// %s\n", line);
	assert_true(p->len < FILE_MAX);
}

static size_t
file_read(const char *path, char *text)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return 0;
	n = fread(text, 1, FILE_MAX - 1, f);
	text[n] = '\0';
	fclose(f);
	return n;
}

static void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
}

/* What `text` means, warnings first; nothing is said of the second reading. */
static void
page_make(struct page *p, const char *name, const char *text, bool with_warnings)
{
	struct err e;
	struct config *c;
	char *printed;

	p->say.warn = note;
	p->text[0] = '\0';
	p->len = 0;
	c = config_read(name, text, strlen(text), with_warnings ? &p->say : NULL, &e);
	if (!c)
		fail_msg("%s", e.text);
	assert_int_equal(config_print(c, &printed), 0);
	assert_true(p->len + strlen(printed) < FILE_MAX);
	memcpy(p->text + p->len, printed, strlen(printed) + 1);
	config_print_free(printed);
	config_free(c);
}

static int
ends_in_json(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 5 && strcmp(d->d_name + len - 5, ".json") == 0;
}

static bool
golden_holds(const char *name, bool anew)
{
	static char text[FILE_MAX], want[FILE_MAX];
	static struct page first, plain, again;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_true(file_read(path, text) > 0);
	page_make(&first, name, text, true);
	page_make(&plain, name, text, false);
	page_make(&again, name, plain.text, false);
	snprintf(
		path, sizeof(path), "%s/%.*s.typed", folder, (int)strlen(name) - 5, name);
	if (anew)
		file_write(path, first.text);
	want[0] = '\0';
	file_read(path, want);
	if (strcmp(first.text, want) != 0)
		print_error("%s means:\n%s", name, first.text);
	if (strcmp(plain.text, again.text) != 0)
		print_error("%s, printed and read, means:\n%s", name, again.text);
	return strcmp(first.text, want) == 0 && strcmp(plain.text, again.text) == 0;
}

static void
all_hold(void **state)
{
	const char *mode = getenv("SLUICE_GOLDEN");
	struct dirent **list;
	int i, n = scandir(folder, &list, ends_in_json, alphasort), wrong = 0;

	(void)state;
	assert_true(n > 0);
	for (i = 0; i < n; i++) {
		wrong += !golden_holds(list[i]->d_name, mode && !strcmp(mode, "write"));
		free(list[i]);
	}
	free(list);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
