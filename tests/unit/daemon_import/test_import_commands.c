/* SPDX-License-Identifier: MIT */
#include "daemon/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* import, export and uuid, by what they print and return. */

#define ID "b831381d-6324-4d53-ad4f-8cda48b30811"

static char dir[] = "/tmp/sluice-import-XXXXXX";
static char out_path[64], err_path[64], made_path[64], list_path[64];
static char out[16 * 1024], err[4096];

static const char a_link[] = "vmess://" ID "@a.example:443?encryption=auto&type=tcp#demo";

static void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
file_read(const char *path, char *text, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, cap - 1, f);
	text[n] = '\0';
	fclose(f);
}

static int
make(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	snprintf(err_path, sizeof(err_path), "%s/err", dir);
	snprintf(made_path, sizeof(made_path), "%s/made.json", dir);
	snprintf(list_path, sizeof(list_path), "%s/list.txt", dir);
	file_write(list_path, "vmess://x@192.0.2.1:1#one\nvmess://!\n");
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	unlink(out_path);
	unlink(err_path);
	unlink(made_path);
	unlink(list_path);
	return rmdir(dir);
}

/* Runs a command with its two streams in files. `words` is the rest of the line, parted by
 * spaces. */
static int
say(int (*command)(int, char **), const char *words)
{
	char text[1024], *argv[16] = { NULL }, *word;
	int argc = 0, status, kept_out, kept_err;

	snprintf(text, sizeof(text), "%s", words);
	for (word = text; word && argc < 15;) {
		argv[argc++] = word;
		word = strchr(word, ' ');
		if (word)
			*word++ = '\0';
	}
	fflush(stdout);
	fflush(stderr);
	kept_out = dup(STDOUT_FILENO);
	kept_err = dup(STDERR_FILENO);
	assert_non_null(freopen(out_path, "w", stdout));
	assert_non_null(freopen(err_path, "w", stderr));
	optind = 0;
	status = command(argc, argv);
	fflush(stdout);
	fflush(stderr);
	dup2(kept_out, STDOUT_FILENO);
	dup2(kept_err, STDERR_FILENO);
	close(kept_out);
	close(kept_err);
	file_read(out_path, out, sizeof(out));
	file_read(err_path, err, sizeof(err));
	return status;
}

static int
say_with(int (*command)(int, char **), const char *fmt, const char *a, const char *b)
{
	char words[512];

	snprintf(words, sizeof(words), "%s %s %s", fmt, a, b);
	return say(command, words);
}

static void
uuid(void **state)
{
	char first[64];

	(void)state;
	assert_int_equal(say(command_uuid, "uuid -i example"), STATUS_OK);
	assert_string_equal(out, "feb54431-301b-52bb-a6dd-e1e93e81bb9e\n");
	/* vmess.md 3.2 */
	assert_int_equal(
		say(command_uuid,
			"uuid --input \xe6\x88\x91\xe7\x88\xb1\xf0\x9f\x8d\x89\xe8"
			"\x80\x81\xe5\xb8\x88"
			"1314"),
		STATUS_OK);
	assert_string_equal(out, "5783a3e7-e373-51cd-8642-c83782b807c5\n");
	assert_int_equal(
		say(command_uuid, "uuid -i B831381D63244D53AD4F8CDA48B30811"), STATUS_OK);
	assert_string_equal(out, ID "\n");
	assert_int_equal(say(command_uuid, "uuid -i 1234567890123456789012345678901"),
		STATUS_WRONG);
	assert_non_null(strstr(err, "this one has 31"));
	assert_int_equal(say(command_uuid, "uuid -i "), STATUS_WRONG);
	assert_int_equal(say(command_uuid, "uuid word"), STATUS_USAGE);
	assert_int_equal(say(command_uuid, "uuid"), STATUS_OK);
	assert_int_equal(strlen(out), 37);
	assert_int_equal(out[14], '4');
	assert_non_null(strchr("89ab", out[19]));
	snprintf(first, sizeof(first), "%s", out);
	assert_int_equal(say(command_uuid, "uuid"), STATUS_OK);
	assert_string_not_equal(out, first);
}

static void
there_and_back(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(
		say_with(command_import, "import -o", made_path, a_link), STATUS_OK);
	assert_string_equal(out, "");
	assert_string_equal(err, "");
	/* It holds an id. */
	assert_int_equal(stat(made_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(say_with(command_check, "check -c", made_path, "-q"), STATUS_OK);
	assert_int_equal(say_with(command_export, "export --uri -c", made_path, "demo"),
		STATUS_OK);
	out[strcspn(out, "\n")] = '\0';
	assert_string_equal(out, a_link);
	assert_int_equal(
		say_with(command_export, "export -c", made_path, "none"), STATUS_WRONG);
	assert_non_null(strstr(err, "no outbound has the tag none\n"));
	assert_string_equal(out, "");
}

/* Of what people hand each other much is wrong somewhere; the rest is a configuration that
 * `check` takes. */
static void
what_is_written_is_checked(void **state)
{
	static const char at[] = "vmess://" ID "@a.example:443?security=tls&";
	static const char *const queries[] = { "type=ws&path=%2Fp%3Fed%3D9000",
		"type=ws&path=%2Fp%3Fed%3Dx", "type=ws&path=%2Fp%3Fed%3D99999",
		"type=ws&host=a%20b", "type=ws&host=a%2Fb", "pcs=00ff", "pcs=zz",
		"alpn=a,b,c,d,e,f,g,h,i", "sni=a%20b", "headerType=http&path=%2Fa%20b" };
	char list[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		print_message("%s\n", queries[i]);
		snprintf(list, sizeof(list), "%s\n%s%s\n", a_link, at, queries[i]);
		file_write(list_path, list);
		unlink(made_path);
		assert_int_equal(
			say_with(command_import, "import -o", made_path, list_path),
			STATUS_OK);
		if (i >= 3)
			assert_non_null(strstr(err, "/list.txt: line 2: "));
		assert_int_equal(
			say_with(command_check, "check -c", made_path, "-q"), STATUS_OK);
		assert_non_null(
			strstr(out, i < 3 ? "ok: 3 outbounds" : "ok: 2 outbounds"));
	}
}

static void
files_and_choices(void **state)
{
	(void)state;
	assert_int_equal(say_with(command_import, "import --direct DE,at --direct fr",
				 list_path, ""),
		STATUS_USAGE);
	assert_int_equal(say_with(command_import, "import --direct DE,at --direct=fr",
				 "--", list_path),
		STATUS_OK);
	assert_non_null(strstr(out,
		"\"geoip:de\",\n\t\t\t\t\t\"geoip:at\",\n\t\t\t\t\t"
		"\"geoip:fr\""));
	assert_non_null(strstr(err, "/list.txt: line 2: is broken Base64; left out\n"));
	assert_int_equal(
		say_with(command_import, "import --all", "--", list_path), STATUS_OK);
	assert_null(strstr(out, "geoip:de"));
	assert_non_null(strstr(out, "geoip:private"));
}

/* What the rules of --direct need is missed here, and not when the result runs. */
static void
direct_needs_a_database(void **state)
{
	static const char want[] = "warning: --direct: there is no country database: ";
	bool lacks;
	char path[80];

	(void)state;
	unsetenv("XRAY_LOCATION_ASSET");
	unsetenv("V2RAY_LOCATION_ASSET");
	unlink(made_path);
	assert_int_equal(
		say_with(command_import, "import --direct de -o", made_path, a_link),
		STATUS_OK);
	lacks = strstr(err, want) != NULL;
	/* The machine may have one. */
	assert_int_equal(!lacks,
		say_with(command_check, "check -c", made_path, "-q") == STATUS_OK);
	assert_int_equal(say_with(command_import, "import -o", "-", a_link), STATUS_OK);
	assert_string_equal(err, "");
	snprintf(path, sizeof(path), "%s/country.mmdb", dir);
	file_write(path, "");
	unlink(made_path);
	assert_int_equal(
		say_with(command_import, "import --direct de -o", made_path, a_link),
		STATUS_OK);
	assert_string_equal(err, "");
	unlink(path);
}

static void
usage(void **state)
{
	static const char *const wrong[] = {
		"import",
		"import a b",
		"import --direct germany x://",
		"import --direct d1 x://",
		"import --direct de, x://",
		"import --direct  x://",
		"import --all --direct de x://",
		"import --what x://",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		print_message("%s\n", wrong[i]);
		assert_int_equal(say(command_import, wrong[i]), STATUS_USAGE);
		assert_string_not_equal(err, "");
		assert_string_equal(out, "");
	}
	assert_int_equal(say(command_import, "import --help"), STATUS_OK);
	assert_non_null(
		strstr(out, "Without --direct everything goes through the server"));
	assert_non_null(strstr(out, "names are asked of 1.1.1.1\nand 8.8.8.8, through"));
	assert_non_null(strstr(out, "&& sudo sluice run -c config.json"));
	assert_int_equal(say(command_import, "import /nowhere/at/all"), STATUS_WRONG);
	assert_non_null(strstr(err, "sluice: /nowhere/at/all: No such file"));
	assert_int_equal(say(command_import, "import ss://x"), STATUS_WRONG);
	assert_string_equal(
		err, "sluice: link: ss:// links are not spoken, only vmess://\n");
	assert_int_equal(say_with(command_import, "import -o /nowhere/x", a_link, ""),
		STATUS_USAGE);
	assert_int_equal(say_with(command_import, "import -o", "/nowhere/x", a_link),
		STATUS_WRONG);
	assert_int_equal(
		say_with(command_import, "import -o", "/dev/null", a_link), STATUS_WRONG);
	assert_non_null(strstr(err, "/dev/null is there already"));
	assert_int_equal(say(command_export, "export"), STATUS_USAGE);
	assert_int_equal(say(command_export, "export -c x y z"), STATUS_USAGE);
	assert_int_equal(say(command_export, "export --help"), STATUS_OK);
	assert_int_equal(say(command_export, "export -c /nowhere/x"), STATUS_WRONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uuid),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(files_and_choices),
		cmocka_unit_test(what_is_written_is_checked),
		cmocka_unit_test(direct_needs_a_database),
		cmocka_unit_test(usage),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
