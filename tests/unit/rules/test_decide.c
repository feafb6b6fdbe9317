/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define TCP (1u << NETWORK_TCP)
#define UDP (1u << NETWORK_UDP)

/* A flow as the tables have it. */
struct flow {
	const char *ip, *name, *source, *inbound; /* NULL: none */
	uint16_t port, source_port;
	enum network network;
	enum protocol protocol;
	unsigned known;
};

static struct facts
facts_of(const struct flow *f)
{
	struct facts x = { .known = f->known,
		.network = f->network,
		.port = f->port,
		.name = f->name,
		.protocol = f->protocol,
		.inbound_tag = f->inbound };

	if (f->ip)
		x.ip = ip_of(f->ip);
	if (f->source)
		x.source.ip = ip_of(f->source);
	x.source.port = f->source_port;
	return x;
}

/* Does the rule match? One condition (or several) against one flow, all known. */
static const struct {
	const char *label;
	struct rule_spec rule;
	struct flow flow;
	bool want;
} conditions[] = {
	{ "address", { .ip = LIST("192.0.2.1") }, { .ip = "192.0.2.1" }, true },
	{ "other address", { .ip = LIST("192.0.2.1") }, { .ip = "192.0.2.2" }, false },
	{ "one of two", { .ip = LIST("10.0.0.0/8", "192.0.2.0/24") },
		{ .ip = "192.0.2.2" }, true },
	{ "mapped flow", { .ip = LIST("192.0.2.0/24") }, { .ip = "::ffff:192.0.2.2" },
		true },
	{ "v6", { .ip = LIST("2001:db8::/32") }, { .ip = "2001:db8::9" }, true },
	{ "country", { .ip = LIST("geoip:xa") }, { .ip = "192.0.2.1" }, true },
	{ "country in capitals", { .ip = LIST("GeoIP:XA") }, { .ip = "192.0.2.1" },
		true },
	{ "country v6", { .ip = LIST("geoip:xb") }, { .ip = "2001:db8:b::1" }, true },
	{ "other country", { .ip = LIST("geoip:xa") }, { .ip = "198.51.100.1" }, false },
	{ "no country", { .ip = LIST("geoip:xa") }, { .ip = "192.31.196.1" }, false },
	{ "two countries", { .ip = LIST("geoip:xa", "geoip:xb") },
		{ .ip = "198.51.100.1" }, true },
	{ "not country", { .ip = LIST("!geoip:xa") }, { .ip = "192.0.2.1" }, false },
	{ "not country, other", { .ip = LIST("!geoip:xa") }, { .ip = "198.51.100.1" },
		true },
	{ "not country, none", { .ip = LIST("!geoip:xa") }, { .ip = "192.31.196.1" },
		true },
	{ "not country, v6", { .ip = LIST("!geoip:xa") }, { .ip = "2001:db8:c::" },
		true },
	{ "geoip:!xa", { .ip = LIST("geoip:!xa") }, { .ip = "192.0.2.1" }, false },
	{ "geoip:!xa, other", { .ip = LIST("geoip:!xa") }, { .ip = "198.51.100.1" },
		true },
	{ "twice not", { .ip = LIST("!geoip:!xa") }, { .ip = "192.0.2.1" }, true },
	{ "neither of two: first", { .ip = LIST("!geoip:xa", "!geoip:xb") },
		{ .ip = "192.0.2.1" }, false },
	{ "neither of two: second", { .ip = LIST("!geoip:xa", "!geoip:xb") },
		{ .ip = "198.51.100.1" }, false },
	{ "neither of two: third", { .ip = LIST("!geoip:xa", "!geoip:xb") },
		{ .ip = "203.0.113.1" }, true },
	{ "not one or another", { .ip = LIST("!geoip:xa", "192.0.2.7") },
		{ .ip = "192.0.2.7" }, true },
	{ "not one or another, none", { .ip = LIST("!geoip:xa", "192.0.2.7") },
		{ .ip = "192.0.2.8" }, false },
	{ "not network", { .ip = LIST("!192.0.2.0/24") }, { .ip = "192.0.2.8" }, false },
	{ "not network, outside", { .ip = LIST("!192.0.2.0/24") }, { .ip = "192.0.3.8" },
		true },
	{ "not network, other family", { .ip = LIST("!192.0.2.0/24") },
		{ .ip = "2001:db8::" }, false },
	{ "neither network", { .ip = LIST("!192.0.2.0/24", "!198.51.100.0/24") },
		{ .ip = "198.51.100.0" }, false },
	{ "not network or not country", { .ip = LIST("!192.0.2.0/24", "!geoip:xb") },
		{ .ip = "192.0.2.0" }, true },
	{ "private 10", { .ip = LIST("geoip:private") }, { .ip = "10.1.2.3" }, true },
	{ "private carrier", { .ip = LIST("geoip:private") }, { .ip = "100.64.0.1" },
		true },
	{ "private documentation", { .ip = LIST("geoip:private") }, { .ip = "192.0.2.1" },
		true },
	{ "private v6", { .ip = LIST("geoip:private") }, { .ip = "fd00::1" }, true },
	{ "private loopback v6", { .ip = LIST("geoip:private") }, { .ip = "::1" }, true },
	{ "private multicast v6", { .ip = LIST("geoip:private") }, { .ip = "ff02::1" },
		true },
	{ "public", { .ip = LIST("geoip:private") }, { .ip = "8.8.8.8" }, false },
	{ "public v6", { .ip = LIST("geoip:private") }, { .ip = "2600::1" }, false },
	{ "172.32 is public", { .ip = LIST("geoip:private") }, { .ip = "172.32.0.1" },
		false },
	{ "not private", { .ip = LIST("!geoip:private") }, { .ip = "8.8.8.8" }, true },
	{ "ext", { .ip = LIST("ext:geoip.dat:telegram") }, { .ip = "198.51.100.200" },
		true },
	{ "ext-ip", { .ip = LIST("ext-ip:geoip.dat:Telegram") },
		{ .ip = "2001:db8:7::1" }, true },
	{ "ext, outside", { .ip = LIST("ext:geoip.dat:telegram") },
		{ .ip = "198.51.100.1" }, false },
	{ "ext, not", { .ip = LIST("ext:geoip.dat:!telegram") }, { .ip = "198.51.100.1" },
		true },
	{ "geoip of a list", { .ip = LIST("geoip:telegram") }, { .ip = "198.51.100.200" },
		true },
	{ "source", { .source = LIST("192.0.2.0/24") }, { .source = "192.0.2.9" }, true },
	{ "source elsewhere", { .source = LIST("geoip:xa") },
		{ .source = "198.51.100.9" }, false },
	{ "source unknown", { .source = LIST("!geoip:xa") }, { .source = NULL }, false },
	{ "port", { .port = "443,1000-2000" }, { .port = 1999 }, true },
	{ "other port", { .port = "443,1000-2000" }, { .port = 444 }, false },
	{ "port of icmp", { .port = "0-65535" }, { .network = NETWORK_ICMP }, false },
	{ "source port",
		{ .source_port = "1024-"
				 "65535" },
		{ .source_port = 40000 }, true },
	{ "other source port", { .source_port = "53" }, { .source_port = 54 }, false },
	{ "tcp", { .networks = TCP }, { .network = NETWORK_TCP }, true },
	{ "udp is not tcp", { .networks = TCP }, { .network = NETWORK_UDP }, false },
	{ "both", { .networks = TCP | UDP }, { .network = NETWORK_UDP }, true },
	{ "icmp is not tcp", { .networks = TCP }, { .network = NETWORK_ICMP }, false },
	{ "icmp is not udp", { .networks = UDP }, { .network = NETWORK_ICMP }, false },
	{ "icmp goes with both", { .networks = TCP | UDP }, { .network = NETWORK_ICMP },
		true },
	{ "inbound", { .inbound_tag = LIST("a", "tun") }, { .inbound = "tun" }, true },
	{ "other inbound", { .inbound_tag = LIST("a") }, { .inbound = "A" }, false },
	{ "no inbound", { .inbound_tag = LIST("a") }, { .inbound = NULL }, false },
	{ "protocol", { .protocol = LIST("http", "tls") }, { .protocol = PROTOCOL_TLS },
		true },
	{ "other protocol", { .protocol = LIST("tls") }, { .protocol = PROTOCOL_HTTP },
		false },
	{ "no protocol", { .protocol = LIST("tls") }, { .known = FACT_BYTES }, false },
	{ "protocol in capitals", { .protocol = LIST("BitTorrent") },
		{ .protocol = PROTOCOL_BITTORRENT }, true },
	{ "domain", { .domain = LIST("domain:example.com") },
		{ .name = "www.example.com" }, true },
	{ "plain", { .domain = LIST("ample.c") }, { .name = "www.example.com" }, true },
	{ "keyword", { .domain = LIST("keyword:ample.c") }, { .name = "www.example.com" },
		true },
	{ "full", { .domain = LIST("full:example.com") }, { .name = "www.example.com" },
		false },
	{ "regexp", { .domain = LIST("regexp:^www\\.") }, { .name = "www.example.com" },
		true },
	{ "dotless", { .domain = LIST("dotless:") }, { .name = "printer" }, true },
	{ "geosite", { .domain = LIST("geosite:test") }, { .name = "a.example.com" },
		true },
	{ "geosite keyword", { .domain = LIST("geosite:TEST") },
		{ .name = "xtrackery.test" }, true },
	{ "geosite full", { .domain = LIST("geosite:test") },
		{ .name = "only.example.net" }, true },
	{ "geosite full only", { .domain = LIST("geosite:test") },
		{ .name = "x.only.example.net" }, false },
	{ "geosite regexp", { .domain = LIST("geosite:test") },
		{ .name = "r7.example.org" }, true },
	{ "geosite@ads", { .domain = LIST("geosite:test@ads") },
		{ .name = "a.example.com" }, false },
	{ "geosite@ads, in", { .domain = LIST("geosite:test@ads") },
		{ .name = "only.example.net" }, true },
	{ "geosite@ads@cn", { .domain = LIST("geosite:test@ads@cn") },
		{ .name = "only.example.net" }, false },
	{ "geosite with a bad one", { .domain = LIST("geosite:with-regexp") },
		{ .name = "good.example" }, true },
	{ "ext domain", { .domain = LIST("ext:geosite.dat:test") },
		{ .name = "example.com" }, true },
	{ "ext-domain", { .domain = LIST("ext-domain:geosite.dat:test@ads") },
		{ .name = "tracker" }, true },
	{ "no name", { .domain = LIST("regexp:.*") }, { .known = FACT_NAME }, false },
	{ "all of them",
		{ .domain = LIST("domain:a.example"),
			.ip = LIST("geoip:xa"),
			.port = "443",
			.networks = TCP },
		{ .name = "a.example", .ip = "192.0.2.1", .port = 443 }, true },
	{ "all but one",
		{ .domain = LIST("domain:a.example"),
			.ip = LIST("geoip:xa"),
			.port = "443",
			.networks = TCP },
		{ .name = "a.example", .ip = "198.51.100.1", .port = 443 }, false },
};

static void
one_rule(void **state)
{
	struct rule_spec rule;
	struct fixture x;
	struct rules *r;
	struct verdict v;
	struct facts f;
	size_t i;

	(void)state;
	fixture_init(&x);
	for (i = 0; i < COUNT(conditions); i++) {
		rule = conditions[i].rule;
		rule.path = conditions[i].label;
		rule.outbound = "there";
		rule.rule_tag = "tag";
		r = rules_of(&rule, 1, RESOLVE_AS_IS, &x);
		f = facts_of(&conditions[i].flow);
		rules_decide(r, &f, &v);
		if (v.missing || (v.rule == 0) != conditions[i].want)
			fail_msg("%s: rule %d, missing %u", conditions[i].label, v.rule,
				v.missing);
		assert_string_equal(v.rule_tag, v.rule == 0 ? "tag" : "");
		if (v.rule == 0)
			assert_string_equal(v.outbound, "there");
		else
			assert_null(v.outbound);
		rules_free(r);
	}
	fixture_fini(&x);
}

/* Which facts are asked for, and when. The rules: */
static const struct rule_spec asks_name[] = {
	{ .path = "0", .domain = LIST("domain:a.example"), .port = "443" },
	{ .path = "1", .ip = LIST("192.0.2.0/24") },
};
static const struct rule_spec asks_bytes[] = {
	{ .path = "0", .protocol = LIST("bittorrent"), .networks = TCP },
	{ .path = "1", .protocol = LIST("tls"), .port = "443" },
	{ .path = "2", .domain = LIST("a.example") },
};
static const struct rule_spec asks_both[] = {
	{ .path = "0", .protocol = LIST("tls"), .domain = LIST("domain:a.example") },
};
static const struct rule_spec asks_address[] = {
	{ .path = "0", .domain = LIST("full:b.example"), .ip = LIST("192.0.2.0/24") },
	{ .path = "1", .ip = LIST("198.51.100.0/24"), .port = "443" },
	{ .path = "2", .domain = LIST("domain:a.example") },
};
static const struct rule_spec asks_nothing[] = {
	{ .path = "0", .ip = LIST("192.0.2.0/24") },
	{ .path = "1", .domain = LIST("domain:a.example") },
};

static const struct ip in_xb[] = { { 4, { 203, 0, 113, 1 } },
	{ 4, { 198, 51, 100, 9 } } };

static const struct {
	const char *label;
	const struct rule_spec *rule;
	size_t n;
	enum domain_resolve strategy;
	struct flow flow;
	size_t addrs; /* of in_xb */
	unsigned missing;
	int want;
} needs[] = {
#define OF(rules) rules, COUNT(rules)
	{ "name", OF(asks_name), 0, { .ip = "192.0.2.1", .port = 443 }, 0, FACT_NAME,
		-1 },
	{ "the port is false already", OF(asks_name), 0,
		{ .ip = "192.0.2.1", .port = 80 }, 0, 0, 1 },
	{ "it has none", OF(asks_name), 0,
		{ .ip = "192.0.2.1", .port = 443, .known = FACT_NAME }, 0, 0, 1 },
	{ "another name", OF(asks_name), 0,
		{ .ip = "192.0.2.1", .port = 443, .name = "b.example" }, 0, 0, 1 },
	{ "that name", OF(asks_name), 0,
		{ .ip = "192.0.2.1", .port = 443, .name = "x.a.example" }, 0, 0, 0 },
	{ "bytes", OF(asks_bytes), 0, { .ip = "192.0.2.1" }, 0, FACT_BYTES, -1 },
	{ "bytes, rule 1", OF(asks_bytes), 0,
		{ .ip = "192.0.2.1", .port = 443, .protocol = PROTOCOL_TLS }, 0, 0, 1 },
	{ "then the name", OF(asks_bytes), 0,
		{ .ip = "192.0.2.1", .port = 443, .known = FACT_BYTES }, 0, FACT_NAME,
		-1 },
	{ "udp has no tls", OF(asks_bytes), 0,
		{ .ip = "192.0.2.1", .network = NETWORK_UDP, .port = 443 }, 0, FACT_NAME,
		-1 },
	{ "icmp has no bytes", OF(asks_bytes), 0,
		{ .ip = "192.0.2.1", .network = NETWORK_ICMP }, 0, FACT_NAME, -1 },
	{ "both, cheapest lowest", OF(asks_both), 0, { .ip = "192.0.2.1" }, 0,
		FACT_NAME | FACT_BYTES, -1 },
	{ "no bytes for a false name", OF(asks_both), 0,
		{ .ip = "192.0.2.1", .name = "b.example" }, 0, 0, -1 },
	{ "no name for false bytes", OF(asks_both), 0,
		{ .ip = "192.0.2.1", .protocol = PROTOCOL_HTTP }, 0, 0, -1 },
	{ "AsIs does not resolve", OF(asks_address), RESOLVE_AS_IS,
		{ .name = "a.example", .port = 443 }, 0, 0, 2 },
	{ "AsIs does not look either", OF(asks_address), RESOLVE_AS_IS,
		{ .name = "a.example", .port = 443, .known = FACT_ADDRESSES }, 2, 0, 2 },
	{ "OnDemand resolves at once", OF(asks_address), RESOLVE_ON_DEMAND,
		{ .name = "a.example", .port = 443 }, 0, FACT_ADDRESSES, -1 },
	{ "OnDemand, but nobody asks", OF(asks_address), RESOLVE_ON_DEMAND,
		{ .name = "a.example", .port = 80 }, 0, 0, 2 },
	{ "OnDemand, resolved", OF(asks_address), RESOLVE_ON_DEMAND,
		{ .name = "a.example", .port = 443, .known = FACT_ADDRESSES }, 2, 0, 1 },
	{ "OnDemand, no address", OF(asks_address), RESOLVE_ON_DEMAND,
		{ .name = "a.example", .port = 443, .known = FACT_ADDRESSES }, 0, 0, 2 },
	{ "OnDemand, it has an address", OF(asks_address), RESOLVE_ON_DEMAND,
		{ .name = "a.example", .ip = "203.0.113.9", .port = 443 }, 2, 0, 2 },
	{ "IfNonMatch: the name first", OF(asks_address), RESOLVE_IF_NON_MATCH,
		{ .name = "a.example", .port = 443 }, 0, 0, 2 },
	{ "IfNonMatch: then addresses", OF(asks_address), RESOLVE_IF_NON_MATCH,
		{ .name = "c.example", .port = 443 }, 0, FACT_ADDRESSES, -1 },
	{ "IfNonMatch, but nobody asks", OF(asks_address), RESOLVE_IF_NON_MATCH,
		{ .name = "c.example", .port = 80 }, 0, 0, -1 },
	{ "IfNonMatch, resolved", OF(asks_address), RESOLVE_IF_NON_MATCH,
		{ .name = "c.example", .port = 443, .known = FACT_ADDRESSES }, 2, 0, 1 },
	{ "IfNonMatch, no address", OF(asks_address), RESOLVE_IF_NON_MATCH,
		{ .name = "c.example", .port = 443, .known = FACT_ADDRESSES }, 0, 0, -1 },
	{ "IfNonMatch never resolves beside an address", OF(asks_address),
		RESOLVE_IF_NON_MATCH,
		{ .ip = "203.0.113.9", .name = "c.example", .port = 443 }, 0, 0, -1 },
	{ "facts behind the match are not asked for", OF(asks_nothing), 0,
		{ .ip = "192.0.2.1" }, 0, 0, 0 },
#undef OF
};

static void
missing_facts(void **state)
{
	struct verdict v;
	struct rules *r;
	struct facts f;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(needs); i++) {
		r = rules_of(needs[i].rule, needs[i].n, needs[i].strategy, NULL);
		f = facts_of(&needs[i].flow);
		f.addrs = in_xb;
		f.naddrs = needs[i].addrs;
		rules_decide(r, &f, &v);
		if (v.missing != needs[i].missing || v.rule != needs[i].want)
			fail_msg("%s: rule %d, missing %u", needs[i].label, v.rule,
				v.missing);
		rules_free(r);
	}
}

/* A caller that settles what is asked for, one fact at a time, comes to an end. */
static void
asking_ends(void **state)
{
	struct verdict v;
	struct rules *r;
	struct facts f;
	size_t i;
	int turns;

	(void)state;
	for (i = 0; i < COUNT(needs); i++) {
		r = rules_of(needs[i].rule, needs[i].n, needs[i].strategy, NULL);
		f = facts_of(&needs[i].flow);
		for (turns = 0; turns < 4; turns++) {
			rules_decide(r, &f, &v);
			if (!v.missing)
				break;
			assert_int_equal(v.missing & f.known, 0);
			f.known |= v.missing & -v.missing;
		}
		assert_int_equal(v.missing, 0);
		rules_free(r);
	}
}

static void
first_match_wins(void **state)
{
	const struct rule_spec rule[] = {
		{ .path = "0", .port = "80", .outbound = "a", .rule_tag = "web" },
		{ .path = "1", .port = "80-90", .outbound = "b" },
		{ .path = "2", .networks = TCP, .outbound = NULL },
	};
	struct rules *r = rules_of(rule, COUNT(rule), RESOLVE_AS_IS, NULL);
	struct facts f = { .port = 80, .ip = ip_of("192.0.2.1") };
	struct verdict v;

	(void)state;
	rules_decide(r, &f, &v);
	assert_int_equal(v.rule, 0);
	assert_string_equal(v.rule_tag, "web");
	f.port = 81;
	rules_decide(r, &f, &v);
	assert_string_equal(v.outbound, "b");
	assert_string_equal(v.rule_tag, "");
	f.port = 91;
	rules_decide(r, &f, &v);
	assert_int_equal(v.rule, 2);
	assert_null(v.outbound);
	f.network = NETWORK_ICMP;
	rules_decide(r, &f, &v);
	assert_int_equal(v.rule, -1);
	assert_null(v.outbound);
	rules_free(r);
}

/* Whether a rule was written for such a target, or for all. */
static void
general_or_not(void **state)
{
	static const char *const xa[] = { "192.0.2.0/24", NULL };
	static const char *const not_xa[] = { "!192.0.2.0/24", NULL };
	static const char *const name[] = { "full:a.example", NULL };
	static const char *const tun[] = { "", NULL };
	static const struct {
		struct rule_spec rule;
		bool general;
	} cases[] = {
		{ { .networks = UDP }, true },
		{ { .port = "0-65535" }, true },
		{ { .port = "53,1-65535" }, true },
		{ { .source = xa }, true },
		{ { .inbound_tag = tun }, true },
		{ { .port = "1-65534" }, false },
		{ { .port = "53" }, false },
		{ { .ip = xa }, false },
		{ { .ip = not_xa, .port = "0-65535" }, false },
		{ { .domain = name }, false },
	};
	struct rule_spec rule;
	struct rules *r;
	struct verdict v;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct facts f = { .network = NETWORK_UDP,
			.port = 53,
			.ip = ip_of(cases[i].rule.ip == not_xa ? "198.51.100.1"
							       : "192.0.2.1"),
			.source.ip = ip_of("192.0.2.9"),
			.name = "a.example",
			.inbound_tag = "",
			.known = FACT_NAME | FACT_ADDRESSES | FACT_BYTES };

		rule = cases[i].rule;
		rule.path = "0";
		rule.outbound = "a";
		r = rules_of(&rule, 1, RESOLVE_AS_IS, NULL);
		rules_decide(r, &f, &v);
		assert_int_equal(v.rule, 0);
		assert_int_equal(v.general, cases[i].general);
		rules_free(r);
	}
	r = rules_of(NULL, 0, RESOLVE_AS_IS, NULL);
	rules_decide(r, &(struct facts){ .port = 53 }, &v);
	assert_true(v.rule < 0 && v.general);
	rules_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_rule),
		cmocka_unit_test(missing_facts),
		cmocka_unit_test(asking_ends),
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(general_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
