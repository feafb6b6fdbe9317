/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/build.h"
#include "daemon/command.h"
#include "daemon/resolve.h"
#include "daemon/words.h"
#include "platform/net.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: sluice explain -c FILE HOST:PORT [--udp] [--source ADDR] [--name NAME]\n"
	"                      [--protocol WORD] [--data DIR] [--no-resolve] [--json]\n"
	"\n"
	"Says where a connection would go: which rule and outbound, which country, and for\n"
	"each earlier rule why it did not match.  The same code decides in `sluice run`.\n"
	"Nothing is asked of the network for an address.  A name is looked up if a rule asks\n"
	"for addresses, and then decided as a connection to its first one would be.\n"
	"\"(kernel)\" behind an outbound: the kernel carries such a flow after its first\n"
	"packet (sluice.direct), where the system can.\n"
	"\n"
	"  -c, --config FILE    the configuration; - for standard input\n"
	"  -u, --udp            a datagram, in place of a TCP connection\n"
	"  -s, --source ADDR    where it comes from: an address, or address:port\n"
	"      --name NAME      the name by which an application found the address\n"
	"      --protocol WORD  what its first bytes are: http, tls, bittorrent\n"
	"      --data DIR       where geosite.dat and country.mmdb are looked for after FILE's\n"
	"                       own directory, and before /var/lib/sluice,\n"
	"                       /usr/share/sluice and the folders of Xray and v2ray; in\n"
	"                       between also in $XRAY_LOCATION_ASSET, which `sluice run`\n"
	"                       does not ask\n"
	"      --no-resolve     look up no addresses\n"
	"      --json           one object, for programs\n";

enum { OPTION_NAME = 256, OPTION_PROTOCOL, OPTION_NO_RESOLVE, OPTION_JSON, OPTION_DATA };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "udp", no_argument, NULL, 'u' },
	{ "source", required_argument, NULL, 's' },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "protocol", required_argument, NULL, OPTION_PROTOCOL },
	{ "data", required_argument, NULL, OPTION_DATA },
	{ "no-resolve", no_argument, NULL, OPTION_NO_RESOLVE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

enum { REMARKS = 4 };

struct explain {
	const char *path;
	const char *words; /* the target, as it was given */
	struct facts facts;
	char name[NAME_MAX_LEN + 1];
	struct ip addrs[NAMES_ADDRS];
	bool resolve, json;

	struct command_setup setup;
	struct verdict verdict;
	char remark[REMARKS][320]; /* which facts were missing, and what was taken */
	unsigned nremark;
	unsigned nrule; /* printed so far */
};

static int
usage(const char *why, const char *word)
{
	fprintf(stderr, "sluice: %s%s; see sluice explain --help\n", word, why);
	return -1;
}

static int
name_take(struct explain *x, const char *s, size_t len)
{
	if (!name_normal(x->name, sizeof(x->name), s, len))
		return usage(" is not a name", s);
	x->facts.name = x->name;
	return 0;
}

static int
target_take(struct explain *x, const char *s)
{
	struct target to;

	if (words_target(s, &to, x->name, "sluice explain --help") < 0)
		return -1;
	x->words = s;
	x->facts.ip = to.ip;
	x->facts.port = to.port;
	if (to.name)
		x->facts.name = to.name;
	return 0;
}

static int
source_parse(struct explain *x, const char *s)
{
	struct endpoint *e = &x->facts.source;

	if (endpoint_parse(e, s))
		return 0;
	e->port = 0;
	if (ip_parse(&e->ip, s))
		return 0;
	return usage(" is not an address", s);
}

static int
protocol_parse(struct explain *x, const char *s)
{
	static const char *const words[] = { "http", "tls", "bittorrent", "quic", NULL };
	static const enum protocol meant[] = { PROTOCOL_HTTP, PROTOCOL_TLS,
		PROTOCOL_BITTORRENT, PROTOCOL_QUIC };
	int at = text_find(words, s);

	if (at < 0)
		return usage(" is not a protocol (http, tls, bittorrent)", s);
	x->facts.protocol = meant[at];
	x->facts.known |= FACT_BYTES;
	return 0;
}

/* 0, 1 when help was asked for, -1 after usage. */
static int
option_take(struct explain *x, int option)
{
	switch (option) {
	case 'c':
		return command_file_take(&x->path, optarg) == STATUS_OK ? 0 : -1;
	case 'u':
		x->facts.network = NETWORK_UDP;
		return 0;
	case 's':
		return source_parse(x, optarg);
	case OPTION_NAME:
		return name_take(x, optarg, strlen(optarg));
	case OPTION_PROTOCOL:
		return protocol_parse(x, optarg);
	case OPTION_NO_RESOLVE:
		x->resolve = false;
		return 0;
	case OPTION_JSON:
		x->json = true;
		return 0;
	case OPTION_DATA:
		return command_data_take(&x->setup.data_dir, optarg) == STATUS_OK ? 0
										  : -1;
	case 'h':
		return 1;
	default:
		command_usage("explain");
		return -1;
	}
}

static void
remark(struct explain *x, const char *text, const char *more)
{
	if (x->nremark < REMARKS)
		snprintf(x->remark[x->nremark++], sizeof(x->remark[0]), "%s%s", text,
			more);
}

/* Looks the name up by the resolvers of this machine. How many, or -1 and why. */
static int
name_resolve(struct explain *x, struct err *e)
{
	struct net_resolvers machine;
	struct names *names = NULL;
	struct loop *l = loop_new();
	int n = -1;

	if (net_resolver_read(&machine) < 0)
		machine.n = 0;
	if (l)
		names = build_names(x->setup.config, l, &machine);
	if (names)
		n = resolve_wait(l, names, x->name, x->addrs, NAMES_ADDRS, e);
	else
		err_set(e, "no memory");
	names_free(names);
	if (l)
		loop_free(l);
	return n;
}

/* Whether a rule that could still be reached asks for an address: by the name alone the
 * verdict would be another one than for a connection, which always has an address. */
static bool
address_matters(const struct explain *x)
{
	const struct config *c = x->setup.config;
	struct facts f = x->facts;
	struct verdict v;
	size_t i, last;

	f.known = FACT_NAME | FACT_ADDRESSES | FACT_BYTES;
	rules_decide(x->setup.rules, &f, &v);
	last = v.rule < 0 ? c->nrule : (size_t)v.rule + 1;
	for (i = 0; i < last; i++)
		if (c->rule[i].ip && !c->rule[i].never)
			return true;
	return false;
}

static void
address_take(struct explain *x)
{
	char text[IP_TEXT];
	struct err e;
	int n;

	if (!x->resolve) {
		remark(x, "by the name alone, as nothing is looked up (--no-resolve)",
			"; a connection has an address as well, which ip rules see");
		return;
	}
	n = name_resolve(x, &e);
	if (n < 0) {
		remark(x, "by the name alone, as its addresses could not be found: ",
			e.text);
		return;
	}
	x->facts.addrs = x->addrs;
	x->facts.naddrs = (size_t)n;
	x->facts.ip = x->addrs[0];
	remark(x, "as a connection to its first address, looked up on this machine: ",
		ip_format(&x->facts.ip, text));
}

/* Gets one fact, as a flow would, or says what is taken in its place. */
static void
fact_get(struct explain *x, unsigned missing)
{
	if (missing & FACT_NAME) {
		x->facts.known |= FACT_NAME;
		remark(x,
			"a rule asks for the name of the address; none is taken "
			"(--name gives one)",
			"");
	} else {
		x->facts.known |= FACT_BYTES;
		remark(x,
			"a rule asks for the protocol by the first bytes; none is taken "
			"(--protocol gives one)",
			"");
	}
}

static void
decide(struct explain *x)
{
	x->facts.inbound_tag = x->setup.config->tun_tag[0] ? x->setup.config->tun_tag
							   : NULL;
	if (x->facts.name)
		x->facts.known |= FACT_NAME;
	if (!x->facts.ip.family && address_matters(x))
		address_take(x);
	x->facts.known |= FACT_ADDRESSES;
	for (;;) {
		rules_decide(x->setup.rules, &x->facts, &x->verdict);
		if (!(x->verdict.missing & ~x->facts.known))
			return;
		fact_get(x, x->verdict.missing & ~x->facts.known);
	}
}

/* What is routed into the device is only one family: the rules never see the other. */
static void
family_remark(struct explain *x)
{
	const struct config *c = x->setup.config;
	int left_out = c->route_v4 ? 6 : 4;

	if (c->route_v4 != c->route_v6 && x->facts.ip.family == left_out)
		remark(x, left_out == 6 ? "IPv6" : "IPv4",
			" beyond this machine's own networks is unreachable while sluice "
			"runs, and never comes to the rules (autoSystemRoutingTable)");
}

static const struct outbound_spec *
outbound_of(const struct explain *x)
{
	const struct config *c = x->setup.config;
	size_t i;

	for (i = 0; x->verdict.outbound && i < c->noutbound; i++)
		if (strcmp(c->outbound[i].tag, x->verdict.outbound) == 0)
			return &c->outbound[i];
	return &c->outbound[0];
}

/* Whether a flow like this one must be let in to be decided, for its first bytes. */
static bool
needs_bytes(const struct explain *x)
{
	struct facts f = x->facts;
	struct verdict v;

	if (f.network != NETWORK_TCP)
		return false;
	f.protocol = PROTOCOL_UNKNOWN;
	f.known = FACT_ADDRESSES | (f.name ? FACT_NAME : 0);
	rules_decide(x->setup.rules, &f, &v);
	if (v.missing & ~f.known & FACT_NAME) {
		if (x->setup.config->sniffing.override)
			return true;
		f.known |= FACT_NAME;
		rules_decide(x->setup.rules, &f, &v);
	}
	return (v.missing & ~f.known & FACT_BYTES) != 0;
}

/* From this machine's own applications: nothing else was said, or the device's address. */
static bool
is_own(const struct config *c, const struct ip *source)
{
	for (int i = 0; i < c->tun.naddrs; i++)
		if (ip_equal(&c->tun.addrs[i].ip, source))
			return true;
	return source->family == 0;
}

/* To somewhere, over a family that the device has, and not back into it. */
static bool
leads_outside(const struct config *c, const struct ip *target)
{
	bool has_family = target->family == 0;

	if (target->family != 0 &&
		(ip_is_multicast(target) || ip_is_unspecified(target) ||
			ip_is_loopback(target)))
		return false;
	for (int i = 0; i < c->tun.naddrs; i++) {
		if (cidr_has(&c->tun.addrs[i], target))
			return false;
		if (c->tun.addrs[i].ip.family == target->family)
			has_family = true;
	}
	return has_family;
}

/*
 * Whether such a flow is given back to the kernel once it is decided: the same
 * conditions as in core/flow/handback.c, but for what only the running system
 * knows.
 */
static bool
kernel_carries(const struct explain *x)
{
	const struct config *c = x->setup.config;
	const struct outbound_spec *o = outbound_of(x);

	if (x->facts.network == NETWORK_UDP && c->direct == DIRECT_AUTO &&
		x->facts.port != 443)
		return false;
	return c->direct != DIRECT_STACK && outbound_is_plain(o) && !needs_bytes(x) &&
		x->facts.port != 53 && !flow_policy_limits(&c->policy, &o->policy) &&
		is_own(c, &x->facts.source.ip) && leads_outside(c, &x->facts.ip);
}

static const char *
carrier_word(const struct explain *x, const char *otherwise)
{
	if (!kernel_carries(x))
		return otherwise;
	/* The port does not tell. */
	if (x->facts.network == NETWORK_UDP && x->setup.config->direct == DIRECT_AUTO)
		return "kernel, if it is QUIC";
	return "kernel";
}

static const char *
kind_word(const struct outbound_spec *o)
{
	switch (o->kind) {
	case OUTBOUND_FREEDOM:
		return "freedom";
	case OUTBOUND_BLACKHOLE:
		return "blackhole";
	case OUTBOUND_VMESS:
		return "vmess";
	}
	return "?";
}

/* Where no rule asks for a country the database is not loaded; people may want to know. */
static void
country_look_up(struct explain *x, const struct ip *ip, char cc[static 3])
{
	struct rules_files *files = &x->setup.files.files;
	char path[DATA_PATH];
	struct geoip *g;
	struct err e;

	if (files->open(files, "geoip", path, sizeof(path), &e) < 0)
		return;
	g = geoip_open(path, &e);
	if (!g)
		return;
	if (geoip_country(g, ip, cc) != 0)
		cc[0] = '\0';
	geoip_free(g);
}

/* The country of the flow's address, or of the first of the name's. */
static const char *
country_of(struct explain *x, char cc[static 3])
{
	const struct ip *ip = NULL;

	if (x->facts.ip.family)
		ip = &x->facts.ip;
	else if (x->facts.naddrs)
		ip = &x->facts.addrs[0];
	cc[0] = '\0';
	if (ip && rules_country(x->setup.rules, ip, cc) != 0) {
		cc[0] = '\0';
		country_look_up(x, ip, cc);
	}
	return cc;
}

static void
rule_say(void *arg, int rule, bool matched, const char *why)
{
	const struct explain *x = arg;
	const struct rule_spec *spec = &x->setup.config->rule[rule];
	const char *tag = spec->rule_tag ? spec->rule_tag : "";

	printf("  %s rules[%d]%s%s: %s\n", matched ? "->" : "  ", rule, tag[0] ? " " : "",
		tag, why);
}

static void
text_print(struct explain *x)
{
	const struct outbound_spec *out = outbound_of(x);
	char cc[3];
	unsigned i;

	printf("%s %s\n", x->words, x->facts.network == NETWORK_UDP ? "udp" : "tcp");
	for (i = 0; i < x->nremark; i++)
		printf("  note: %s\n", x->remark[i]);
	rules_explain(x->setup.rules, &x->facts, &x->verdict, rule_say, x);
	if (x->verdict.rule < 0)
		puts("  no rule matches: the first outbound");
	printf("outbound: %s (%s)\n", out->tag[0] ? out->tag : "the first",
		carrier_word(x, kind_word(out)));
	if (country_of(x, cc)[0])
		printf("country: %s\n", cc);
}

static void
json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void
json_field(const char *key, const char *s)
{
	printf(",\"%s\":", key);
	json_string(s);
}

static void
rule_json(void *arg, int rule, bool matched, const char *why)
{
	struct explain *x = arg;
	const struct rule_spec *spec = &x->setup.config->rule[rule];

	printf("%s{\"rule\":%d", x->nrule++ ? "," : "", rule);
	json_field("ruleTag", spec->rule_tag ? spec->rule_tag : "");
	printf(",\"matched\":%s", matched ? "true" : "false");
	json_field("why", why);
	putchar('}');
}

static void
json_print(struct explain *x)
{
	const struct outbound_spec *out = outbound_of(x);
	char cc[3];
	unsigned i;

	printf("{\"target\":");
	json_string(x->words);
	json_field("network", x->facts.network == NETWORK_UDP ? "udp" : "tcp");
	printf(",\"rules\":[");
	rules_explain(x->setup.rules, &x->facts, &x->verdict, rule_json, x);
	printf("],\"rule\":%d", x->verdict.rule);
	json_field("outboundTag", out->tag);
	json_field("outbound", kind_word(out));
	json_field("carriedBy", carrier_word(x, "sluice"));
	json_field("country", country_of(x, cc));
	printf(",\"notes\":[");
	for (i = 0; i < x->nremark; i++) {
		fputs(i ? "," : "", stdout);
		json_string(x->remark[i]);
	}
	puts("]}");
}

static int
explain(struct explain *x)
{
	struct err e;

	x->setup.silent = true;
	if (command_setup_load(&x->setup, x->path, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return STATUS_WRONG;
	}
	decide(x);
	family_remark(x);
	if (x->json)
		json_print(x);
	else
		text_print(x);
	command_setup_fini(&x->setup);
	return STATUS_OK;
}

int
command_explain(int argc, char **argv)
{
	struct explain x = { .resolve = true };
	int option, r;

	while ((option = getopt_long(argc, argv, "c:us:h", options, NULL)) != -1) {
		r = option_take(&x, option);
		if (r > 0)
			fputs(help, stdout);
		if (r != 0)
			return r > 0 ? STATUS_OK : STATUS_USAGE;
	}
	if (!x.path || optind + 1 != argc) {
		usage("explain takes -c FILE and HOST:PORT", "");
		return STATUS_USAGE;
	}
	if (target_take(&x, argv[optind]) < 0)
		return STATUS_USAGE;
	return explain(&x);
}
