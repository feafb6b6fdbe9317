/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "base/list.h"

#include <stdio.h>
#include <string.h>

#define PATH "config.json: routing.rules[3]"

static const struct {
	struct rule_spec rule;
	const char *why; /* all of it, or the beginning where it ends in "..." */
} refused[] = {
	{ { .ip = LIST("192.0.2.1/33") },
		PATH ".ip[0]: 192.0.2.1/33 is not an address, a network (192.0.2.0/24), "
		     "geoip:xx or ext:FILE:LIST" },
	{ { .ip = LIST("192.0.2.1", "nonsense") },
		PATH ".ip[1]: nonsense is not an ..." },
	{ { .ip = LIST("!") }, PATH ".ip[0]: ! is not an address..." },
	{ { .ip = LIST("") }, PATH ".ip[0]:  is not an address..." },
	{ { .source = LIST("192.0.2.0/") }, PATH ".source[0]: 192.0.2.0/ is not an ..." },
	{ { .ip = LIST("geosite:test") },
		PATH ".ip[0]: geosite:test: names belong into \"domain\"..." },
	{ { .ip = LIST("geoip:") }, PATH ".ip[0]: geoip:: a country is needed..." },
	{ { .ip = LIST("geoip:telegran") },
		PATH
		".ip[0]: no country, so a list of geoip.dat: geoip:telegran: geoip.dat "
		"has no list telegran; did you mean TELEGRAM?" },
	{ { .ip = LIST("ext:geoip.dat") },
		PATH ".ip[0]: ext:geoip.dat: ext:FILE:LIST is right" },
	{ { .ip = LIST("ext:gone.dat:x") },
		PATH ".ip[0]: ext:gone.dat:x: gone.dat: no such file" },
	{ { .ip = LIST("ext:geoip.dat:inverse") },
		PATH
		".ip[0]: ext:geoip.dat:inverse: list inverse of geoip.dat is an inverse "
		"one..." },
	{ { .domain = LIST("geosite:tset") },
		PATH
		".domain[0]: geosite:tset: geosite.dat has no list tset; did you mean "
		"TEST?" },
	{ { .domain = LIST("geosite:broken") },
		PATH ".domain[0]: geosite:broken: the list is damaged..." },
	{ { .domain = LIST("geosite:") }, PATH ".domain[0]: geosite:: a list is ..." },
	{ { .domain = LIST("geosite:test@") },
		PATH ".domain[0]: geosite:test@: a list ..." },
	{ { .domain = LIST("a.example", "regexp:(x") },
		PATH
		".domain[1]: regexp:(x: bad regular expression at byte 2: missing ..." },
	{ { .domain = LIST("domian:example.com") },
		PATH
		".domain[0]: domian:example.com: no such form; did you mean domain:?" },
	{ { .domain = LIST("geoip:xa") },
		PATH ".domain[0]: geoip:xa: countries belong into \"ip\"..." },
	{ { .domain = LIST("http://example.com") },
		PATH ".domain[0]: http://example.com: no such form; there are ..." },
	{ { .domain = LIST("full:") }, PATH ".domain[0]: full:: nothing stands here..." },
	{ { .domain = LIST("dotless:a.b") },
		PATH ".domain[0]: dotless:a.b: dotless: is..." },
	{ { .port = "80,http" },
		PATH ".port: http is not a port (1-65535) or a range..." },
	{ { .port = "0" }, PATH ".port: 0 is not a port (1-65535)" },
	{ { .source_port = "70000" }, PATH ".sourcePort: 70000 is not a port..." },
	{ { .protocol = LIST("tls", "bittorent") },
		PATH
		".protocol[1]: bittorent is not a protocol; did you mean bittorrent?" },
	{ { .protocol = LIST("quic") }, PATH ".protocol[0]: quic is not told apart..." },
	{ { .protocol = LIST("smtp-over-x") },
		PATH
		".protocol[0]: smtp-over-x is not a protocol (http, tls, bittorrent)" },
	{ { .outbound = "direct" }, PATH ": no condition in it; to take everything..." },
	{ { .ip = LIST(NULL), .outbound = "direct" }, PATH ": no condition in it..." },
};

static void
refuses(struct fixture *x, const struct rule_spec *rule, const char *why)
{
	struct rules_spec spec = { rule, 1, RESOLVE_AS_IS, x ? &x->files : NULL };
	struct err e = { "" };
	size_t len = strlen(why);
	struct rules *r;

	if (len > 3 && strcmp(why + len - 3, "...") == 0)
		len -= 3;
	else
		len++;
	r = rules_load(&spec, &e);
	rules_free(r);
	assert_null(r);
	if (strncmp(e.text, why, len) != 0)
		fail_msg("%s\n   for: %s", e.text, why);
}

static void
errors_name_the_value(void **state)
{
	struct rule_spec rule;
	struct fixture x;
	size_t i;

	(void)state;
	fixture_init(&x);
	for (i = 0; i < COUNT(refused); i++) {
		rule = refused[i].rule;
		rule.path = PATH;
		refuses(&x, &rule, refused[i].why);
	}
	fixture_fini(&x);
}

/* What is said while rules are loaded. */
struct listener {
	struct rules_say say;
	char line[1024];
	unsigned n;
};

static void
listen(struct rules_say *say, const char *line)
{
	struct listener *l = container_of(say, struct listener, say);

	l->n++;
	snprintf(l->line, sizeof(l->line), "%s", line);
}

/* Values that are right in form, and match nothing. */
static const struct {
	struct rule_spec rule;
	const char *says; /* NULL: nothing */
} doubted[] = {
	{ { .domain = LIST("a.example", "full:b.example", "1.1.1.1") }, NULL },
	{ { .domain = LIST("regexp:^a b*/[c-d]$") }, NULL },
	{ { .domain = LIST("a", " b.example") },
		PATH ".domain[1]: \" b.example\": no name has a space in it" },
	{ { .domain = LIST("full:b.example ") },
		PATH ".domain[0]: \"full:b.example \": no name has a space in it" },
	{ { .domain = LIST("192.0.2.0/24") },
		PATH ".domain[0]: \"192.0.2.0/24\": is of addresses, and matches no "
		     "name: it belongs into \"ip\"" },
	{ { .domain = LIST("full:192.0.2.1") },
		PATH ".domain[0]: \"full:192.0.2.1\": is of addresses" },
	{ { .domain = LIST("full:https://a.example/") },
		PATH ".domain[0]: \"full:https://a.example/\": no name has a / in it" },
	{ { .domain = LIST("domain:*.example") },
		PATH ".domain[0]: \"domain:*.example\": no name has a * in it" },
	{ { .domain = LIST("b\xc3\xbc.example") },
		PATH ".domain[0]: \"b\xc3\xbc.example\": names travel in ASCII" },
	{ { .ip = LIST("geoip:xa", "!geoip:XB", "geoip:private") }, NULL },
	{ { .ip = LIST("geoip:xa", "geoip:uk") },
		PATH ".ip[1]: geoip:uk: the country database has no address in this "
		     "country; did you mean geoip:gb?" },
	{ { .source = LIST("geoip:!zz") },
		PATH ".source[0]: geoip:!zz: the country database has no address in "
		     "this country" },
};

static void
doubts_name_the_value(void **state)
{
	struct listener l = { .say.warn = listen };
	struct fixture x;
	struct err e;
	size_t i;

	(void)state;
	fixture_init(&x);
	for (i = 0; i < COUNT(doubted); i++) {
		struct rule_spec rule = doubted[i].rule;
		struct rules_spec spec = { &rule, 1, RESOLVE_AS_IS, &x.files, &l.say };
		struct rules *r;

		rule.path = PATH;
		rule.outbound = "direct";
		l.n = 0;
		l.line[0] = '\0';
		r = rules_load(&spec, &e);
		if (!r)
			fail_msg("%s", e.text);
		rules_free(r);
		if (l.n != (doubted[i].says != NULL) ||
			(doubted[i].says &&
				strncmp(l.line, doubted[i].says,
					strlen(doubted[i].says)) != 0))
			fail_msg("%s\n   for: %s", l.line,
				doubted[i].says ? doubted[i].says : "nothing");
	}
	fixture_fini(&x);
}

static void
doubts_are_bounded(void **state)
{
	const char *value[301] = { NULL };
	struct rule_spec rule = { .path = PATH, .domain = value, .outbound = "direct" };
	struct listener l = { .say.warn = listen };
	struct rules_spec spec = { &rule, 1, RESOLVE_AS_IS, NULL, &l.say };
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < 300; i++)
		value[i] = "*";
	rules_free(rules_load(&spec, &e));
	assert_int_equal(l.n, 100);
}

static void
databases_that_are_missing(void **state)
{
	struct rule_spec country = { .path = PATH, .ip = LIST("geoip:xa") };
	struct rule_spec site = { .path = PATH, .domain = LIST("geosite:test") };
	struct rule_spec internal = { .path = PATH, .ip = LIST("geoip:private") };
	struct fixture x;

	(void)state;
	fixture_init(&x);
	x.geoip = NULL;
	refuses(&x, &country,
		PATH ".ip[0]: geoip:xa: no country database; tools/geodata fetches one");
	refuses(NULL, &country,
		PATH ".ip[0]: geoip:xa: there is no country database here");
	refuses(NULL, &site,
		PATH ".domain[0]: geosite:test: geosite.dat: there are no ...");
	x.opened = 0;
	rules_free(rules_of(&internal, 1, RESOLVE_AS_IS, &x));
	assert_int_equal(x.opened, 0);
	fixture_write(&x, "bad.mmdb", "nothing", 7);
	x.geoip = "/dev/null";
	refuses(&x, &country,
		PATH ".ip[0]: geoip:xa: /dev/null: not a country database...");
	fixture_write(&x, "geosite.dat", "\x0a\x7f", 2);
	refuses(&x, &site,
		PATH
		".domain[0]: geosite:test: geosite.dat is damaged, or is no list file");
	fixture_fini(&x);
}

static void
tags_are_unique(void **state)
{
	const struct rule_spec rule[] = {
		{ .path = "c: routing.rules[0]", .port = "1", .rule_tag = "one" },
		{ .path = "c: routing.rules[1]", .port = "2" },
		{ .path = "c: routing.rules[2]", .port = "3" },
		{ .path = "c: routing.rules[3]", .port = "4", .rule_tag = "one" },
	};
	struct rules_spec spec = { rule, COUNT(rule), RESOLVE_AS_IS, NULL };
	struct err e;

	(void)state;
	assert_null(rules_load(&spec, &e));
	assert_string_equal(
		e.text, "c: routing.rules[3].ruleTag: one is the tag of rule 0 already");
}

/* A rule that can never match is kept for its index, whatever is in it. */
static void
never_is_not_read(void **state)
{
	const struct rule_spec rule[] = {
		{ .path = "0", .ip = LIST("nonsense"), .never = true, .outbound = "api" },
		{ .path = "1", .port = "80", .outbound = "proxy" },
	};
	struct rules *r = rules_of(rule, COUNT(rule), RESOLVE_AS_IS, NULL);
	struct facts f = { .port = 80, .ip = ip_of("192.0.2.1") };
	struct verdict v;

	(void)state;
	rules_decide(r, &f, &v);
	assert_int_equal(v.rule, 1);
	rules_free(r);
}

static void
files_are_read_once(void **state)
{
	const struct rule_spec rule[] = {
		{ .path = "0", .domain = LIST("geosite:test", "geosite:test@ads") },
		{ .path = "1", .domain = LIST("ext:geosite.dat:with-regexp") },
		{ .path = "2", .ip = LIST("geoip:xa", "!geoip:xb") },
		{ .path = "3", .source = LIST("geoip:xc") },
		{ .path = "4", .ip = LIST("ext:geoip.dat:telegram", "geoip:telegram") },
	};
	struct rules *r;
	struct fixture x;

	(void)state;
	fixture_init(&x);
	r = rules_of(rule, COUNT(rule), RESOLVE_AS_IS, &x);
	assert_int_equal(x.opened, 3);
	rules_free(r);
	fixture_fini(&x);
}

static void
too_many_rules(void **state)
{
	static struct rule_spec rule[4097];
	struct rules_spec spec = { rule, COUNT(rule), RESOLVE_AS_IS, NULL };
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rule); i++)
		rule[i] = (struct rule_spec){ .path = "r", .port = "1" };
	assert_null(rules_load(&spec, &e));
	assert_string_equal(e.text, "r: more than 4096 rules");
	rules_free(rules_of(rule, 4096, RESOLVE_AS_IS, NULL));
	rules_free(rules_of(rule, 0, RESOLVE_AS_IS, NULL));
	rules_free(NULL);
}

static void
country_of_rules(void **state)
{
	const struct rule_spec with = { .path = "0", .ip = LIST("geoip:xa") };
	const struct rule_spec without = { .path = "0", .port = "1" };
	struct ip ip = ip_of("198.51.100.1");
	struct fixture x;
	struct rules *r;
	char cc[3];

	(void)state;
	fixture_init(&x);
	r = rules_of(&with, 1, RESOLVE_AS_IS, &x);
	assert_int_equal(rules_country(r, &ip, cc), 0);
	assert_string_equal(cc, "XB");
	rules_free(r);
	r = rules_of(&without, 1, RESOLVE_AS_IS, &x);
	assert_true(rules_country(r, &ip, cc) < 0);
	assert_string_equal(cc, "");
	rules_free(r);
	fixture_fini(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_name_the_value),
		cmocka_unit_test(doubts_name_the_value),
		cmocka_unit_test(doubts_are_bounded),
		cmocka_unit_test(databases_that_are_missing),
		cmocka_unit_test(tags_are_unique),
		cmocka_unit_test(never_is_not_read),
		cmocka_unit_test(files_are_read_once),
		cmocka_unit_test(too_many_rules),
		cmocka_unit_test(country_of_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
