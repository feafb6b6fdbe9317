/* SPDX-License-Identifier: MIT */
#include "daemon/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The commands that need no root, by what they print and return.  The
 * configuration lies in a folder of its own, without data files.
 */
static char dir[] = "/tmp/sluice-command-XXXXXX";
static char good[64], bad[64], sniff[64], kernel[64];

static const char config[] =
	"{\"outbounds\":[{\"tag\":\"proxy\",\"protocol\":\"vmess\",\"settings\":{"
	"\"address\":\"a.example\",\"port\":443,\"id\":\"example\"}},"
	"{\"tag\":\"direct\",\"protocol\":\"freedom\"},"
	"{\"tag\":\"block\",\"protocol\":\"blackhole\"}],"
	"\"inbounds\":[{\"protocol\":\"socks\"}],"
	"\"dns\":{\"hosts\":{\"near.example\":\"192.168.1.1\"}},"
	"\"routing\":{\"domainStrategy\":\"IPIfNonMatch\",\"rules\":["
	"{\"ruleTag\":\"ads\",\"domain\":[\"domain:ads.example\"],\"outboundTag\":\"block\"},"
	"{\"ip\":[\"192.168.0.0/16\"],\"outboundTag\":\"direct\"},"
	"{\"protocol\":[\"bittorrent\"],\"outboundTag\":\"block\"},"
	"{\"network\":\"udp\",\"port\":53,\"outboundTag\":\"direct\"}]}}";

static void
file_write(char *path, size_t cap, const char *name, const char *text)
{
	FILE *f;

	snprintf(path, cap, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
make(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	file_write(good, sizeof(good), "good.json", config);
	file_write(bad, sizeof(bad), "bad.json", "{\"outbounds\":[7]}");
	file_write(sniff, sizeof(sniff), "sniff.json",
		"{\"outbounds\":[{\"protocol\":\"freedom\"}],\"inbounds\":[{\"protocol\":"
		"\"tun\",\"sniffing\":{\"domainsExcluded\":[\"regexp:(\"]}}]}");
	file_write(kernel, sizeof(kernel), "kernel.json",
		"{\"outbounds\":[{\"tag\":\"near\",\"protocol\":\"freedom\"},"
		"{\"tag\":\"named\",\"protocol\":\"freedom\",\"settings\":{"
		"\"domainStrategy\":\"UseIP\"}}],\"sluice\":{\"direct\":\"auto\"},"
		"\"routing\":{\"rules\":[{\"ip\":[\"192.0.2.0/24\"],"
		"\"outboundTag\":\"near\"},{\"port\":81,\"outboundTag\":\"named\"},"
		"{\"protocol\":[\"http\"],\"outboundTag\":\"near\"}]}}");
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	unlink(good);
	unlink(bad);
	unlink(sniff);
	unlink(kernel);
	return rmdir(dir);
}

enum { WORDS = 12, SAID = 8192 };

/* What a command printed on the descriptor `fd`, and its status. */
struct said {
	char text[SAID];
	int status;
};

/* GOOD, BAD, SNIFF and KERNEL stand for the files. */
static char *
file_of(char *word)
{
	if (strcmp(word, "GOOD") == 0)
		return good;
	if (strcmp(word, "BAD") == 0)
		return bad;
	if (strcmp(word, "KERNEL") == 0)
		return kernel;
	return strcmp(word, "SNIFF") == 0 ? sniff : word;
}

/* `line` is cut at its spaces. */
static struct said
call(int (*command)(int, char **), int fd, const char *line)
{
	static char words[512];
	struct said s = { .status = -1 };
	char *argv[WORDS + 1];
	int argc = 0, keep = dup(fd);
	FILE *f = tmpfile();
	char *word, *rest = words;

	assert_non_null(f);
	snprintf(words, sizeof(words), "%s", line);
	while (argc < WORDS && (word = strsep(&rest, " ")) != NULL)
		argv[argc++] = file_of(word);
	argv[argc] = NULL;
	fflush(NULL);
	dup2(fileno(f), fd);
	optind = 0;
	s.status = command(argc, argv);
	fflush(NULL);
	dup2(keep, fd);
	close(keep);
	rewind(f);
	s.text[fread(s.text, 1, SAID - 1, f)] = '\0';
	fclose(f);
	return s;
}

static void
expect_text(struct said s, int status, const char *text)
{
	assert_string_equal(s.text, text);
	assert_int_equal(s.status, status);
}

static void
check_says_ok_or_why(void **state)
{
	char want[256];

	(void)state;
	snprintf(want, sizeof(want), "%s: ok: 3 outbounds, 4 rules, 1 warning\n", good);
	expect_text(call(command_check, STDOUT_FILENO, "check -c GOOD"), STATUS_OK, want);
	snprintf(want, sizeof(want), "%s: outbounds[0]: is not an object\n", bad);
	expect_text(
		call(command_check, STDERR_FILENO, "check -c BAD"), STATUS_WRONG, want);
	expect_text(call(command_check, STDERR_FILENO, "check -c /nonexistent"),
		STATUS_WRONG, "/nonexistent: No such file or directory\n");
	expect_text(call(command_check, STDERR_FILENO, "check"), STATUS_USAGE,
		"sluice: check takes -c FILE; see sluice check --help\n");
}

static void
no_word_is_dropped(void **state)
{
	static const struct {
		const char *name;
		int (*command)(int, char **);
	} commands[] = { { "check", command_check }, { "explain", command_explain },
		{ "export", command_export }, { "geo", command_geo },
		{ "run", command_run } };
	char line[64], want[256];
	struct said s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		snprintf(line, sizeof(line), "%s -c GOOD -c BAD", commands[i].name);
		snprintf(want, sizeof(want),
			"sluice: only one -c: %s and %s are two files\n", good, bad);
		expect_text(call(commands[i].command, STDERR_FILENO, line), STATUS_USAGE,
			want);
		snprintf(line, sizeof(line), "%s -x", commands[i].name);
		snprintf(want, sizeof(want), "sluice: see sluice %s --help\n",
			commands[i].name);
		s = call(commands[i].command, STDERR_FILENO, line);
		assert_int_equal(s.status, STATUS_USAGE);
		assert_non_null(strstr(s.text, want));
		snprintf(line, sizeof(line), "%s --help", commands[i].name);
		s = call(commands[i].command, STDOUT_FILENO, line);
		assert_int_equal(s.status, STATUS_OK);
		assert_true(!strstr(s.text, "--data") ||
			strstr(s.text, "before /var/lib/sluice"));
	}
}

/* A file of this text, which is checked; what is said on that descriptor. */
static struct said
check_text(int fd, const char *more, const char *text)
{
	char path[64], line[160];
	struct said s;

	file_write(path, sizeof(path), "more.json", text);
	snprintf(line, sizeof(line), "check%s -c %s", more, path);
	s = call(command_check, fd, line);
	unlink(path);
	return s;
}

static void
check_looks_at_certificates(void **state)
{
	struct said s = check_text(STDERR_FILENO, "",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"a.example\",\"port\":443,\"id\":\"example\"},\"streamSettings\":{"
		"\"security\":\"tls\",\"tlsSettings\":{\"disableSystemRoot\":true,"
		"\"certificates\":[{\"usage\":\"verify\",\"certificate\":"
		"[\"-----BEGIN CERTIFICATE-----\",\"AAAA\","
		"\"-----END CERTIFICATE-----\"]}]}}}]}");

	(void)state;
	assert_int_equal(s.status, STATUS_WRONG);
	assert_non_null(strstr(s.text, "more.json: outbounds[0]"));
	assert_non_null(strstr(s.text, "streamSettings.tlsSettings"));
	assert_int_equal(strcspn(s.text, "\n") + 1, strlen(s.text));
}

/* What is warned of as a place-holder is not an error further on. */
static void
check_takes_place_holders(void **state)
{
	struct said s = check_text(STDERR_FILENO, "",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"your server\",\"port\":443,\"id\":\"example\"},\"streamSettings\":{"
		"\"security\":\"tls\",\"tlsSettings\":{\"serverName\":\"...\"}}}]}");

	(void)state;
	assert_non_null(strstr(s.text,
		"settings.address: your server is not an address, and no name that can be "
		"found; nothing will get through\n"));
	assert_non_null(strstr(s.text,
		"tlsSettings.serverName: ... is not an address, and no name that a "
		"certificate can have; nothing will get through\n"));
	assert_int_equal(s.status, STATUS_OK);
}

static const char wrong_in_parts[] =
	"{\"log\":7,\"outbounds\":[{\"protocol\":\"freedom\",\"tag\":\"a\"},"
	"{\"protocol\":\"vmess\",\"settings\":{\"address\":\"a.example\",\"port\":70000}},"
	"{\"tag\":\"b\",\"protocol\":\"socks\"}],\"routing\":{\"rules\":["
	"{\"port\":\"x\",\"outboundTag\":\"b\"},{\"port\":1,\"outboundTag\":\"a\"},"
	"{\"port\":2,\"outboundTag\":\"c\"}]},\"dns\":7,\"sluice\":{\"clock\":\"x\"}}";

/* One error of each part, in the order of reading; the others of a part may follow from
 * its first one. */
static void
check_says_all_that_is_wrong(void **state)
{
	static const char *const want[] = { "log: a number",
		"routing.rules[0].port: x is",
		"routing.rules[2].outboundTag: no outbound",
		"outbounds[1].settings.port: 70000",
		"outbounds[2].protocol: outbounds of", "dns: a number",
		"sluice.clock: x is" };
	struct said s = check_text(STDERR_FILENO, " -q", wrong_in_parts);
	const char *at = s.text;
	size_t i;

	(void)state;
	assert_int_equal(s.status, STATUS_WRONG);
	for (i = 0; i < sizeof(want) / sizeof(*want); i++) {
		const char *line = strstr(at, want[i]);

		if (!line || strcspn(at, "\n") < (size_t)(line - at))
			fail_msg("%s\n%s", want[i], s.text);
		at += strcspn(at, "\n") + 1;
	}
	assert_string_equal(at, "");
}

static void
check_says_twenty_of_them(void **state)
{
	char text[4096] =
		"{\"outbounds\":[{\"protocol\":\"freedom\"}],\"routing\":{\"rules\":[7";
	const char *line;
	struct said s;
	int i, n = 0;

	(void)state;
	for (i = 0; i < 99; i++)
		strncat(text, ",7", sizeof(text) - strlen(text) - 1);
	strncat(text, "]}}", sizeof(text) - strlen(text) - 1);
	s = check_text(STDERR_FILENO, "", text);
	assert_int_equal(s.status, STATUS_WRONG);
	for (line = s.text; *line; line += strcspn(line, "\n") + 1)
		n++;
	assert_int_equal(n, 20);
}

/* A time server that the rules send elsewhere would never be asked. */
static void
check_looks_at_time_servers(void **state)
{
	struct said s = check_text(STDERR_FILENO, "",
		"{\"outbounds\":[{\"tag\":\"all\",\"protocol\":\"blackhole\"},"
		"{\"tag\":\"direct\",\"protocol\":\"freedom\"}],\"routing\":{\"rules\":["
		"{\"ip\":\"192.0.2.1\",\"outboundTag\":\"direct\"}]},"
		"\"sluice\":{\"sntp\":[\"192.0.2.1\",\"192.0.2.2\"]}}");

	(void)state;
	assert_int_equal(s.status, STATUS_OK);
	assert_null(strstr(s.text, "sntp[0]"));
	assert_non_null(strstr(s.text,
		"more.json: sluice.sntp[1]: is not asked for the time: the rules send "
		"192.0.2.2, UDP port 123, to \"all\", and only what they send directly is "
		"asked\n"));
}

/* Data files lie beside the configuration, or where --data says. */
static void
data_is_looked_for_elsewhere(void **state)
{
	static const char text[] =
		"{\"outbounds\":[{\"tag\":\"d\",\"protocol\":\"freedom\"}],\"routing\":{\"rules\":["
		"{\"domain\":[\"ext:more.dat:a\"],\"outboundTag\":\"d\"}]}}";
	/* A list "A" with the domain a.example. */
	static const char list[] =
		"\x0a\x12\x0a\x01\x41\x12\x0d\x08\x02\x12\x09\x61.example";
	char path[64], more[80], folder[64];
	struct said s;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/data", dir);
	assert_int_equal(mkdir(folder, 0700), 0);
	file_write(path, sizeof(path), "data/more.dat", list);
	s = check_text(STDERR_FILENO, "", text);
	assert_int_equal(s.status, STATUS_WRONG);
	assert_non_null(strstr(s.text, "more.dat is neither beside"));
	snprintf(more, sizeof(more), " --data %s", folder);
	s = check_text(STDERR_FILENO, more, text);
	if (s.status != STATUS_OK)
		fail_msg("%s", s.text);
	snprintf(more, sizeof(more), "explain -c GOOD --data %s a.test:80", folder);
	assert_int_equal(call(command_explain, STDOUT_FILENO, more).status, STATUS_OK);
	unlink(path);
	rmdir(folder);
}

static void
an_interface_that_is_not_there(void **state)
{
	struct said s = check_text(STDERR_FILENO, "",
		"{\"outbounds\":[{\"tag\":\"d\",\"protocol\":\"freedom\","
		"\"streamSettings\":{\"sockopt\":{\"interface\":\"nowhere.101\"}}}]}");

	(void)state;
	assert_int_equal(s.status, STATUS_OK);
	assert_non_null(
		strstr(s.text, "outbounds[0]: is bound to the interface nowhere"));
}

static void
check_looks_at_what_is_left_out_of_sniffing(void **state)
{
	struct said s = call(command_check, STDERR_FILENO, "check -q -c SNIFF");

	(void)state;
	assert_int_equal(s.status, STATUS_WRONG);
	assert_int_equal(strncmp(s.text, sniff, strlen(sniff)), 0);
	assert_non_null(strstr(s.text, "sniffing.domainsExcluded"));
}

static void
quiet_is_quiet(void **state)
{
	(void)state;
	expect_text(
		call(command_check, STDERR_FILENO, "check -q -c GOOD"), STATUS_OK, "");
}

static void
explain_tells_each_rule(void **state)
{
	(void)state;
	expect_text(
		call(command_explain, STDOUT_FILENO, "explain -c GOOD 192.168.7.7:80"),
		STATUS_OK,
		"192.168.7.7:80 tcp\n"
		"  note: a rule asks for the name of the address; none is taken (--name "
		"gives one)\n"
		"     rules[0] ads: domain: the address has no name\n"
		"  -> rules[1]: ip: 192.168.7.7 is in 192.168.0.0/16\n"
		"outbound: direct (freedom)\n");
}

static void
explain_uses_what_it_is_told(void **state)
{
	struct said s;

	(void)state;
	s = call(command_explain, STDOUT_FILENO,
		"explain -c GOOD --name x.ads.example 192.0.2.1:80");
	assert_non_null(strstr(s.text, "-> rules[0] ads: "));
	s = call(command_explain, STDOUT_FILENO,
		"explain -c GOOD --protocol bittorrent 192.0.2.1:80");
	assert_non_null(strstr(s.text, "-> rules[2]: "));
	assert_non_null(strstr(s.text, "outbound: block (blackhole)\n"));
	s = call(command_explain, STDOUT_FILENO, "explain -c GOOD -u 192.0.2.1:53");
	assert_non_null(strstr(s.text, "-> rules[3]: "));
}

/* The kernel gets what is decided by the first packet, and goes out as it is. */
static void
explain_says_what_the_kernel_carries(void **state)
{
	static const struct {
		const char *words, *want;
	} cases[] = {
		{ "192.0.2.1:80", "outbound: near (kernel)\n" },
		{ "-u 192.0.2.1:80", "outbound: near (freedom)\n" },
		{ "-u 192.0.2.1:443", "outbound: near (kernel, if it is QUIC)\n" },
		{ "-u 192.0.2.1:53", "outbound: near (freedom)\n" },
		{ "198.51.100.1:81", "outbound: named (freedom)\n" },
		{ "198.51.100.1:80", "outbound: near (freedom)\n" },
		{ "-u 198.51.100.1:443", "outbound: near (kernel, if it is QUIC)\n" },
		{ "--protocol http 198.51.100.1:80", "outbound: near (freedom)\n" },
		{ "[2001:db8::1]:443 --protocol http", "outbound: near (freedom)\n" },
		{ "192.0.2.1:80 --source 203.0.113.9", "outbound: near (freedom)\n" },
		{ "-u 224.0.0.9:443", "outbound: near (freedom)\n" },
		{ "-u 127.0.0.1:443", "outbound: near (freedom)\n" },
	};
	char line[128];
	struct said s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(line, sizeof(line), "explain -c KERNEL %s", cases[i].words);
		s = call(command_explain, STDOUT_FILENO, line);
		assert_non_null(strstr(s.text, cases[i].want));
	}
}

static void
explain_knows_what_is_not_routed(void **state)
{
	static const char *const words[] = { "[2001:db8::1]:80", "192.0.2.1:80" };
	static const char text[] =
		"{\"outbounds\":[{\"protocol\":\"freedom\"}],\"inbounds\":[{\"protocol\":"
		"\"tun\",\"settings\":{\"autoSystemRoutingTable\":[\"0.0.0.0/0\"]}}]}";
	char path[64], line[160];
	struct said s;
	int i;

	(void)state;
	file_write(path, sizeof(path), "one.json", text);
	for (i = 0; i < 2; i++) {
		snprintf(line, sizeof(line), "explain -c %s %s", path, words[i]);
		s = call(command_explain, STDOUT_FILENO, line);
		assert_int_equal(s.status, STATUS_OK);
		assert_int_equal(strstr(s.text,
					 "note: IPv6 beyond this machine's own "
					 "networks is unreachable") != NULL,
			i == 0);
	}
	unlink(path);
}

/* By the hosts of the configuration; nothing is asked of the network. */
static void
explain_finds_addresses(void **state)
{
	struct said s;

	(void)state;
	s = call(command_explain, STDOUT_FILENO, "explain -c GOOD near.example:80");
	assert_non_null(strstr(s.text, "-> rules[1]: "));
	assert_non_null(strstr(s.text, "as a connection to its first address"));
	s = call(command_explain, STDOUT_FILENO,
		"explain -c GOOD --no-resolve near.example:80");
	assert_non_null(strstr(s.text, "no rule matches: the first outbound"));
	assert_non_null(strstr(s.text, "nothing is looked up (--no-resolve)"));
}

static void
explain_speaks_json(void **state)
{
	(void)state;
	expect_text(call(command_explain, STDOUT_FILENO,
			    "explain --json -c GOOD www.ads.example:443"),
		STATUS_OK,
		"{\"target\":\"www.ads.example:443\",\"network\":\"tcp\",\"rules\":[{"
		"\"rule\":0,\"ruleTag\":\"ads\",\"matched\":true,\"why\":\"domain: "
		"www.ads.example is under ads.example\"}],\"rule\":0,\"outboundTag\":"
		"\"block\",\"outbound\":\"blackhole\",\"carriedBy\":\"sluice\","
		"\"country\":\"\",\"notes\":[]}\n");
}

static void
words_that_make_no_sense(void **state)
{
	static const char *const lines[] = { "explain", "explain -c GOOD",
		"explain -c GOOD x", "explain -c GOOD a.example:0",
		"explain -c GOOD a.example:65536", "explain -c GOOD :80",
		"explain -c GOOD 2001:db8::1:80", "explain -c GOOD 256.1.1.1:80",
		"explain -c GOOD 192.0.2.1:0", "explain -c GOOD http://a.example:80",
		"explain -c GOOD -s x 192.0.2.1:80", "explain -c GOOD --protocol x a:1",
		"explain -c GOOD a:1 b:2" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (call(command_explain, STDERR_FILENO, lines[i]).status != STATUS_USAGE)
			fail_msg("%s", lines[i]);
	assert_int_equal(call(command_geo, STDERR_FILENO, "geo not-an-address").status,
		STATUS_USAGE);
	assert_int_equal(call(command_geo, STDERR_FILENO, "geo").status, STATUS_USAGE);
	assert_int_equal(
		call(command_version, STDERR_FILENO, "version x").status, STATUS_USAGE);
}

static void
geo_names_the_missing_file(void **state)
{
	struct said s = call(
		command_geo, STDERR_FILENO, "geo --db /nonexistent/x.mmdb 192.0.2.1");

	(void)state;
	assert_int_equal(s.status, STATUS_WRONG);
	assert_non_null(strstr(s.text, "/nonexistent/x.mmdb"));
}

/* What is wrong is said once. */
static void
connect_says_one_line(void **state)
{
	static const char *const wrong[] = { "connect -c x.json 192.0.2.1",
		"connect -c x.json", "connect 192.0.2.1:80" };
	struct said s;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		s = call(command_connect, STDERR_FILENO, wrong[i]);
		assert_int_equal(s.status, STATUS_USAGE);
		assert_ptr_equal(strchr(s.text, '\n'), s.text + strlen(s.text) - 1);
	}
}

static void
help_is_everywhere(void **state)
{
	static const struct {
		int (*command)(int, char **);
		const char *line;
	} cases[] = {
		{ command_check, "check --help" },
		{ command_explain, "explain --help" },
		{ command_geo, "geo --help" },
		{ command_version, "version --help" },
		{ command_run, "run --help" },
		{ command_recover, "recover --help" },
		{ command_connect, "connect --help" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct said s = call(cases[i].command, STDOUT_FILENO, cases[i].line);

		assert_int_equal(s.status, STATUS_OK);
		assert_int_equal(strncmp(s.text, "usage: sluice ", 14), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_says_ok_or_why),
		cmocka_unit_test(no_word_is_dropped),
		cmocka_unit_test(check_looks_at_what_is_left_out_of_sniffing),
		cmocka_unit_test(check_takes_place_holders),
		cmocka_unit_test(check_says_all_that_is_wrong),
		cmocka_unit_test(check_says_twenty_of_them),
		cmocka_unit_test(check_looks_at_certificates),
		cmocka_unit_test(check_looks_at_time_servers),
		cmocka_unit_test(data_is_looked_for_elsewhere),
		cmocka_unit_test(an_interface_that_is_not_there),
		cmocka_unit_test(quiet_is_quiet),
		cmocka_unit_test(connect_says_one_line),
		cmocka_unit_test(explain_tells_each_rule),
		cmocka_unit_test(explain_says_what_the_kernel_carries),
		cmocka_unit_test(explain_knows_what_is_not_routed),
		cmocka_unit_test(explain_uses_what_it_is_told),
		cmocka_unit_test(explain_finds_addresses),
		cmocka_unit_test(explain_speaks_json),
		cmocka_unit_test(words_that_make_no_sense),
		cmocka_unit_test(geo_names_the_missing_file),
		cmocka_unit_test(help_is_everywhere),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
