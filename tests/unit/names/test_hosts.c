/* SPDX-License-Identifier: MIT */
#include "names/hosts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { BOTH = LOOKUP_V4 | LOOKUP_V6 };

static char file[64];

static int
file_make(void **state)
{
	int fd;

	(void)state;
	snprintf(file, sizeof(file), "/tmp/sluice-hosts-XXXXXX");
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

static int
file_drop(void **state)
{
	(void)state;
	return unlink(file);
}

static void
file_write(const char *text, size_t times)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	while (times-- > 0)
		fputs(text, f);
	fclose(f);
}

/* The addresses of a name as text, "-" for one that is not known, "!" for a refusal. */
static const char *
find(struct hosts *h, uint64_t now, const char *name, unsigned families)
{
	static char text[512];
	char one[IP_TEXT];
	struct ip ip[4];
	size_t len = 0;
	int i, n;

	n = hosts_find(h, now, &name, families, ip, 4);
	if (n <= 0)
		return n == 0 ? "-" : "!";
	for (i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
			i ? " " : "", ip_format(&ip[i], one));
	return text;
}

static void
lines_are_read(void **state)
{
	struct hosts *h;

	(void)state;
	file_write("# comment\n"
		   "192.0.2.1\tOne.Example. uno  # dos\r\n"
		   "  192.0.2.2 one.example\n"
		   "2001:db8::1 one.example\n"
		   "fe80::1%lo0 scoped\nnonsense two.example\n\n192.0.2.9\n"
		   "192.0.2.66 localhost\n"
		   "192.0.2.5 last",
		1);
	h = hosts_new(NULL, 0, file);
	assert_string_equal(
		find(h, 0, "one.example", BOTH), "192.0.2.1 192.0.2.2 2001:db8::1");
	assert_string_equal(find(h, 0, "one.example", LOOKUP_V6), "2001:db8::1");
	assert_string_equal(find(h, 0, "uno", BOTH), "192.0.2.1");
	assert_string_equal(find(h, 0, "dos", BOTH), "-");
	assert_string_equal(find(h, 0, "two.example", BOTH), "-");
	assert_string_equal(find(h, 0, "scoped", BOTH), "-");
	assert_string_equal(find(h, 0, "last", BOTH), "192.0.2.5");
	/* Only the resolvers know whether there is another family. */
	assert_string_equal(find(h, 0, "last", LOOKUP_V6), "-");
	assert_string_equal(find(h, 0, "localhost", BOTH), "::1 127.0.0.1");
	assert_string_equal(find(h, 0, "notlocalhost", BOTH), "-");
	hosts_free(h);
}

static void
changes_are_seen(void **state)
{
	struct hosts *h;

	(void)state;
	file_write("192.0.2.1 one\n", 1);
	h = hosts_new(NULL, 0, file);
	assert_string_equal(find(h, 1000, "one", BOTH), "192.0.2.1");
	file_write("192.0.2.1 one # and more\n192.0.2.2 two\n", 1);
	assert_string_equal(find(h, 5999, "two", BOTH), "-");
	assert_string_equal(find(h, 6000, "two", BOTH), "192.0.2.2");
	unlink(file);
	assert_string_equal(find(h, 11000, "two", BOTH), "-");
	file_write("192.0.2.3 two\n", 1);
	assert_string_equal(find(h, 16000, "two", BOTH), "192.0.2.3");
	hosts_free(h);
}

static void
files_have_bounds(void **state)
{
	struct hosts *h;
	char *line;
	FILE *f;
	int i;

	(void)state;
	/* More names than fit. */
	f = fopen(file, "w");
	assert_non_null(f);
	for (i = 0; i < 70000; i++)
		fprintf(f, "192.0.2.1 n%d\n", i);
	fclose(f);
	h = hosts_new(NULL, 0, file);
	assert_string_equal(find(h, 0, "n65535", BOTH), "192.0.2.1");
	assert_string_equal(find(h, 0, "n65536", BOTH), "-");
	hosts_free(h);
	/* A file of 5 MB whose first line is almost all of it. */
	line = test_malloc(5 << 20);
	memset(line, 'a', (5 << 20) - 1);
	line[(5 << 20) - 1] = '\0';
	memcpy(line, "192.0.2.1 one\n192.0.2.2 ", 24);
	file_write(line, 1);
	test_free(line);
	h = hosts_new(NULL, 0, file);
	assert_string_equal(find(h, 0, "one", BOTH), "192.0.2.1");
	hosts_free(h);
	/* Many addresses for one name. */
	file_write("192.0.2.1 one one\n", 1000);
	h = hosts_new(NULL, 0, file);
	assert_string_equal(
		find(h, 0, "one", BOTH), "192.0.2.1 192.0.2.1 192.0.2.1 192.0.2.1");
	hosts_free(h);
}

static void
no_file_is_no_name(void **state)
{
	struct hosts *h = hosts_new(NULL, 0, "/tmp");

	(void)state;
	assert_string_equal(find(h, 0, "one", BOTH), "-");
	hosts_free(h);
	h = hosts_new(NULL, 0, "/nowhere/at/all");
	assert_string_equal(find(h, 0, "one", BOTH), "-");
	hosts_free(h);
	hosts_free(NULL);
}

static void
aliases_have_bounds(void **state)
{
	struct names_host host[12];
	char name[12][4];
	const char *asked;
	struct hosts *h;
	struct ip ip;
	int i;

	(void)state;
	ip_parse(&ip, "192.0.2.1");
	for (i = 0; i < 12; i++) {
		snprintf(name[i], sizeof(name[i]), "n%d", i);
		host[i] = (struct names_host){ .name = name[i] };
		if (i < 11)
			host[i].alias = name[i + 1];
		snprintf(name[i], sizeof(name[i]), "n%d", i);
	}
	host[11].ip = &ip;
	host[11].n = 1;
	h = hosts_new(host, 12, NULL);
	assert_string_equal(find(h, 0, "n3", BOTH), "192.0.2.1");
	asked = "n2";
	assert_int_equal(hosts_find(h, 0, &asked, BOTH, &ip, 1), -ELOOP);
	assert_string_equal(find(h, 0, "n11", LOOKUP_V6), "!");
	assert_string_equal(find(h, 0, "n11", 0), "!");
	assert_string_equal(find(h, 0, "n12", 0), "-");
	hosts_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read),
		cmocka_unit_test(changes_are_seen),
		cmocka_unit_test(files_have_bounds),
		cmocka_unit_test(no_file_is_no_name),
		cmocka_unit_test(aliases_have_bounds),
	};

	return cmocka_run_group_tests(tests, file_make, file_drop);
}
