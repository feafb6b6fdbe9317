/* SPDX-License-Identifier: MIT */
#include "unit/daemon_import/importing.h"

/* Configurations of other programs, and what stands around the servers. */

#define SERVER                                                                    \
	"\"settings\":{\"address\":\"a.example\",\"port\":443,\"id\":\"" ID "\"," \
	"\"security\":\"auto\"}"
#define OUT(stream)                                            \
	"{\"tag\":\"demo\",\"protocol\":\"vmess\"," SERVER "," \
	"\"streamSettings\":{" stream "}}"
#define PIN                                                \
	"AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:" \
	"AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"
/* The certificate of an authority of nobody, with this between its lines. */
#define PEM(between)                                                               \
	"-----BEGIN CERTIFICATE-----" between                                      \
	"MIIBbjCCARWgAwIBAgIUUb3JIe2g/RA4JXP2kFgM09PylE8wCgYIKoZIzj0EAwIw" between \
	"DDEKMAgGA1UEAwwBQTAgFw0yNjExMjExODE4MjBaGA8yMTI2MTAyODE4MTgyMFow" between \
	"DDEKMAgGA1UEAwwBQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDAJEWUdRdA4" between \
	"BANgxM74f2/G18RchN10JM11LyBiWZxNWv8r5gzS2VXeqGUrvBaNW7NJ2Pw6VKU5" between \
	"1K6ifMoThHGjUzBRMB0GA1UdDgQWBBQTA1kjO/bJW5y6+8gchc6zKbTDxTAfBgNV" between \
	"HSMEGDAWgBQTA1kjO/bJW5y6+8gchc6zKbTDxTAPBgNVHRMBAf8EBTADAQH/MAoG" between \
	"CCqGSM49BAMCA0cAMEQCIHwVUdqkp8u4h4AOzdns3xpXxd+g2kz1m2aUVl/Pw3G8" between \
	"AiBlJAzsBEmiadW967DdJ1lfpf0IhUHWPhe5apXExMK71Q==" between                 \
	"-----END CERTIFICATE-----"
#define RAW "\"network\":\"raw\""

#define TRUSTED(what)                                                                \
	OUT(RAW ",\"security\":\"tls\",\"tlsSettings\":{\"disableSystemRoot\":true," \
		"\"certificates\":[{" what "\"usage\":\"verify\"}]}")
#define BOX(more)                                                                        \
	"{\"outbounds\":[{\"type\":\"vmess\",\"tag\":\"demo\",\"server\":\"a.example\"," \
	"\"server_port\":443,\"uuid\":\"" ID "\"" more "}]}"
#define CLASH(more)                                                                 \
	"proxies:\n- name: demo\n  type: vmess\n  server: a.example\n  port: 443\n" \
	"  uuid: " ID "\n" more
#define XRAY(more)                                                                \
	"{\"outbounds\":[{\"protocol\":\"vmess\",\"tag\":\"demo\",\"settings\":{" \
	"\"address\":\"a.example\",\"port\":443,\"id\":\"" ID "\"}" more "}]}"
#define STREAM(stream) XRAY(",\"streamSettings\":{" stream "}")
#define TAKEN(more)                                                                         \
	"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":\"a.example\"," \
	"\"port\":443,\"id\":\"" ID "\"}" more "}"

static const char rest[] = "in: proxies[0].reality-opts: the security reality is not "
			   "supported";

static const struct {
	const char *label, *text, *want, *said; /* want NULL: said is the error */
} cases[] = {
	{ "sing-box", BOX(""), OUT(RAW), "" },
	{ "sing-box, fast open", BOX(",\"tcp_fast_open\":true"),
		OUT(RAW ",\"sockopt\":{\"tcpFastOpen\":true}"), "" },
	{ "sing-box, comments", "// mine\n" BOX(",\"security\":\"auto\",/**/"), OUT(RAW),
		"" },
	{ "sing-box, alone",
		"{\"type\":\"vmess\",\"tag\":\"demo\",\"server\":\"a.example\","
		"\"server_port\":443,\"uuid\":\"" ID "\"}",
		OUT(RAW), "" },
	{ "sing-box, ws and TLS",
		BOX(",\"tls\":{\"enabled\":true,\"server_name\":\"s.example\",\"alpn\":"
		    "\"http/1.1\"},\"transport\":{\"type\":\"ws\",\"path\":\"/p\","
		    "\"headers\":{\"Host\":\"h.example\",\"X\":\"1\"},\"max_early_data\":"
		    "2048,\"early_data_header_name\":\"Sec-WebSocket-Protocol\"}"),
		OUT("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/p\",\"host\":"
		    "\"h.example\",\"headers\":{\"X\":\"1\"},\"maxEarlyData\":2048,"
		    "\"earlyDataHeaderName\":\"Sec-WebSocket-Protocol\"},\"security\":"
		    "\"tls\",\"tlsSettings\":{\"serverName\":\"s.example\",\"alpn\":["
		    "\"http/1.1\"]}"),
		"" },
	{ "sing-box, httpupgrade",
		BOX(",\"transport\":{\"type\":\"httpupgrade\",\"path\":\"/p\",\"host\":"
		    "\"h.example\"}"),
		OUT("\"network\":\"httpupgrade\",\"httpupgradeSettings\":{\"path\":\"/p\","
		    "\"host\":\"h.example\"}"),
		"" },
	{ "sing-box, TLS off", BOX(",\"tls\":{\"enabled\":false,\"insecure\":true}"),
		OUT(RAW), "" },
	{ "sing-box, utls",
		BOX(",\"tls\":{\"enabled\":true,\"utls\":{\"enabled\":true,\"fingerprint\":"
		    "\"firefox\"}}"),
		OUT(RAW ",\"security\":\"tls\",\"tlsSettings\":{\"fingerprint\":"
			"\"firefox\"}"),
		"in: outbounds[0]: the fingerprint firefox is carried over, but the "
		"handshake of a browser is not imitated\n" },
	{ "sing-box, versions of TLS",
		BOX(",\"tls\":{\"enabled\":true,\"min_version\":\"1.1\",\"max_version\":"
		    "\"1.2\"}"),
		OUT(RAW ",\"security\":\"tls\",\"tlsSettings\":{\"minVersion\":\"1.1\","
			"\"maxVersion\":\"1.2\"}"),
		"" },
	{ "sing-box, a version that is none",
		BOX(",\"tls\":{\"enabled\":true,\"min_version\":\"2\"}"), NULL,
		"in: outbounds[0]: streamSettings.tlsSettings.minVersion: 2 is not a version "
		"of TLS (1.0, 1.1, 1.2, 1.3)" },
	{ "sing-box, a certificate in lines",
		BOX(",\"tls\":{\"enabled\":true,\"certificate\":[\"" PEM("\",\"") "\"]}"),
		TRUSTED("\"certificate\":[\"" PEM("\",\"") "\"],"), "" },
	{ "sing-box, a certificate in one text",
		BOX(",\"tls\":{\"enabled\":true,\"certificate\":\"" PEM("\\n") "\"}"),
		TRUSTED("\"certificate\":[\"" PEM("\",\"") "\"],"), "" },
	{ "sing-box, a certificate that is none",
		BOX(",\"tls\":{\"enabled\":true,\"certificate\":\"x\"}"), NULL,
		"in: outbounds[0]: streamSettings.tlsSettings: certificates: there is no "
		"certificate in it that can be read (PEM: lines between BEGIN CERTIFICATE "
		"and END CERTIFICATE)" },
	{ "sing-box, a file of certificates",
		BOX(",\"tls\":{\"enabled\":true,\"certificate_path\":\"/a/ca.pem\"}"),
		TRUSTED("\"certificateFile\":\"/a/ca.pem\","),
		"in: outbounds[0]: the file /a/ca.pem is not looked at here; it is to be "
		"where the result names it\n" },
	{ "sing-box, authenticated length",
		BOX(",\"authenticated_length\":true,\"alter_id\":1"),
		"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"a.example\",\"port\":443,\"id\":\"" ID "\",\"alterId\":1,\"security\":"
		"\"auto\",\"experiments\":\"AuthenticatedLength\"},\"streamSettings\":{" RAW
		"}}",
		"" },
	{ "sing-box, lost keys",
		BOX(",\"packet_encoding\":\"xudp\",\"multiplex\":{\"enabled\":true},"
		    "\"network\":\"tcp\",\"bind_interface\":\"x\""),
		OUT(RAW),
		"in: outbounds[0].multiplex: is not carried over; connections go one by "
		"one\n"
		"in: outbounds[0].packet_encoding: is not carried over; UDP goes as plain "
		"VMess has it\n"
		"in: outbounds[0].network: is not carried over; rules say what goes "
		"where\n"
		"in: outbounds[0].bind_interface: unknown key, without effect\n" },
	{ "sing-box, reality",
		BOX(",\"tls\":{\"enabled\":true,\"reality\":{\"enabled\":true}}"), NULL,
		"in: outbounds[0].tls.reality: the security reality is not supported" },
	{ "sing-box, grpc", BOX(",\"transport\":{\"type\":\"grpc\"}"), NULL,
		"in: outbounds[0].transport.type: the transport grpc is not supported" },
	{ "sing-box, http", BOX(",\"transport\":{\"type\":\"http\"}"), NULL,
		"in: outbounds[0].transport.type: the transport http is not supported" },
	{ "sing-box, detour", BOX(",\"detour\":\"x\""), NULL,
		"in: outbounds[0].detour: a chain through another outbound is not "
		"supported" },
	{ "sing-box, no VMess",
		"{\"outbounds\":[{\"type\":\"vless\"},{\"type\":\"direct\"}],\"route\":{"
		"\"rules\":[]}}",
		NULL, "in: no VMess server that can be used" },

	{ "Clash", CLASH("  alterId: 0\n  cipher: auto\n  udp: true\n"), OUT(RAW), "" },
	{ "Clash as JSON",
		"{\"proxies\":[{\"name\":\"demo\",\"type\":\"vmess\",\"server\":"
		"\"a.example\",\"port\":443,\"uuid\":\"" ID "\"}]}",
		OUT(RAW), "" },
	{ "Clash in flow style, with a comment",
		"# mine\nproxies: [{name: demo, type: vmess, server: a.example, port: '443',"
		" uuid: " ID ", tls: false, network: ~}] # end\n",
		OUT(RAW), "" },
	{ "Clash, aliases and merge keys",
		"base: &b {server: a.example, port: 1, uuid: &u " ID ", type: vmess}\n"
		"proxies:\n  - {<<: *b, name: demo, port: 443}\n",
		OUT(RAW), "" },
	{ "Clash, ws and TLS",
		CLASH("  tls: true\n  servername: s.example\n  skip-cert-verify: false\n"
		      "  network: ws\n  ws-opts:\n    path: /p\n    headers: {Host: "
		      "h.example}\n    max-early-data: 2048\n    early-data-header-name: "
		      "Sec-WebSocket-Protocol\n"),
		OUT("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/p\",\"host\":"
		    "\"h.example\",\"maxEarlyData\":2048,\"earlyDataHeaderName\":\"Sec-"
		    "WebSocket-Protocol\"},\"security\":\"tls\",\"tlsSettings\":{"
		    "\"serverName\":\"s.example\"}"),
		"" },
	{ "Clash, ws of old",
		CLASH("  network: ws\n  ws-path: /p\n  ws-headers: {host: h.example}\n"),
		OUT("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/p\",\"host\":"
		    "\"h.example\"}"),
		"" },
	{ "Clash, httpupgrade",
		CLASH("  network: ws\n  ws-opts: {path: /p, v2ray-http-upgrade: true}\n"),
		OUT("\"network\":\"httpupgrade\",\"httpupgradeSettings\":{\"path\":\"/"
		    "p\"}"),
		"" },
	{ "Clash, http",
		CLASH("  network: http\n  http-opts:\n    method: GET\n    path: [/a, /b]\n"
		      "    headers: {Host: [h.example, x.example], Accept: ['*/*', x]}\n"),
		OUT(RAW ",\"rawSettings\":{\"header\":{\"type\":\"http\",\"request\":{"
			"\"method\":\"GET\",\"path\":[\"/a\",\"/b\"],\"headers\":{"
			"\"Host\":[\"h.example\",\"x.example\"],\"Accept\":[\"*/*\",\"x\"]"
			"}}}}"),
		"" },
	{ "Clash, digest of a certificate",
		CLASH("  tls: true\n  fingerprint: " PIN "\n"),
		OUT(RAW ",\"security\":\"tls\",\"tlsSettings\":{\"pinnedPeerCertSha256\":"
			"\"" PIN "\"}"),
		"" },
	{ "Clash, digest that is cut", CLASH("  tls: true\n  fingerprint: AA:BB\n"), NULL,
		"in: proxies[0]: streamSettings.tlsSettings.pinnedPeerCertSha256: AA:BB is "
		"not a SHA-256 (64 hex digits, or Base64)" },
	{ "Clash, fast open", CLASH("  tfo: true\n"),
		OUT(RAW ",\"sockopt\":{\"tcpFastOpen\":true}"), "" },
	{ "Clash, no fast open", CLASH("  tfo: false\n"), OUT(RAW), "" },
	{ "Clash, name of a browser", CLASH("  tls: true\n  fingerprint: chrome\n"),
		OUT(RAW ",\"security\":\"tls\",\"tlsSettings\":{\"fingerprint\":"
			"\"chrome\"}"),
		"in: proxies[0]: the fingerprint chrome is carried over, but the handshake "
		"of a browser is not imitated\n" },
	{ "Clash, rules and others",
		CLASH("- {name: x, type: ss, server: b.example}\nrules:\n- MATCH,demo\n"),
		OUT(RAW),
		"in: rules: is not carried over, only servers are\n"
		"in: proxies[1].type: proxies of the kind ss are not spoken; left out\n" },
	{ "Clash, h2", CLASH("  network: h2\n"), NULL,
		"in: proxies[0].network: the transport h2 is not supported" },
	{ "Clash, reality", CLASH("  reality-opts: {public-key: x}\n"), NULL, rest },
	{ "Clash, chain", CLASH("  dialer-proxy: x\n"), NULL,
		"in: proxies[0].dialer-proxy: a chain through another proxy is not "
		"supported" },
	{ "broken YAML", "proxies:\n- {a: b\n", NULL,
		"in:3:1: broken YAML: did not find expected ',' or '}'" },
	{ "YAML within itself", "proxies: &a\n- *a\n", NULL,
		"in: broken YAML: a part of it stands within itself" },
	{ "YAML that is a list", "- a\nproxies: b\n", NULL,
		"in:2:1: broken YAML: did not find expected '-' indicator" },
	{ "YAML without proxies", "proxies:\n", NULL,
		"in: no VMess server that can be used" },

	{ "Xray", XRAY(""), TAKEN(""), "" },
	{ "Xray, an outbound alone",
		"{\"protocol\":\"vmess\",\"tag\":\"demo\",\"settings\":{\"address\":"
		"\"a.example\",\"port\":443,\"id\":\"" ID "\"}}",
		TAKEN(""), "" },
	{ "before v2ray 4",
		"{\"outbound\":{\"protocol\":\"vmess\",\"tag\":\"demo\",\"settings\":{"
		"\"vnext\":[{\"address\":\"a.example\",\"port\":\"443\",\"users\":[{\"id\":"
		"\"" ID "\"}]}]}},\"outboundDetour\":[{\"protocol\":\"freedom\"}]}",
		"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"vnext\":[{"
		"\"address\":\"a.example\",\"port\":\"443\",\"users\":[{\"id\":\"" ID
		"\"}]}]}}",
		"" },
	{ "as it stands",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"headers\":{\"Host\":\"h\"},"
		       "\"x\":1},\"security\":\"tls\",\"tlsSettings\":{\"minVersion\":"
		       "\"1.2\"},\"sockopt\":{\"mark\":1}"),
		TAKEN(",\"streamSettings\":{\"network\":\"ws\",\"wsSettings\":{\"headers\":"
		      "{\"Host\":\"h\"},\"x\":1},\"security\":\"tls\",\"tlsSettings\":{"
		      "\"minVersion\":\"1.2\"},\"sockopt\":{\"mark\":1}}"),
		"" },
	{ "v2ray 5",
		STREAM("\"transport\":\"ws\",\"transportSettings\":{\"path\":\"/p\",\"header\":"
		       "[{\"key\":\"Host\",\"value\":\"h\"}]},\"security\":\"utls\","
		       "\"securitySettings\":{\"nextProtocol\":[\"h2\"]}"),
		TAKEN(",\"streamSettings\":{\"transport\":\"ws\",\"transportSettings\":{"
		      "\"path\":\"/p\",\"header\":[{\"key\":\"Host\",\"value\":\"h\"}]},"
		      "\"security\":\"utls\",\"securitySettings\":{\"nextProtocol\":["
		      "\"h2\"]}}"),
		"" },
	{ "mux off", XRAY(",\"mux\":{\"enabled\":false}"), TAKEN(""), "" },
	{ "mux on", XRAY(",\"mux\":{\"enabled\":true}"), TAKEN(""),
		"in: outbounds[0].mux: is not carried over; connections go one by one\n" },
	{ "routing and another kind",
		"{\"routing\":{\"rules\":[1]},\"dns\":{},\"outbounds\":[{\"protocol\":"
		"\"vless\"},{\"protocol\":\"blackhole\"},{\"Protocol\":\"VMess\",\"Tag\":"
		"\"demo\",\"settings\":{\"address\":\"a.example\",\"port\":443,\"id\":"
		"\"" ID "\"}}]}",
		"{\"tag\":\"demo\",\"Protocol\":\"VMess\",\"settings\":{\"address\":"
		"\"a.example\",\"port\":443,\"id\":\"" ID "\"}}",
		"in: routing: is not carried over, only servers are\n"
		"in: outbounds[0].protocol: outbounds of the kind vless are not spoken; "
		"left out\n" },
	{ "Xray, grpc", STREAM("\"network\":\"grpc\""), NULL,
		"in: outbounds[0].streamSettings.network: the transport grpc is not "
		"supported" },
	{ "method wins", STREAM("\"network\":\"ws\",\"method\":\"xhttp\""), NULL,
		"in: outbounds[0].streamSettings.method: the transport xhttp is not "
		"supported" },
	{ "Xray, reality", STREAM("\"security\":\"reality\""), NULL,
		"in: outbounds[0].streamSettings.security: the security reality is not "
		"supported" },
	{ "Xray, chain", XRAY(",\"proxySettings\":{\"tag\":\"x\"}"), NULL,
		"in: outbounds[0].proxySettings.tag: a chain through another outbound is "
		"not supported" },
	{ "Xray, dialer", STREAM("\"sockopt\":{\"dialerProxy\":\"x\"}"), NULL,
		"in: outbounds[0].streamSettings.sockopt.dialerProxy: a chain through "
		"another outbound is not supported" },
	{ "Xray, an experiment of tomorrow",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"a.example\",\"port\":443,\"id\":\"" ID
		"\",\"experiments\":\"Flying\"}}]}",
		NULL,
		"in: outbounds[0]: settings.experiments: Flying is not an experiment that "
		"sluice knows (AuthenticatedLength, NoTerminationSignal)" },
	{ "Xray, a certificate of the client",
		STREAM("\"security\":\"tls\",\"tlsSettings\":{\"certificates\":[{"
		       "\"certificateFile\":\"a.crt\",\"keyFile\":\"a.key\"}]}"),
		NULL,
		"in: outbounds[0]: streamSettings.tlsSettings.certificates[0]: "
		"certificates of the client are not supported, only \"usage\": "
		"\"verify\"" },
	{ "Xray, a file of certificates",
		STREAM("\"security\":\"tls\",\"tlsSettings\":{\"certificates\":[{"
		       "\"usage\":\"verify\",\"certificateFile\":\"ca.crt\"}]}"),
		TAKEN(",\"streamSettings\":{\"security\":\"tls\",\"tlsSettings\":{"
		      "\"certificates\":[{\"usage\":\"verify\",\"certificateFile\":"
		      "\"ca.crt\"}]}}"),
		"in: outbounds[0]: the file ca.crt is not looked at here; it is to be where "
		"the result names it\n" },
	{ "Xray, a certificate that is none",
		STREAM("\"security\":\"tls\",\"tlsSettings\":{\"certificates\":[{"
		       "\"usage\":\"verify\",\"certificate\":[\"x\"]}]}"),
		NULL,
		"in: outbounds[0]: streamSettings.tlsSettings: certificates: there is no "
		"certificate in it that can be read (PEM: lines between BEGIN CERTIFICATE "
		"and END CERTIFICATE)" },
	{ "Xray, a place-holder",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"tag\":\"demo\",\"settings\":{"
		"\"address\":\"<server>\",\"port\":443,\"id\":\"" ID "\"}}]}",
		"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"<server>\",\"port\":443,\"id\":\"" ID "\"}}",
		"in: outbounds[0]: <server> is not an address, and no name that can be "
		"found; nothing will get through\n" },
	{ "Xray, no server", "{\"outbounds\":[{\"protocol\":\"vmess\"}]}", NULL,
		"in: outbounds[0].settings.address: is missing: the server's name or "
		"address" },
	{ "Xray, no VMess", "{\"outbounds\":[{\"protocol\":\"freedom\"}]}", NULL,
		"in: no VMess server that can be used" },
	{ "a link's object",
		"{\"ps\":\"demo\",\"add\":\"a.example\",\"port\":443,\"id\":\"" ID "\"}",
		OUT(RAW), "" },
	{ "JSON of something else", "{\"a\":1}", NULL,
		"in: is JSON, but has no outbounds and no proxies" },
	{ "JSON that ends", "{\"outbounds\":[", NULL,
		"in:1:14: this bracket is never closed" },
	{ "outbounds of numbers", "{\"outbounds\":[1,null,\"x\",[]]}", NULL,
		"in: is JSON, but has no outbounds and no proxies" },
};

static void
forms(void **state)
{
	struct imported im;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("%s\n", cases[i].label);
		import_text(&im, cases[i].text);
		if (!cases[i].want) {
			assert_string_equal(im.err.text, cases[i].said);
		} else {
			assert_string_equal(im.err.text, "");
			assert_int_equal(imported_count(&im), 2);
			assert_string_equal(imported_outbound(&im, 0), cases[i].want);
			assert_string_equal(im.said, cases[i].said);
		}
		imported_free(&im);
	}
}

/* One that cannot be used does not void the rest, whatever the form. */
static void
others_go_on(void **state)
{
	static const char a_box[] =
		"{\"outbounds\":[{\"type\":\"vmess\",\"server\":\"a.example\"},{\"type\":"
		"\"vmess\",\"server\":\"a.example\",\"server_port\":1,\"uuid\":\"x\"}]}";
	static const char an_xray[] =
		"{\"outbounds\":[{\"protocol\":\"vmess\"},{\"protocol\":\"vmess\","
		"\"settings\":{\"address\":\"a.example\",\"port\":1,\"id\":\"x\"}}]}";
	static const char a_clash[] =
		"proxies:\n- {type: vmess, server: a.example}\n- {type: vmess, server: "
		"a.example, port: 1, uuid: x}\n";
	static const char box_said[] =
		"in: outbounds[0].server_port: is missing: the server's port; left out\n";
	static const char xray_said[] =
		"in: outbounds[0].settings.address: is missing: the server's name or "
		"address; left out\n";
	static const char clash_said[] =
		"in: proxies[0].port: is missing: the server's port; left out\n";
	static const char *const texts[] = { a_box, an_xray, a_clash };
	static const char *const says[] = { box_said, xray_said, clash_said };
	struct imported im;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		import_text(&im, texts[i]);
		assert_int_equal(imported_count(&im), 2);
		assert_string_equal(im.said, says[i]);
		imported_free(&im);
	}
}

/* What v2ray 4 says for all transports of a file goes with the outbounds. */
static void
transport_of_file(void **state)
{
	struct json_object *transport;
	struct imported im;

	(void)state;
	import_text(&im,
		"{\"transport\":{\"wsSettings\":{\"path\":\"/p\"}},\"outbounds\":[{"
		"\"protocol\":\"vmess\",\"settings\":{\"address\":\"a.example\","
		"\"port\":1,\"id\":\"x\"}}]}");
	assert_true(json_object_object_get_ex(im.json, "transport", &transport));
	assert_string_equal(
		json_object_to_json_string_ext(transport,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		"{\"wsSettings\":{\"path\":\"/p\"}}");
	imported_free(&im);
}

static void
choices(void **state)
{
	static const char link[] = "vmess://x@192.0.2.1:443#demo";
	static const char before[] =
		"{\n\t\"log\": {\n\t\t\"loglevel\": \"info\"\n\t},\n\t\"dns\": {\n\t\t"
		"\"servers\": [\n\t\t\t\"1.1.1.1\",\n\t\t\t\"8.8.8.8\"\n\t\t]\n\t},\n\t"
		"\"inbounds\": [\n\t\t{\n\t\t\t\"tag\": \"tun\",\n\t\t\t\"protocol\": "
		"\"tun\",\n\t\t\t\"settings\": {\n\t\t\t\t\"autoSystemRoutingTable\": [\n"
		"\t\t\t\t\t\"0.0.0.0/0\",\n\t\t\t\t\t\"::/0\"\n\t\t\t\t]\n\t\t\t},\n\t\t\t"
		"\"sniffing\": {\n\t\t\t\t\"enabled\": true,\n\t\t\t\t\"destOverride\": [\n"
		"\t\t\t\t\t\"http\",\n\t\t\t\t\t\"tls\"\n\t\t\t\t]\n\t\t\t}\n\t\t}\n\t],\n";
	static const char *const countries[] = { "de", "at", NULL };
	static const char lan[] = "{\"domainStrategy\":\"AsIs\",\"rules\":[{\"ip\":["
				  "\"geoip:private\"],\"outboundTag\":\"direct\"}]}";
	static const char home[] =
		"{\"domainStrategy\":\"AsIs\",\"rules\":[{\"ip\":[\"geoip:private\"],"
		"\"outboundTag\":\"direct\"},{\"ip\":[\"geoip:de\",\"geoip:at\"],"
		"\"outboundTag\":\"direct\"}]}";
	struct json_object *routing;
	struct imported im;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		import_bytes(&im, link, strlen(link), i ? countries : NULL);
		assert_memory_equal(im.text, before, strlen(before));
		assert_string_equal(imported_outbound(&im, 1),
			"{\"tag\":\"direct\",\"protocol\":\"freedom\"}");
		assert_true(json_object_object_get_ex(im.json, "routing", &routing));
		assert_string_equal(
			json_object_to_json_string_ext(routing, JSON_C_TO_STRING_PLAIN),
			i ? home : lan);
		imported_free(&im);
	}
}

#define TIMED(ntp)                                                                          \
	"{\"outbounds\":[{\"type\":\"vmess\",\"server\":\"a.example\",\"server_port\":443," \
	"\"uuid\":\"" ID "\"}],\"ntp\":" ntp "}"
#define ASKED(at, target, port)                                                          \
	"{\"sntp\":[\"" at "\"]}",                                                       \
		"{" target ",\"port\":\"" port "\",\"network\":\"udp\",\"outboundTag\":" \
		"\"direct\"}"

static const struct {
	const char *ntp, *own, *rule, *said; /* own NULL: there is none */
} times[] = {
	{ TIMED("{\"enabled\":true,\"server\":\"Time.example.com.\"}"),
		ASKED("time.example.com:123", "\"domain\":[\"full:time.example.com\"]",
			"123"),
		"" },
	{ TIMED("{\"enabled\":true,\"server\":\"192.0.2.123\",\"server_port\":1123,"
		"\"interval\":\"30m\",\"write_to_system\":false}"),
		ASKED("192.0.2.123:1123", "\"ip\":[\"192.0.2.123\"]", "1123"), "" },
	{ TIMED("{\"enabled\":true,\"server\":\"2001:db8::1\",\"write_to_system\":true}"),
		ASKED("[2001:db8::1]:123", "\"ip\":[\"2001:db8::1\"]", "123"),
		"in: ntp.write_to_system: is not carried over; the machine's clock stays "
		"as it is\n" },
	{ TIMED("{\"enabled\":false,\"server\":\"time.example.com\"}"), NULL, NULL, "" },
	{ TIMED("{\"server\":\"time.example.com\"}"), NULL, NULL, "" },
	{ TIMED("{\"enabled\":true}"), NULL, NULL,
		"in: ntp.server: \"\" is not a name or an address; left out\n" },
	{ TIMED("{\"enabled\":true,\"server\":\"a/b\"}"), NULL, NULL,
		"in: ntp.server: a/b is not a name or an address; left out\n" },
	{ TIMED("{\"enabled\":true,\"server\":\"a.example\",\"server_port\":0}"), NULL,
		NULL, "in: ntp.server_port: 0 is not a port (1-65535); left out\n" },
	{ TIMED("{\"enabled\":true,\"server\":\"a.example\",\"detour\":\"x\"}"), NULL,
		NULL,
		"in: ntp.detour: a time server behind an outbound is not supported; left "
		"out\n" },
	{ TIMED("{\"enabled\":{}}"), NULL, NULL,
		"in: ntp.enabled: is not a single value; left out\n" },
	{ TIMED("7"), NULL, NULL, "" },
};

static const char *
json_text(struct json_object *o)
{
	return json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* sing-box's time server is asked directly, here as there. */
static void
time_server(void **state)
{
	struct json_object *own, *routing, *rules;
	struct imported im;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(*times); i++) {
		import_text(&im, times[i].ntp);
		assert_string_equal(im.err.text, "");
		assert_string_equal(im.said, times[i].said);
		assert_true(json_object_object_get_ex(im.json, "routing", &routing));
		assert_true(json_object_object_get_ex(routing, "rules", &rules));
		n = json_object_array_length(rules);
		assert_int_equal(n, times[i].own ? 2 : 1);
		assert_int_equal(json_object_object_get_ex(im.json, "sluice", &own),
			times[i].own != NULL);
		if (times[i].own) {
			assert_string_equal(json_text(own), times[i].own);
			assert_string_equal(
				json_text(json_object_array_get_idx(rules, 1)),
				times[i].rule);
		}
		imported_free(&im);
	}
}

static void
heard(struct config_say *say, const char *line)
{
	(void)say;
	fail_msg("%s", line);
}

/* The reader of configurations takes what is made, without a word. */
static void
checked(void **state)
{
	struct config_say say = { heard };
	struct imported im;
	struct config *c;
	struct err e;

	(void)state;
	import_text(&im, "vmess://x@192.0.2.1:443#one\nvmess://y@a.example:80#two\n");
	c = config_read("out", im.text, strlen(im.text), &say, &e);
	if (!c)
		fail_msg("%s", e.text);
	assert_int_equal(c->noutbound, 3);
	assert_string_equal(c->outbound[0].tag, "one");
	assert_true(c->route_v4 && c->route_v6);
	config_free(c);
	imported_free(&im);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(others_go_on),
		cmocka_unit_test(transport_of_file),
		cmocka_unit_test(choices),
		cmocka_unit_test(time_server),
		cmocka_unit_test(checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
