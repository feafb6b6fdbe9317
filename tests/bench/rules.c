/* SPDX-License-Identifier: MIT */
/* What a decision costs: 100,000 domains, 10,000 networks, a thousand keywords, and the
 * country of an address where a database is named. */
#include "rules/rules.h"
#include "now.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOMAINS = 100000, NETS = 10000, KEYWORDS = 1000, TURNS = 300000, VALUE = 48 };

static const char *geoip_path;

static int
file_open(struct rules_files *f, const char *name, char *path, size_t cap, struct err *e)
{
	(void)f;
	(void)name;
	if (!geoip_path)
		return err_set(e, "no database was named");
	return snprintf(path, cap, "%s", geoip_path) < (int)cap ? 0 : -1;
}

/* `n` values: the beginning, a number (or a network of that number), and the end. */
static char **
values_new(size_t n, const char *begin, const char *end)
{
	char **v = calloc(n + 1, sizeof(*v));
	size_t i;

	for (i = 0; v && i < n; i++) {
		v[i] = malloc(VALUE);
		if (!v[i])
			abort();
		if (begin[0])
			snprintf(v[i], VALUE, "%s%zu%s", begin, i, end);
		else
			snprintf(v[i], VALUE, "10.%zu.%zu.0/25", i / 256, i % 256);
	}
	return v;
}

static void
values_free(char **v)
{
	size_t i;

	for (i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

static void
measure(const char *what, const struct rule_spec *rule, size_t n, struct facts *f,
	const char *const *names)
{
	struct rules_files files = { file_open };
	struct rules_spec spec = { rule, n, RESOLVE_AS_IS, &files };
	double from = now(), loaded;
	struct verdict v;
	struct rules *r;
	struct err e;
	int i, hits = 0;

	r = rules_load(&spec, &e);
	if (!r) {
		printf("%-34s %s\n", what, e.text);
		return;
	}
	loaded = now();
	for (i = 0; i < TURNS; i++) {
		f->name = names[i % 4];
		f->ip.b[2] = (uint8_t)(i >> 8);
		f->ip.b[3] = (uint8_t)i;
		rules_decide(r, f, &v);
		hits += v.rule >= 0;
	}
	printf("%-34s load %6.1f ms   decide %6.0f ns   %d of %d matched\n", what,
		(loaded - from) * 1e3, (now() - loaded) * 1e9 / TURNS, hits, TURNS);
	rules_free(r);
}

int
main(int argc, char **argv)
{
	static const char *const names[] = { "www.cdn.d777.example.com",
		"a-rather-long-host-name.in.some.region.cloud.example.net",
		"d99999.example.com", "printer.lan" };
	static const char *const regexps[] = { "regexp:^ads?[0-9]*\\.",
		"regexp:\\.(ru|su)$", "regexp:(^|\\.)track(er|ing)?\\.", NULL };
	static const char *const country[] = { "geoip:xx", NULL };
	char **domains = values_new(DOMAINS, "domain:d", ".example.com");
	char **nets = values_new(NETS, "", "");
	char **keywords = values_new(KEYWORDS, "keyword", "");
	struct facts f = {
		.known = FACT_NAME, .port = 443, .ip = { 4, { 198, 18, 0, 0 } }
	};
	struct rule_spec rule[] = {
		{ .path = "0", .domain = (const char *const *)domains },
		{ .path = "1", .ip = (const char *const *)nets },
		{ .path = "2", .domain = (const char *const *)keywords },
		{ .path = "3", .domain = regexps },
		{ .path = "4", .ip = country },
	};

	geoip_path = argc > 1 ? argv[1] : NULL;
	measure("100,000 domains", &rule[0], 1, &f, names);
	measure("10,000 networks", &rule[1], 1, &f, names);
	measure("1,000 keywords", &rule[2], 1, &f, names);
	measure("3 regular expressions", &rule[3], 1, &f, names);
	measure("a country", &rule[4], 1, &f, names);
	measure("all of them", rule, geoip_path ? 5 : 4, &f, names);
	values_free(domains);
	values_free(nets);
	values_free(keywords);
	return 0;
}
