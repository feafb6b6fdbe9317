/* SPDX-License-Identifier: MIT */
/*
 * The strings of a rule, as a configuration has them: each line of the input is
 * a value, and its first letter says of which list.  What loads is asked and
 * explained for a few flows; both must say the same, and asking must end.
 */
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
/* Unlike assert, it is there in every build. */
enum { TEXT_MAX = 2048, VALUES = 32 };

struct lists {
	const char *value[5][VALUES + 1];
	size_t n[5];
	const char *port, *source_port;
};

static const char letters[] = "disrt"; /* domain, ip, source, protocol, inboundTag */

static void
line_take(struct lists *l, const char *line)
{
	const char *letter = line[0] ? strchr(letters, line[0]) : NULL;
	size_t k = letter ? (size_t)(letter - letters) : 0;

	if (letter && l->n[k] < VALUES)
		l->value[k][l->n[k]++] = line + 1;
	if (line[0] == 'p')
		l->port = line + 1;
	if (line[0] == 'o')
		l->source_port = line + 1;
}

static void
lines_take(struct lists *l, char *text)
{
	char *end;

	for (; text; text = end) {
		end = strchr(text, '\n');
		if (end)
			*end++ = '\0';
		line_take(l, text);
	}
}

static void
hear(void *arg, int rule, bool matched, const char *why)
{
	unsigned *heard = arg;

	must(rule == 0 && why[0]);
	*heard += 1 + matched;
}

static void
ask(const struct rules *r, struct facts f)
{
	struct verdict v, told;
	unsigned heard = 0;
	int turns = 0;

	for (;;) {
		rules_decide(r, &f, &v);
		if (!v.missing)
			break;
		must((v.missing & f.known) == 0 && turns++ < 4);
		f.known |= v.missing & -v.missing;
	}
	rules_explain(r, &f, &told, hear, &heard);
	must(told.rule == v.rule && told.missing == 0);
	must(heard == (v.rule == 0 ? 2u : 1u));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_open(2, LOG_NONE, NULL);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const struct ip addrs[] = { { 6, { 0x20, 1, 0xd, 0xb8 } },
		{ 4, { 198, 51, 100, 1 } } };
	struct facts f = { .port = 443, .source = { { 4, { 10, 0, 0, 1 } }, 5000 } };
	struct lists l = { .n = { 0 } };
	struct rule_spec rule = { .path = "fuzz" };
	struct rules_spec spec = { &rule, 1, RESOLVE_IF_NON_MATCH, NULL };
	struct err e = { "" };
	char text[TEXT_MAX];
	struct rules *r;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, p, len);
	text[len] = '\0';
	lines_take(&l, text);
	rule.domain = l.value[0];
	rule.ip = l.value[1];
	rule.source = l.value[2];
	rule.protocol = l.value[3];
	rule.inbound_tag = l.value[4];
	rule.port = l.port;
	rule.source_port = l.source_port;
	r = rules_load(&spec, &e);
	if (!r) {
		must(strncmp(e.text, "fuzz", 4) == 0);
		return 0;
	}
	f.name = "www.example.com";
	ask(r, f);
	f.addrs = addrs;
	f.naddrs = 2;
	ask(r, f);
	f.name = NULL;
	f.ip = addrs[1];
	ask(r, f);
	rules_free(r);
	return 0;
}
