/* SPDX-License-Identifier: MIT */
#include "base/list.h"
#include "daemon/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define DIRECT     "{\"tag\":\"direct\",\"protocol\":\"freedom\"}"
#define TOP(more)  "{\"outbounds\":[" DIRECT "]," more "}"
#define RULE(rule) TOP("\"routing\":{\"rules\":[" rule "]}")
#define USER(more)                                               \
	"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{" \
	"\"address\":\"192.0.2.1\",\"port\":443,"                \
	"\"id\":\"b831381d-6324-4d53-ad4f-8cda48b30811\"," more "}}]}"

#define TLS(tls)                                                             \
	"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":" \
	"\"192.0.2.1\",\"port\":443,\"id\":\"a\"},\"streamSettings\":{"      \
	"\"network\":\"ws\",\"security\":\"tls\",\"tlsSettings\":{" tls "}}}]}"

#define STREAM(stream)                                                                     \
	"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":\"192.0.2.1\"," \
	"\"port\":443,\"id\":\"b831381d-6324-4d53-ad4f-8cda48b30811\"},"                   \
	"\"streamSettings\":{" stream "}}]}"

/* The first warning of a configuration that is read; "" for none. */
static const struct {
	const char *label, *text, *want;
} cases[] = {
	{ "nothing to say", TOP("\"log\":{\"loglevel\":\"info\"}"), "" },
	{ "notes of people", TOP("\"_comment\":1,\"//\":2"), "" },
	{ "null is absent", TOP("\"whatever\":null,\"reverse\":null"), "" },
	{ "old objects that are empty",
		TOP("\"reverse\":{},\"transport\":{},\"policy\":{},\"api\":null"), "" },
	{ "a tun without addresses",
		TOP("\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{"
		    "\"autoSystemRoutingTable\":[\"0.0.0.0/0\",\"::/0\"]}}]"),
		"" },
	{ "a tun with addresses of one family",
		TOP("\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{"
		    "\"gateway\":[\"10.9.0.1/24\"],"
		    "\"autoSystemRoutingTable\":[\"0.0.0.0/0\",\"::/0\"]}}]"),
		"c.json: inbounds[0].settings.gateway: has no IPv6 address; "
		"fd7c:9e3a:51b4::1/126 is added" },
	{ "unknown key", TOP("\"whatever\":1"),
		"c.json: whatever: unknown key, without effect" },
	{ "misspelt key", TOP("\"polcy\":1"),
		"c.json: polcy: unknown key; did you mean policy?" },
	{ "misspelt key without effect", TOP("\"remark\":\"mine\""),
		"c.json: remark: unknown key; did you mean remarks?" },
	{ "a key as short as others",
		RULE("{\"port\":80,\"uid\":1,\"outboundTag\":"
		     "\"direct\"}"),
		"c.json: routing.rules[0].uid: unknown key; did you mean id?" },
	{ "a UUID without its end",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"192.0.2.1\",\"port\":443,\"id\":\"b831381d-6324-4d53\"}}]}",
		"c.json: outbounds[0].settings.id: 18 characters, a UUID has 36; taken as a "
		"word" },
	{ "a UUID without its beginning",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"192.0.2.1\",\"port\":443,\"id\":\"4d53-AD4F-8cda48b30811\"}}]}",
		"c.json: outbounds[0].settings.id: 22 characters, a UUID has 36; taken as a "
		"word" },
	{ "a UUID without dashes, cut",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"192.0.2.1\",\"port\":443,\"id\":\"b831381d63244d53ad4f\"}}]}",
		"c.json: outbounds[0].settings.id: 20 characters, a UUID has 36; taken as a "
		"word" },
	{ "a word of hex digits",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"192.0.2.1\",\"port\":443,\"id\":\"deadbeef\"}}]}",
		"" },
	{ "two words",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"192.0.2.1\",\"port\":443,\"id\":\"cafe-babe\"}}]}",
		"" },
	{ "a long word",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"192.0.2.1\",\"port\":443,\"id\":\"abcdef-abcdef-xyz\"}}]}",
		"" },
	{ "alertId", USER("\"alertId\":64"),
		"c.json: outbounds[0].settings.alertId: unknown key; did you mean "
		"alterId?" },
	{ "early data by the path",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/a?ed=99999\"}"),
		"c.json: outbounds[0].streamSettings.wsSettings.path: early data of 99999 "
		"bytes: at most 8192 go with the request" },
	{ "as much as may be",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/a?ed=8192\"}"),
		"" },
	{ "early data that is no number",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/a?ed=x&b\"}"),
		"c.json: outbounds[0].streamSettings.wsSettings.path: ed is not a number "
		"of bytes: x; no early data is sent" },
	{ "maxEarlyData",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"maxEarlyData\":9000}"),
		"c.json: outbounds[0].streamSettings.wsSettings.maxEarlyData: early data "
		"of 9000 bytes: at most 8192 go with the request" },
	{ "mux.enable",
		"{\"outbounds\":[{\"protocol\":\"freedom\",\"mux\":{\"enable\":true}}]}",
		"c.json: outbounds[0].mux.enable: unknown key; did you mean enabled?" },
	{ "AxIs", TOP("\"routing\":{\"domainStrategy\":\"AxIs\"}"),
		"c.json: routing.domainStrategy: AxIs is not a strategy (AsIs, "
		"IPIfNonMatch, IPOnDemand); AsIs is taken (did you mean AsIs?)" },
	{ "bittorent", RULE("{\"protocol\":[\"bittorent\"],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].protocol: bittorent is not a protocol that is "
		"recognised; did you mean bittorrent?" },
	{ "security", USER("\"security\":\"aes-128-gmc\""),
		"c.json: outbounds[0].settings.security: aes-128-gmc is taken for auto; "
		"did you mean aes-128-gcm?" },
	{ "old security", USER("\"security\":\"aes-128-cfb\""),
		"c.json: outbounds[0].settings.security: aes-128-cfb is taken for auto" },
	{ "settings of another transport",
		STREAM("\"network\":\"httpupgrade\",\"wsSettings\":{\"path\":\"/a\"}"),
		"c.json: outbounds[0].streamSettings.wsSettings: has no effect: network is "
		"not \"ws\"" },
	{ "settings of a transport without a network",
		STREAM("\"httpupgradeSettings\":{\"path\":\"/a\"}"),
		"c.json: outbounds[0].streamSettings.httpupgradeSettings: has no effect: "
		"network is not \"httpupgrade\"" },
	{ "empty settings of another transport",
		STREAM("\"network\":\"tcp\",\"wsSettings\":{},\"tlsSettings\":null"),
		"" },
	{ "settings of TLS without TLS",
		STREAM("\"network\":\"ws\",\"tlsSettings\":{\"serverName\":\"a.example\"}"),
		"c.json: outbounds[0].streamSettings.tlsSettings: has no effect, there is "
		"no TLS: security is not \"tls\"" },
	{ "old header", USER("\"alterId\":64"),
		"c.json: outbounds[0].settings.alterId: 64: asks for the old header, which "
		"servers of today refuse; most take 0" },
	{ "in clear", USER("\"security\":\"zero\""),
		"c.json: outbounds[0]: the security none or zero without TLS: everybody on "
		"the way reads along" },
	{ "an experiment for nothing",
		USER("\"security\":\"none\",\"experiments\":\"AuthenticatedLength\""),
		"c.json: outbounds[0].settings.experiments: AuthenticatedLength has no "
		"effect with this security" },
	{ "in clear inside of TLS",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"192.0.2.1\",\"port\":443,\"id\":\"a\",\"security\":\"none\"},"
		"\"streamSettings\":{\"security\":\"tls\"}}]}",
		"" },
	{ "allowInsecure", TLS("\"allowInsecure\":true"),
		"c.json: outbounds[0].streamSettings.tlsSettings.allowInsecure: the "
		"server's certificate is not checked: whoever is on the way can be the "
		"server" },
	{ "fingerprint", TLS("\"fingerprint\":\"chrome\""),
		"c.json: outbounds[0].streamSettings.tlsSettings.fingerprint: chrome: "
		"sluice does not imitate a browser's handshake; what it sends can be told "
		"from one" },
	{ "h2 over WebSocket", TLS("\"alpn\":[\"h2\"]"),
		"c.json: outbounds[0].streamSettings.tlsSettings.alpn: h2 cannot carry "
		"WebSocket; only http/1.1 is offered" },
	{ "level of the log", TOP("\"log\":{\"loglevel\":\"warn\"}"),
		"c.json: log.loglevel: warn is not a level (debug, info, warning, error, "
		"none); warning is taken" },
	{ "log file", TOP("\"log\":{\"access\":\"/var/log/a\"}"),
		"c.json: log.access: log files are not written; the log goes to standard "
		"error" },
	{ "no log file", TOP("\"log\":{\"access\":\"\",\"error\":\"none\"}"), "" },
	{ "log of v2ray 5",
		TOP("\"log\":{\"access\":{\"type\":\"None\"},\"error\":{\"type\":"
		    "\"Console\",\"level\":\"Info\"}}"),
		"" },
	{ "inbound of another kind", TOP("\"inbounds\":[{\"protocol\":\"socks\"}]"),
		"c.json: inbounds[0]: inbounds of the kind socks are not served; left "
		"out" },
	{ "inbound before v2ray 4", TOP("\"inbound\":{\"protocol\":\"http\"}"),
		"c.json: inbound: inbounds of the kind http are not served; left out" },
	{ "inbound that cannot be",
		RULE("{\"inboundTag\":[\"api\"],\"outboundTag\":\"api\"}"),
		"c.json: routing.rules[0].inboundTag: no inbound that is served has the "
		"tag api; this rule never matches" },
	{ "rule that is switched off",
		RULE("{\"enabled\":false,\"port\":80,\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].enabled: has no effect, as in Xray: the rule "
		"holds; take it out" },
	{ "outbound that nothing reaches",
		"{\"outbounds\":[" DIRECT ",{\"tag\":\"s\",\"protocol\":\"socks\"}]}",
		"c.json: outbounds[1].protocol: outbounds of the kind socks are not "
		"spoken; the outbound is left out, since nothing leads to it" },
	{ "stats", TOP("\"stats\":{}"),
		"c.json: stats: has no counterpart here, and no effect" },
	{ "mark",
		"{\"outbounds\":[{\"protocol\":\"freedom\",\"streamSettings\":{\"sockopt\""
		":{\"mark\":255}}}]}",
		"c.json: outbounds[0].streamSettings.sockopt.mark: is not set: sluice "
		"knows its own sockets by their user, and they never loop" },
	{ "fast open", STREAM("\"sockopt\":{\"tcpFastOpen\":true}"), "" },
	{ "fast open of a direct outbound",
		"{\"outbounds\":[{\"protocol\":\"freedom\",\"streamSettings\":{\"sockopt\""
		":{\"tcpFastOpen\":256}}}]}",
		"c.json: outbounds[0].streamSettings.sockopt.tcpFastOpen: has no effect on "
		"a freedom outbound: its targets are asked before an application gets its "
		"answer" },
	{ "no fast open of a direct outbound",
		"{\"outbounds\":[{\"protocol\":\"freedom\",\"streamSettings\":{\"sockopt\""
		":{\"tcpFastOpen\":-1}}}]}",
		"" },
	{ "second document", TOP("\"log\":{}") "\n{}",
		"c.json:2:1: a second document begins here; only the first is read" },
	{ "tun without routes", TOP("\"inbounds\":[{\"protocol\":\"tun\"}]"),
		"c.json: inbounds[0].settings: without autoSystemRoutingTable nothing is "
		"routed into the device; ask for it with [\"0.0.0.0/0\", \"::/0\"], or "
		"route by hand" },
	{ "one family",
		TOP("\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{"
		    "\"autoSystemRoutingTable\":[\"0.0.0.0/0\"]}}]"),
		"c.json: inbounds[0].settings.autoSystemRoutingTable: IPv6 beyond this "
		"machine's own networks is unreachable while sluice runs, so that none "
		"passes by; ::/0 would route it into the device" },
	{ "line breaks in a key", TOP("\"line\\nbreak\":1"),
		"c.json: line?break: unknown key, without effect" },
};

struct first {
	struct config_say say;
	char line[1024];
	bool twice_broken;
	unsigned count;
};

static void
note(struct config_say *say, const char *line)
{
	struct first *f = container_of(say, struct first, say);

	f->count++;
	f->twice_broken |= strchr(line, '\n') != NULL;
	if (!f->line[0])
		strncpy(f->line, line, sizeof(f->line) - 1);
}

static void
warns_by_path(void **state)
{
	size_t i, wrong = 0;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct first f = { { note }, "", false, 0 };
		struct err e = { "" };
		struct config *c = config_read(
			"c.json", cases[i].text, strlen(cases[i].text), &f.say, &e);

		if (!c || strcmp(f.line, cases[i].want) != 0 || f.twice_broken) {
			print_error("%s: \"%s\" %s\n", cases[i].label, f.line, e.text);
			wrong++;
		}
		config_free(c);
	}
	assert_int_equal(wrong, 0);
}

/* A file full of nonsense is not answered with a book. */
static void
warnings_have_an_end(void **state)
{
	struct first f = { { note }, "", false, 0 };
	static char text[128 * 1024];
	struct config *c;
	struct err e;
	size_t n = 0;
	int i;

	(void)state;
	n += (size_t)snprintf(text, sizeof(text), "{\"outbounds\":[" DIRECT "]");
	for (i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",\"unknown%d\":1", i);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "}");
	c = config_read("c.json", text, n, &f.say, &e);
	assert_non_null(c);
	assert_int_equal(f.count, 201);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warns_by_path),
		cmocka_unit_test(warnings_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
