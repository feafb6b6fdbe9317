/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *label;
	struct rule_spec rule;
	struct facts facts;
	const char *why;
} sentences[] = {
	{ "country", { .ip = LIST("geoip:xb") }, { .ip = { 4, { 192, 0, 2, 1 } } },
		"- ip: 192.0.2.1 is in XA, not in geoip:xb" },
	{ "country matches", { .ip = LIST("geoip:xa") },
		{ .ip = { 4, { 192, 0, 2, 1 } } },
		"+ ip: 192.0.2.1 (XA) is in geoip:xa" },
	{ "no country", { .ip = LIST("geoip:xa") }, { .ip = { 4, { 8, 8, 8, 8 } } },
		"- ip: 8.8.8.8 is in no country that is known, and is not in geoip:xa" },
	{ "negated", { .ip = LIST("!geoip:xa") }, { .ip = { 4, { 192, 0, 2, 1 } } },
		"- ip: 192.0.2.1 (XA) does not match !geoip:xa" },
	{ "network", { .ip = LIST("10.0.0.0/8", "172.16.0.0/12") },
		{ .ip = { 4, { 192, 0, 2, 1 } } },
		"- ip: 192.0.2.1 is not in 10.0.0.0/8, 172.16.0.0/12" },
	{ "many",
		{ .ip = LIST(
			  "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5") },
		{ .ip = { 4, { 192, 0, 2, 1 } } },
		"- ip: 192.0.2.1 is not in 5 networks and lists" },
	{ "name only", { .ip = LIST("10.0.0.0/8") }, { .name = "a.example" },
		"- ip: only the name is given, and domainStrategy does not resolve it here" },
	{ "suffix", { .domain = LIST("domain:example.org") }, { .name = "a.example.com" },
		"- domain: a.example.com is not under example.org" },
	{ "suffix matches", { .domain = LIST("domain:example.com") },
		{ .name = "a.example.com" },
		"+ domain: a.example.com is under example.com" },
	{ "the name itself", { .domain = LIST("domain:example.com") },
		{ .name = "example.com" }, "+ domain: example.com is example.com" },
	{ "full", { .domain = LIST("full:example.org") }, { .name = "a.example.com" },
		"- domain: a.example.com is not example.org" },
	{ "list", { .domain = LIST("geosite:test", "domain:b.example") },
		{ .name = "c.example" },
		"- domain: c.example is in none of 5 domains (geosite:test, "
		"domain:b.example)" },
	{ "keyword", { .domain = LIST("geosite:test") }, { .name = "a.tracker.example" },
		"+ domain: a.tracker.example has tracker in it" },
	{ "regexp", { .domain = LIST("regexp:^a") }, { .name = "a.example" },
		"+ domain: a.example matches regexp:^a" },
	{ "dotless", { .domain = LIST("dotless:pr") }, { .name = "printer" },
		"+ domain: printer has no dot, and in it pr" },
	{ "name unknown", { .domain = LIST("full:example.org") },
		{ .ip = { 4, { 192, 0, 2, 1 } } },
		"? domain: needs the name of the address, which is not known" },
	{ "no name", { .domain = LIST("full:example.org") },
		{ .ip = { 4, { 192, 0, 2, 1 } }, .known = FACT_NAME },
		"- domain: the address has no name" },
	{ "protocol unknown", { .protocol = LIST("tls") }, { 0 },
		"? protocol: needs the first bytes, which are not known" },
	{ "two unknown", { .protocol = LIST("tls"), .domain = LIST("a") }, { 0 },
		"? protocol: needs the first bytes, which are not known; domain: needs the "
		"name of the address, which is not known" },
	{ "no protocol", { .protocol = LIST("tls") }, { .known = FACT_BYTES },
		"- protocol: it is none that is known" },
	{ "udp", { .protocol = LIST("tls") }, { .network = NETWORK_UDP },
		"- protocol: udp cannot carry it" },
	{ "port", { .port = "443,1000-2000" }, { .port = 80 },
		"- port: 80 is not in 443,1000-2000" },
	{ "network", { .networks = 1u << NETWORK_UDP }, { .network = NETWORK_TCP },
		"- network: it is tcp, not udp" },
	{ "icmp", { .networks = 1u << NETWORK_UDP | 1u << NETWORK_TCP },
		{ .network = NETWORK_ICMP },
		"+ network: it is icmp, which goes with tcp,udp" },
	{ "icmp alone", { .networks = 1u << NETWORK_UDP }, { .network = NETWORK_ICMP },
		"- network: it is icmp, not udp" },
	{ "inbound", { .inbound_tag = LIST("socks", "http") }, { .inbound_tag = "tun" },
		"- inboundTag: it came in by tun, not by socks, http" },
	{ "never", { .never = true }, { 0 },
		"- no inbound has the tag that it asks for" },
	{ "all that holds", { .port = "443", .networks = 1u << NETWORK_TCP },
		{ .port = 443 }, "+ network: it is tcp; port: 443 is in 443" },
	{ "source", { .source = LIST("192.0.2.0/24") }, { 0 },
		"- source: the address it comes from is not known" },
};

/* What a listener heard, a line a rule. */
struct heard {
	char text[2048];
	const struct verdict *v;
	int last;
};

static void
hear(void *arg, int rule, bool matched, const char *why)
{
	struct heard *h = arg;
	size_t len = strlen(h->text);

	assert_int_equal(rule, h->last + 1);
	h->last = rule;
	snprintf(h->text + len, sizeof(h->text) - len, "%s%s %s", len ? "\n" : "",
		matched                         ? "+"
			: strstr(why, "needs ") ? "?"
						: "-",
		why);
}

static void
explains(
	const struct rules *r, const struct facts *f, const char *label, const char *want)
{
	struct verdict v, decided;
	struct heard h = { .v = &v, .last = -1 };

	rules_explain(r, f, &v, hear, &h);
	rules_decide(r, f, &decided);
	if (strcmp(h.text, want) != 0)
		fail_msg("%s: %s", label, h.text);
	assert_int_equal(v.missing, decided.missing);
	assert_int_equal(v.rule, decided.rule);
	assert_ptr_equal(v.outbound, decided.outbound);
}

static void
one_rule(void **state)
{
	struct rule_spec rule;
	struct fixture x;
	struct rules *r;
	size_t i;

	(void)state;
	fixture_init(&x);
	for (i = 0; i < COUNT(sentences); i++) {
		rule = sentences[i].rule;
		rule.path = "0";
		r = rules_of(&rule, 1, RESOLVE_AS_IS, &x);
		explains(r, &sentences[i].facts, sentences[i].label, sentences[i].why);
		rules_free(r);
	}
	fixture_fini(&x);
}

static void
rule_by_rule(void **state)
{
	const struct rule_spec rule[] = {
		{ .path = "0", .port = "80" },
		{ .path = "1", .ip = LIST("198.51.100.0/24") },
		{ .path = "2", .networks = 1u << NETWORK_TCP },
		{ .path = "3", .port = "443" },
	};
	struct ip addrs[] = { ip_of("192.0.2.1"), ip_of("192.0.2.2") };
	struct facts f = { .name = "a.example", .port = 443 };
	struct rules *r;

	(void)state;
	r = rules_of(rule, 4, RESOLVE_IF_NON_MATCH, NULL);
	explains(r, &f, "the first pass decides",
		"- port: 443 is not in 80\n"
		"- ip: only the name is given, and domainStrategy does not resolve it here\n"
		"+ network: it is tcp");
	rules_free(r);
	r = rules_of(rule, 2, RESOLVE_IF_NON_MATCH, NULL);
	explains(r, &f, "the second pass asks",
		"- port: 443 is not in 80\n"
		"? ip: needs the addresses of the name, which are not known");
	f.addrs = addrs;
	f.naddrs = 2;
	explains(r, &f, "the second pass finds nothing",
		"- port: 443 is not in 80\n"
		"- ip: 192.0.2.2 is not in 198.51.100.0/24");
	addrs[1] = ip_of("198.51.100.7");
	explains(r, &f, "the second pass finds it",
		"- port: 443 is not in 80\n"
		"+ ip: 198.51.100.7 is in 198.51.100.0/24");
	rules_free(r);
}

/* A sentence never runs over, however long what it names is. */
static void
long_names(void **state)
{
	char name[254], value[300];
	const char *list[] = { value, value, value, NULL };
	struct rule_spec rule = { .path = "0", .domain = list };
	struct facts f = { .name = name };
	struct heard h = { .last = -1 };
	struct verdict v;
	struct rules *r;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	memset(value, 'b', sizeof(value));
	value[299] = '\0';
	r = rules_of(&rule, 1, RESOLVE_AS_IS, NULL);
	rules_explain(r, &f, &v, hear, &h);
	assert_non_null(strstr(h.text, "does not match 3 values"));
	rules_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_rule),
		cmocka_unit_test(rule_by_rule),
		cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
