/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"
#include "no_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* What is put around a case, so that only the wrong thing stands in it. */
#define OUT(out)   "{\"outbounds\":[" out "]}"
#define RULE(rule) "{\"outbounds\":[" DIRECT "],\"routing\":{\"rules\":[" rule "]}}"
#define TOP(more)  "{\"outbounds\":[" DIRECT "]," more "}"
#define DIRECT     "{\"tag\":\"direct\",\"protocol\":\"freedom\"}"
#define VMESS(set) OUT("{\"protocol\":\"vmess\",\"settings\":{" set "}}")
#define SERVER     "\"address\":\"192.0.2.1\",\"port\":443"
#define ID         "\"id\":\"b831381d-6324-4d53-ad4f-8cda48b30811\""
#define STREAM(stream)                                             \
	OUT("{\"protocol\":\"vmess\",\"settings\":{" SERVER "," ID \
	    "},\"streamSettings\":{" stream "}}")
#define TLS(tls) STREAM("\"security\":\"tls\",\"tlsSettings\":{" tls "}")
#define TUN(set)                                                 \
	TOP("\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{" \
	    "\"autoSystemRoutingTable\":[\"0.0.0.0/0\",\"::/0\"]," set "}}]")

static const struct {
	const char *label, *text, *want;
} cases[] = {
	/* JSON */
	{ "bare word", "{\n \"log\": server\n}", "c.json:2:9: broken JSON: " },
	{ "no value", "{\"port\": ,\n\"x\":1}", NULL },
	{ "no colon", "{\"port\" 1}", NULL },
	{ "two commas", "{\"a\":[1,,2]}", NULL },
	{ "single quotes", "{'a':1}", NULL },
	{ "array of configurations", "[{}]",
		"c.json:1:1: an array, where one configuration (an object) is meant" },

	/* Types and ports */
	{ "wrong type", TOP("\"log\":7"),
		"c.json: log: a number, where an object is meant" },
	{ "no outbounds", "{}",
		"c.json: outbounds: there is no outbound, so nothing can leave" },
	{ "outbound of a wrong type", "{\"outbounds\":[7]}",
		"c.json: outbounds[0]: is not an object" },
	{ "port 0", VMESS("\"address\":\"a.example\",\"port\":0," ID),
		"c.json: outbounds[0].settings.port: 0 is not a port (1-65535)" },
	{ "port 70000", VMESS("\"address\":\"a.example\",\"port\":70000," ID),
		"c.json: outbounds[0].settings.port: 70000 is not a port (1-65535)" },
	{ "port as a wrong string", VMESS("\"address\":\"a.example\",\"port\":\"x\"," ID),
		"c.json: outbounds[0].settings.port: x is not a port (1-65535)" },
	{ "port of a fraction", VMESS("\"address\":\"a.example\",\"port\":80.5," ID),
		"c.json: outbounds[0].settings.port: 80.5 is not a port (1-65535)" },
	{ "port of a wrong type", VMESS("\"address\":\"a.example\",\"port\":{}," ID),
		"c.json: outbounds[0].settings.port: an object, where a number is meant" },
	{ "no port", VMESS("\"address\":\"a.example\"," ID),
		"c.json: outbounds[0].settings.port: is missing: the server's port" },
	{ "port in vnext",
		VMESS("\"vnext\":[{\"address\":\"a.example\",\"port\":70000,"
		      "\"users\":[{" ID "}]}]"),
		"c.json: outbounds[0].settings.vnext[0].port: 70000 is not a port "
		"(1-65535)" },
	{ "form before v2ray 4",
		"{\"outbound\":{\"protocol\":\"vmess\",\"settings\":{\"vnext\":["
		"{\"address\":\"\"}]}}}",
		"c.json: outbound.settings.vnext[0].address: is empty: the server's name "
		"or address" },

	/* Users */
	{ "bad id", VMESS(SERVER ",\"id\":\"b831381d-6324-4d53-ad4f-8cda48b3081x\""),
		"c.json: outbounds[0].settings.id: " },
	{ "id of 35 characters",
		VMESS(SERVER ",\"id\":\"b831381d-6324-4d53-ad4f-8cda48b3081\""),
		"c.json: outbounds[0].settings.id: the VMess id is neither a UUID "
		"(8-4-4-4-12 hex digits) nor 1 to 30 bytes; this one has 35 characters" },
	{ "empty id", VMESS(SERVER ",\"id\":\"\""),
		"c.json: outbounds[0].settings.id: is empty: the user's id" },
	{ "no user", VMESS("\"vnext\":[{" SERVER "}]"),
		"c.json: outbounds[0].settings.vnext[0].users: has no user" },
	{ "bad id of the second user",
		VMESS("\"vnext\":[{" SERVER ",\"users\":[{" ID "},{\"id\":\"\"}]}]"),
		"c.json: outbounds[0].settings.vnext[0].users[1].id: is empty" },
	{ "second server", VMESS("\"vnext\":[{" SERVER ",\"users\":[{" ID "}]},{}]"),
		"c.json: outbounds[0].settings.vnext[1].address: is missing" },
	{ "no servers", VMESS("\"vnext\":[]"),
		"c.json: outbounds[0].settings.vnext: has no server" },
	{ "alterId", VMESS(SERVER "," ID ",\"alterId\":65536"),
		"c.json: outbounds[0].settings.alterId: 65536 is not an alterId "
		"(0-65535)" },
	{ "experiments", VMESS(SERVER "," ID ",\"experiments\":\"NoTermination\""),
		"c.json: outbounds[0].settings.experiments: NoTermination is not an "
		"experiment that sluice knows (AuthenticatedLength, NoTerminationSignal)" },
	{ "misspelt experiment",
		VMESS(SERVER "," ID ",\"experiments\":\"|AuthenticatedLenght\""),
		"c.json: outbounds[0].settings.experiments: AuthenticatedLenght is not an "
		"experiment that sluice knows; did you mean AuthenticatedLength?" },
	{ "seconds of a user's level",
		"{\"policy\":{\"levels\":{\"7\":{\"connIdle\":99999999}}},\"outbounds\":[{"
		"\"protocol\":\"vmess\",\"settings\":{" SERVER "," ID ",\"level\":7}}]}",
		"c.json: policy.levels.7.connIdle: 99999999 is not a number of seconds" },
	{ "level", VMESS(SERVER "," ID ",\"level\":-1"),
		"c.json: outbounds[0].settings.level: -1 is not a level (0-4294967295)" },

	/* What is not spoken */
	{ "kind", OUT("{\"protocol\":\"vless\"}"),
		"c.json: outbounds[0].protocol: outbounds of the kind vless are not "
		"spoken" },
	{ "misspelt kind", OUT("{\"protocol\":\"freedon\"}"),
		"c.json: outbounds[0].protocol: outbounds of the kind freedon are not "
		"spoken; did you mean freedom?" },
	{ "kind that a rule reaches",
		"{\"outbounds\":[" DIRECT ",{\"tag\":\"s\",\"protocol\":\"socks\"}],"
		"\"routing\":{\"rules\":[{\"port\":80,\"outboundTag\":\"s\"}]}}",
		"c.json: outbounds[1].protocol: outbounds of the kind socks are not "
		"spoken" },
	{ "transport", STREAM("\"network\":\"grpc\""),
		"c.json: outbounds[0].streamSettings.network: the transport grpc is not "
		"supported" },
	{ "misspelt transport", STREAM("\"network\":\"httpupgrad\""),
		"c.json: outbounds[0].streamSettings.network: the transport httpupgrad is "
		"not supported; did you mean httpupgrade?" },
	{ "transport of v2ray 5", STREAM("\"transport\":\"quic\""),
		"c.json: outbounds[0].streamSettings.transport: the transport quic is not "
		"supported" },
	{ "transport by its new key", STREAM("\"method\":\"kcp\",\"network\":\"tcp\""),
		"c.json: outbounds[0].streamSettings.method: the transport kcp is not "
		"supported" },
	{ "reality", STREAM("\"security\":\"reality\""),
		"c.json: outbounds[0].streamSettings.security: the security reality is not "
		"supported" },
	{ "header", STREAM("\"tcpSettings\":{\"header\":{\"type\":\"srtp\"}}"),
		"c.json: outbounds[0].streamSettings.tcpSettings.header.type: the header "
		"srtp is not supported" },
	{ "false request",
		STREAM("\"rawSettings\":{\"header\":{\"type\":\"http\",\"request\":{"
		       "\"method\":\"G T\"}}}"),
		"c.json: outbounds[0].streamSettings.rawSettings.header.request: " },
	{ "path of a wrong type",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"path\":7}"),
		"c.json: outbounds[0].streamSettings.wsSettings.path: a number, where a "
		"string is meant" },
	{ "early data of HTTPUpgrade",
		STREAM("\"network\":\"httpupgrade\",\"httpupgradeSettings\":{"
		       "\"maxEarlyData\":100}"),
		"c.json: outbounds[0].streamSettings.httpupgradeSettings.maxEarlyData: "
		"HTTPUpgrade needs earlyDataHeaderName for it" },
	{ "header that breaks the request",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"headers\":{\"A\":\"b\\r\\nC: "
		       "d\"}}"),
		"c.json: outbounds[0].streamSettings.wsSettings.headers.A: " },
	{ "header for the file",
		"{\"transport\":{\"wsSettings\":{\"path\":{}}},\"outbounds\":[{\"protocol\":"
		"\"vmess\",\"settings\":{" SERVER "," ID
		"},\"streamSettings\":{\"network\":\"ws\"}}]}",
		"c.json: transport.wsSettings.path: an object, where a string is meant" },
	{ "TLS version", TLS("\"minVersion\":\"1.4\""),
		"c.json: outbounds[0].streamSettings.tlsSettings.minVersion: 1.4 is not a "
		"version of TLS (1.0, 1.1, 1.2, 1.3)" },
	{ "TLS versions", TLS("\"minVersion\":\"1.2\",\"maxVersion\":\"1.1\""),
		"c.json: outbounds[0].streamSettings.tlsSettings.maxVersion: is below "
		"minVersion" },
	{ "pin", TLS("\"pinnedPeerCertSha256\":\"ab\""),
		"c.json: outbounds[0].streamSettings.tlsSettings.pinnedPeerCertSha256: ab "
		"is not a SHA-256" },
	{ "allowInsecure of a wrong type", TLS("\"allowInsecure\":1"),
		"c.json: outbounds[0].streamSettings.tlsSettings.allowInsecure: a number, "
		"where true or false is meant" },
	{ "client's certificate", TLS("\"certificates\":[{\"certificateFile\":\"a\"}]"),
		"c.json: outbounds[0].streamSettings.tlsSettings.certificates[0]: "
		"certificates of the client are not supported" },
	{ "ECH", TLS("\"echConfigList\":\"x\""),
		"c.json: outbounds[0].streamSettings.tlsSettings.echConfigList: Encrypted "
		"Client Hello is not supported" },
	{ "library", TOP("\"sluice\":{\"tls\":\"gnutls\"}"),
		"c.json: sluice.tls: gnutls is not auto, bearssl or openssl" },
	{ "fast open", STREAM("\"sockopt\":{\"tcpFastOpen\":[]}"),
		"c.json: outbounds[0].streamSettings.sockopt.tcpFastOpen: a list, where true, "
		"false or a number is meant" },
	{ "fast open as a word", STREAM("\"sockopt\":{\"tcpFastOpen\":\"true\"}"),
		"c.json: outbounds[0].streamSettings.sockopt.tcpFastOpen: a string, where "
		"true, false or a number is meant" },
	{ "fast open as a number in a string",
		STREAM("\"sockopt\":{\"tcpFastOpen\":\"1.5\"}"),
		"c.json: outbounds[0].streamSettings.sockopt.tcpFastOpen: a string, where "
		"true, false or a number is meant" },
	{ "chain", STREAM("\"sockopt\":{\"dialerProxy\":\"x\"}"),
		"c.json: outbounds[0].streamSettings.sockopt.dialerProxy: a chain through "
		"another outbound is not supported" },
	{ "mux",
		OUT("{\"protocol\":\"vmess\",\"mux\":{\"enabled\":true},"
		    "\"settings\":{" SERVER "," ID "}}"),
		"c.json: outbounds[0].mux.enabled: mux is not supported yet" },
	{ "proxySettings",
		OUT("{\"protocol\":\"freedom\",\"proxySettings\":{\"tag\":\"x\"}}"),
		"c.json: outbounds[0].proxySettings: a chain through another outbound is "
		"not supported" },
	{ "fragment",
		OUT("{\"protocol\":\"freedom\",\"settings\":{\"fragment\":{\"length\":"
		    "\"1-5\"}}}"),
		"c.json: outbounds[0].settings.fragment: splitting of packets is not "
		"supported" },
	{ "reverse", TOP("\"reverse\":{\"bridges\":[{\"tag\":\"b\"}]}"),
		"c.json: reverse: the reverse proxy is not supported" },

	{ "misspelt routing", TOP("\"rooting\":{}"),
		"c.json: rooting: unknown key; did you mean routing?" },
	{ "misspelt rules", TOP("\"routing\":{\"rule\":[]}"),
		"c.json: routing.rule: unknown key; did you mean rules?" },
	{ "rules that are none", TOP("\"routing\":{\"rules\":true}"),
		"c.json: routing.rules: is not a list of rules" },
	{ "misspelt matcher", RULE("{\"port\":80,\"ips\":[],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].ips: unknown key; did you mean ip?" },
	{ "misspelt network", STREAM("\"netwrk\":\"ws\""),
		"c.json: outbounds[0].streamSettings.netwrk: unknown key; did you mean "
		"network?" },
	{ "misspelt security", STREAM("\"securty\":\"tls\""),
		"c.json: outbounds[0].streamSettings.securty: unknown key; did you mean "
		"security?" },
	{ "misspelt settings of TLS", STREAM("\"security\":\"tls\",\"tlsSetings\":{}"),
		"c.json: outbounds[0].streamSettings.tlsSetings: unknown key; did you mean "
		"tlsSettings?" },
	{ "misspelt stream",
		OUT("{\"protocol\":\"vmess\",\"settings\":{" SERVER "," ID
		    "},\"streamSetings\":{}}"),
		"c.json: outbounds[0].streamSetings: unknown key; did you mean "
		"streamSettings?" },

	{ "misspelt routes of the tun",
		TOP("\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{"
		    "\"autoSystemRoutingTabel\":[\"0.0.0.0/0\"]}}]"),
		"c.json: inbounds[0].settings.autoSystemRoutingTabel: unknown key; did you "
		"mean autoSystemRoutingTable?" },
	{ "misspelt servers", TOP("\"dns\":{\"server\":[\"192.0.2.1\"]}"),
		"c.json: dns.server: unknown key; did you mean servers?" },
	{ "misspelt sluice", TOP("\"sluise\":{\"direct\":\"stack\"}"),
		"c.json: sluise: unknown key; did you mean sluice?" },
	{ "misspelt dns", TOP("\"dsn\":{\"servers\":[\"192.0.2.1\"]}"),
		"c.json: dsn: unknown key; did you mean dns?" },
	{ "misspelt sniffing",
		TOP("\"inbounds\":[{\"protocol\":\"tun\",\"sniffing\":{\"enable\":true}}]"),
		"c.json: inbounds[0].sniffing.enable: unknown key; did you mean enabled?" },

	/* Tags */
	{ "twice the same tag", OUT(DIRECT "," DIRECT),
		"c.json: outbounds[1].tag: direct is the tag of another outbound too" },
	{ "unknown tag", RULE("{\"port\":80,\"outboundTag\":\"proxy\"}"),
		"c.json: routing.rules[0].outboundTag: no outbound has the tag proxy" },
	{ "misspelt tag", RULE("{\"port\":80,\"outboundTag\":\"dirct\"}"),
		"c.json: routing.rules[0].outboundTag: no outbound has the tag dirct; did "
		"you mean direct?" },
	{ "no tag", RULE("{\"port\":80}"),
		"c.json: routing.rules[0].outboundTag: is missing: the tag of an "
		"outbound" },

	/* Rules */
	{ "bad CIDR", RULE("{\"ip\":[\"192.0.2.0/33\"],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].ip[0]: 192.0.2.0/33" },
	{ "bad regular expression",
		RULE("{\"domain\":[\"regexp:(\"],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].domain[0]: regexp:(" },
	{ "no database", RULE("{\"ip\":[\"geoip:xa\"],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].ip[0]: geoip:xa: there is no geoip" },
	{ "no list of sites",
		RULE("{\"domain\":[\"geosite:xa\"],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].domain[0]: geosite:xa: there is no "
		"geosite.dat" },
	{ "port range", RULE("{\"port\":\"80,90-\",\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].port: 90- is not a port or a range (0-65535)" },
	{ "port of a rule", RULE("{\"port\":65536,\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].port: 65536 is not a port (0-65535)" },
	{ "network", RULE("{\"network\":\"tcp,icmp\",\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].network: icmp is not tcp or udp" },
	{ "no condition", RULE("{\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0]: has no condition; to send everything that is "
		"left to one outbound write \"network\": \"tcp,udp\"" },
	{ "chinaip", RULE("{\"type\":\"chinaip\",\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].type: chinaip is no longer a type of rule; "
		"write \"type\": \"field\", \"ip\": [\"geoip:cn\"]" },
	{ "balancer", RULE("{\"port\":80,\"balancerTag\":\"b\"}"),
		"c.json: routing.rules[0].balancerTag: balancers are not supported yet" },
	{ "process", RULE("{\"process\":[\"curl\"],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].process: rules by process are not supported "
		"yet" },
	{ "quic", RULE("{\"protocol\":[\"quic\"],\"outboundTag\":\"direct\"}"),
		"c.json: routing.rules[0].protocol: quic is not recognised yet" },
	{ "rules before v2ray 4",
		TOP("\"routing\":{\"settings\":{\"rules\":[{\"port\":80}]}}"),
		"c.json: routing.settings.rules[0].outboundTag: is missing: the tag of an "
		"outbound" },

	/* dns */
	{ "dns over https", TOP("\"dns\":{\"servers\":[\"https://192.0.2.1/q\"]}"),
		"c.json: dns.servers[0]: https://192.0.2.1/q: only plain servers (an "
		"address) and localhost are supported yet" },
	{ "dns for some names",
		TOP("\"dns\":{\"servers\":[{\"address\":\"192.0.2.1\",\"domains\":["
		    "\"a\"]}]}"),
		"c.json: dns.servers[0].domains: servers for some names only are not "
		"supported yet" },
	{ "dns server", TOP("\"dns\":{\"servers\":[\"192.0.2\"]}"),
		"c.json: dns.servers[0]: 192.0.2 is not an address, nor localhost" },
	{ "fakedns", TOP("\"dns\":{\"servers\":[\"fakedns\"]}"),
		"c.json: dns.servers[0]: fakedns is not supported yet" },
	{ "many hosts", TOP("\"dns\":{\"hosts\":{\"geosite:ads\":\"127.0.0.1\"}}"),
		"c.json: dns.hosts.geosite:ads: geosite: is not supported yet, only "
		"names" },

	/* tun */
	{ "mtu of a byte too few", TUN("\"mtu\":1279"),
		"c.json: inbounds[0].settings.mtu: 1279 is not an MTU (1280-65535)" },
	{ "mtu of a byte too many", TUN("\"mtu\":65536"),
		"c.json: inbounds[0].settings.mtu: 65536 is not an MTU (1280-65535)" },
	{ "name", TUN("\"name\":\"a name\""),
		"c.json: inbounds[0].settings.name: a name cannot be the device's name: 1 "
		"to 15 letters, digits, _ and -" },
	{ "name with a dot", TUN("\"name\":\"tun.7\""),
		"c.json: inbounds[0].settings.name: tun.7 cannot be the device's name" },
	{ "name with a slash", TUN("\"name\":\"a/b\""),
		"c.json: inbounds[0].settings.name: a/b cannot be the device's name" },
	{ "name of 16 letters", TUN("\"name\":\"abcdefghijklmnop\""),
		"c.json: inbounds[0].settings.name: abcdefghijklmnop cannot be" },
	{ "gateway", TUN("\"gateway\":[\"192.0.2.1/24\",\"x\"]"),
		"c.json: inbounds[0].settings.gateway: x is not an address with its "
		"prefix, such as 10.0.0.1/24" },
	{ "two of them",
		TOP("\"inbounds\":[{\"protocol\":\"tun\"},{\"protocol\":\"tun\"}]"),
		"c.json: inbounds[1]: a second tun inbound; there can be one" },

	/* sluice */
	{ "memory", TOP("\"sluice\":{\"memory\":\"much\"}"),
		"c.json: sluice.memory: much is not a size: a whole number of KB, MB or "
		"GB, such as \"256 MB\"" },
	{ "memory in MiB", TOP("\"sluice\":{\"memory\":\"64 MiB\"}"),
		"c.json: sluice.memory: 64 MiB is not a size: a whole number of KB, MB or "
		"GB" },
	{ "no memory", TOP("\"sluice\":{\"memory\":\"\"}"),
		"c.json: sluice.memory: \"\" is not a size" },
	{ "memory as a number of MB", TOP("\"sluice\":{\"memory\":256}"),
		"c.json: sluice.memory: 256 is not a number of bytes from 16 MB to 64 GB "
		"(16777216-68719476736)" },
	{ "memory as a number that is too large",
		TOP("\"sluice\":{\"memory\":68719476737}"),
		"c.json: sluice.memory: 68719476737 is not a number of bytes from 16 MB to 64 GB "
		"(16777216-68719476736)" },
	{ "more memory than a number can say",
		TOP("\"sluice\":{\"memory\":\"99999999999 GB\"}"),
		"c.json: sluice.memory: 99999999999 GB is not a size" },
	{ "empty way of direct flows", TOP("\"sluice\":{\"direct\":\"\"}"),
		"c.json: sluice.direct: \"\" is not auto, stack or kernel" },
	{ "empty library", TOP("\"sluice\":{\"tls\":\"\"}"),
		"c.json: sluice.tls: \"\" is not auto, bearssl or openssl" },
	{ "empty clock", TOP("\"sluice\":{\"clock\":\"\"}"),
		"c.json: sluice.clock: \"\" is not system or auto" },
	{ "warm", TOP("\"sluice\":{\"warm\":17}"),
		"c.json: sluice.warm: 17 is not a number of connections (0-16)" },
	{ "warm by name", TOP("\"sluice\":{\"warm\":{\"proxy\":1}}"),
		"c.json: sluice.warm: an object, where a number is meant" },
	{ "too little memory", TOP("\"sluice\":{\"memory\":\"1 MB\"}"),
		"c.json: sluice.memory: 1 MB is not from 16 MB to 64 GB" },
	{ "unknown key of our own", TOP("\"sluice\":{\"killSwitch\":true}"),
		"c.json: sluice.killSwitch: unknown key" },
	{ "clock", TOP("\"sluice\":{\"clock\":\"ntp\"}"),
		"c.json: sluice.clock: ntp is not system or auto" },
	{ "time servers of a wrong type", TOP("\"sluice\":{\"sntp\":[7]}"),
		"c.json: sluice.sntp[0]: a number, where a string is meant" },
	{ "empty time server", TOP("\"sluice\":{\"sntp\":[\"\"]}"),
		"c.json: sluice.sntp[0]: \"\" is not a time server" },
	{ "time server as a URL", TOP("\"sluice\":{\"sntp\":[\"ntp://a.test\"]}"),
		"c.json: sluice.sntp[0]: ntp://a.test is not a time server" },
	{ "time server on no port",
		TOP("\"sluice\":{\"sntp\":[\"192.0.2.1\",\"a.test:70000\"]}"),
		"c.json: sluice.sntp[1]: a.test:70000 is not a time server" },
	{ "time server of half an address", TOP("\"sluice\":{\"sntp\":\"192.0.2\"}"),
		"c.json: sluice.sntp: 192.0.2 is not a time server" },
	{ "many time servers",
		TOP("\"sluice\":{\"sntp\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}"),
		"c.json: sluice.sntp: 5 time servers; at most 4 are asked" },
	{ "misspelt key of our own", TOP("\"sluice\":{\"goip\":\"x\"}"),
		"c.json: sluice.goip: unknown key; did you mean geoip?" },
	{ "policy", TOP("\"policy\":{\"levels\":{\"0\":{\"connIdle\":-1}}}"),
		"c.json: policy.levels.0.connIdle: -1 is not a number of seconds "
		"(0-31536000)" },
};

/* The error, or "" where there is none. */
static void
load(const char *text, struct err *e)
{
	struct config *c = config_read("c.json", text, strlen(text), NULL, e);
	struct rules *r = NULL;

	if (c && config_rules(c, &no_files, NULL, &r, e) == 0)
		e->text[0] = '\0';
	rules_free(r);
	config_free(c);
}

static void
names_the_place(void **state)
{
	size_t i, wrong = 0;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *want = cases[i].want ? cases[i].want : "c.json:1:";
		struct err e = { "" };

		load(cases[i].text, &e);
		/* Sentences of other rooms and of the JSON library are theirs. */
		if (strncmp(e.text, want, strlen(want)) == 0 && !strchr(e.text, '\n'))
			continue;
		print_error("%s: \"%s\"\n", cases[i].label, e.text);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void
keeps_ids_secret(void **state)
{
	static const char *const texts[] = {
		VMESS(SERVER ",\"id\":\"b831381d-6324-4d53-ad4f-8cda48b3081x\""),
		"{\"port\":443\n\"id\":\"b831381d-6324-4d53-ad4f-8cda48b30811\"}",
		"{\"id\":b831381d-6324-4d53-ad4f-8cda48b30811}",
		"{\"id\" \"b831381d-6324-4d53-ad4f-8cda48b30811\"}",
		"{\"id\":\"a\" \"b831381d-6324-4d53-ad4f-8cda48b30811\"}",
		"{\"id\":\"\\qb831381d-6324-4d53-ad4f-8cda48b30811\"}",
		"{\"id\":\"b831381d-6324-4d53-ad4f-8cda48b30811",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err e = { "" };

		load(texts[i], &e);
		assert_true(e.text[0]);
		assert_null(strstr(e.text, "b83"));
		assert_null(strstr(e.text, "30811"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_place),
		cmocka_unit_test(keeps_ids_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
