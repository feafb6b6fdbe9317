/* SPDX-License-Identifier: MIT */
#include "unit/daemon_import/importing.h"

/* Links, one at a time. */

#define PIN "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
#define BASE                                                                  \
	"\"v\":\"2\",\"ps\":\"demo\",\"add\":\"a.example\",\"port\":\"443\"," \
	"\"id\":\"" ID "\""
#define WITH(more) "{" BASE "," more "}"
#define SETTINGS   "\"settings\":{\"address\":\"a.example\",\"port\":443,\"id\":\"" ID "\","
#define OUT(settings, stream)                                              \
	"{\"tag\":\"demo\",\"protocol\":\"vmess\"," SETTINGS settings "}," \
	"\"streamSettings\":{" stream "}}"
#define AUTO        "\"security\":\"auto\""
#define RAW         "\"network\":\"raw\""
#define TLS(more)   RAW ",\"security\":\"tls\",\"tlsSettings\":{" more "}"
#define WS(more)    "\"network\":\"ws\",\"wsSettings\":{" more "}"
#define FALSE(more) RAW ",\"rawSettings\":{\"header\":{\"type\":\"http\"" more "}}"

static const char no_check[] =
	"in: the server's certificate will not be checked: whoever "
	"is on the way can read along\n";
static const char no_browser[] = "in: the fingerprint chrome is carried over, but the "
				 "handshake of a browser is not imitated\n";
static const char no_tls[] =
	"in: there is no TLS, so that its certificate is not checked "
	"says nothing; left out\n";

static const struct {
	const char *label, *object, *want, *said;
} objects[] = {
	{ "the least", "{" BASE "}", OUT(AUTO, RAW), "" },
	{ "numbers as numbers",
		"{\"v\":2,\"ps\":\"demo\",\"add\":\"a.example\",\"port\":443,"
		"\"id\":\"" ID "\",\"aid\":0}",
		OUT(AUTO, RAW), "" },
	{ "space around values", WITH("\"net\":\" tcp \",\"scy\":\"auto\\n\""),
		OUT(AUTO, RAW), "" },
	{ "aid as a string", WITH("\"aid\":\"64\""), OUT("\"alterId\":64," AUTO, RAW),
		"" },
	{ "aid as a number", WITH("\"aid\":2"), OUT("\"alterId\":2," AUTO, RAW), "" },
	{ "aid empty", WITH("\"aid\":\"\""), OUT(AUTO, RAW), "" },
	{ "scy", WITH("\"scy\":\"aes-128-gcm\""),
		OUT("\"security\":\"aes-128-gcm\"", RAW), "" },
	{ "scy zero", WITH("\"scy\":\"zero\""), OUT("\"security\":\"zero\"", RAW), "" },
	{ "security in place of scy", WITH("\"security\":\"chacha20-poly1305\""),
		OUT("\"security\":\"chacha20-poly1305\"", RAW), "" },
	{ "scy wins", WITH("\"scy\":\"none\",\"security\":\"auto\""),
		OUT("\"security\":\"none\"", RAW), "" },
	{ "an old cipher", WITH("\"scy\":\"aes-128-cfb\""), OUT(AUTO, RAW),
		"in: scy: aes-128-cfb is no cipher of today; auto is taken\n" },
	{ "members that are null", WITH("\"type\":null,\"tls\":null,\"net\":null"),
		OUT(AUTO, RAW), "" },
	{ "net empty", WITH("\"net\":\"\""), OUT(AUTO, RAW), "" },
	{ "net raw", WITH("\"net\":\"raw\""), OUT(AUTO, RAW), "" },
	{ "tls \"\"", WITH("\"tls\":\"\""), OUT(AUTO, RAW), "" },
	{ "tls none", WITH("\"tls\":\"none\""), OUT(AUTO, RAW), "" },
	{ "tls \"false\"", WITH("\"tls\":\"false\""), OUT(AUTO, RAW), "" },
	{ "tls false", WITH("\"tls\":false"), OUT(AUTO, RAW), "" },
	{ "tls tls", WITH("\"tls\":\"tls\""), OUT(AUTO, RAW ",\"security\":\"tls\""),
		"" },
	{ "tls \"true\"", WITH("\"tls\":\"true\""),
		OUT(AUTO, RAW ",\"security\":\"tls\""), "" },
	{ "tls true", WITH("\"tls\":true"), OUT(AUTO, RAW ",\"security\":\"tls\""), "" },
	{ "sni", WITH("\"tls\":\"tls\",\"sni\":\"s.example\",\"host\":\"h.example\""),
		OUT(AUTO, TLS("\"serverName\":\"s.example\"")), "" },
	{ "sni empty: the host",
		WITH("\"tls\":\"tls\",\"sni\":\"\",\"host\":\"h.example:8443,x.example\""),
		OUT(AUTO, TLS("\"serverName\":\"h.example\"")), "" },
	{ "sni in brackets", WITH("\"tls\":\"tls\",\"sni\":\"[2001:db8::1]\""),
		OUT(AUTO, TLS("\"serverName\":\"2001:db8::1\"")), "" },
	{ "alpn", WITH("\"tls\":\"tls\",\"alpn\":\"h2, http/1.1\""),
		OUT(AUTO, TLS("\"alpn\":[\"h2\",\"http/1.1\"]")), "" },
	{ "fingerprint", WITH("\"tls\":\"tls\",\"fp\":\"chrome\""),
		OUT(AUTO, TLS("\"fingerprint\":\"chrome\"")), no_browser },
	{ "insecure", WITH("\"tls\":\"tls\",\"insecure\":\"1\""),
		OUT(AUTO, TLS("\"allowInsecure\":true")), no_check },
	{ "allowInsecure", WITH("\"tls\":\"tls\",\"allowInsecure\":true"),
		OUT(AUTO, TLS("\"allowInsecure\":true")), no_check },
	{ "skip-cert-verify", WITH("\"tls\":\"tls\",\"skip-cert-verify\":\"true\""),
		OUT(AUTO, TLS("\"allowInsecure\":true")), no_check },
	{ "verify_cert", WITH("\"tls\":\"tls\",\"verify_cert\":false"),
		OUT(AUTO, TLS("\"allowInsecure\":true")), no_check },
	{ "skip-cert-verify false", WITH("\"tls\":\"tls\",\"skip-cert-verify\":false"),
		OUT(AUTO, RAW ",\"security\":\"tls\""), "" },
	{ "insecure without TLS", WITH("\"skip-cert-verify\":true"), OUT(AUTO, RAW),
		no_tls },
	{ "pin", WITH("\"tls\":\"tls\",\"pcs\":\"" PIN "\""),
		OUT(AUTO, TLS("\"pinnedPeerCertSha256\":\"" PIN "\"")), "" },
	{ "early data in the path, too much",
		WITH("\"net\":\"ws\",\"path\":\"/p?ed=9000\""),
		OUT(AUTO, WS("\"path\":\"/p?ed=9000\"")), "" },
	{ "early data as keys, too much", WITH("\"net\":\"ws\",\"ed\":\"99999\""),
		OUT(AUTO,
			WS("\"maxEarlyData\":8192,\"earlyDataHeaderName\":\"Sec-"
			   "WebSocket-Protocol\"")),
		"in: ed: early data of 99999 bytes: at most 8192 go with the request\n" },
	{ "ws", WITH("\"net\":\"ws\",\"path\":\"/p\",\"host\":\"h.example\""),
		OUT(AUTO, WS("\"path\":\"/p\",\"host\":\"h.example\"")), "" },
	{ "ws with nothing", WITH("\"net\":\"ws\",\"path\":\"\",\"host\":\"\""),
		OUT(AUTO, "\"network\":\"ws\""), "" },
	{ "path without a slash", WITH("\"net\":\"ws\",\"path\":\"p\""),
		OUT(AUTO, WS("\"path\":\"/p\"")), "" },
	{ "path with ed", WITH("\"net\":\"ws\",\"path\":\"/p?ed=2048\""),
		OUT(AUTO, WS("\"path\":\"/p?ed=2048\"")), "" },
	{ "path with commas", WITH("\"net\":\"ws\",\"path\":\"/a,b,\""),
		OUT(AUTO, WS("\"path\":\"/a,b,\"")), "" },
	{ "hosts with ws", WITH("\"net\":\"ws\",\"host\":\"h.example,x.example\""),
		OUT(AUTO, WS("\"host\":\"h.example\"")),
		"in: of the hosts h.example,x.example the first is taken\n" },
	{ "type with ws", WITH("\"net\":\"ws\",\"type\":\"http\""),
		OUT(AUTO, "\"network\":\"ws\""), "" },
	{ "ws with TLS", WITH("\"net\":\"ws\",\"tls\":\"tls\",\"host\":\"h.example\""),
		OUT(AUTO,
			WS("\"host\":\"h.example\"") ",\"security\":\"tls\",\"tlsSettings"
						     "\":{\"serverName\":\"h.example"
						     "\"}"),
		"" },
	{ "ws with alpn h2", WITH("\"net\":\"ws\",\"tls\":\"tls\",\"alpn\":\"h2\""),
		OUT(AUTO,
			"\"network\":\"ws\",\"security\":\"tls\",\"tlsSettings\":{"
			"\"alpn\":[\"http/1.1\"]}"),
		"in: alpn h2 cannot carry WebSocket; http/1.1 is asked for\n" },
	{ "ws with alpn", WITH("\"net\":\"ws\",\"tls\":\"tls\",\"alpn\":\"http/1.1\""),
		OUT(AUTO,
			"\"network\":\"ws\",\"security\":\"tls\",\"tlsSettings\":{"
			"\"alpn\":[\"http/1.1\"]}"),
		"" },
	{ "httpupgrade", WITH("\"net\":\"httpupgrade\",\"path\":\"/p\",\"type\":\"---\""),
		OUT(AUTO,
			"\"network\":\"httpupgrade\",\"httpupgradeSettings\":{\"path\":"
			"\"/p\"}"),
		"" },
	{ "type http", WITH("\"type\":\"http\""), OUT(AUTO, FALSE("")), "" },
	{ "type http with lists",
		WITH("\"net\":\"tcp\",\"type\":\"http\",\"host\":\"h.example,x.example\","
		     "\"path\":\"/a,/b\""),
		OUT(AUTO,
			FALSE(",\"request\":{\"path\":[\"/a\",\"/b\"],\"headers\":{"
			      "\"Host\":[\"h.example\",\"x.example\"]}}")),
		"" },
	{ "type of another transport", WITH("\"net\":\"tcp\",\"type\":\"srtp\""),
		OUT(AUTO, RAW),
		"in: type: srtp says nothing for this transport; left out\n" },
	{ "a name of 3 words",
		"{\"ps\":\" a\\tb \\u001b \",\"add\":\"a.example\",\"port\":"
		"443,\"id\":\"" ID "\"}",
		"{\"tag\":\"a?b ?\",\"protocol\":\"vmess\"," SETTINGS AUTO "},"
		"\"streamSettings\":{" RAW "}}",
		"" },
	{ "an id that is a word",
		"{\"ps\":\"demo\",\"add\":\"a.example\",\"port\":443,"
		"\"id\":\"word\"}",
		"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"a.example\",\"port\":443,\"id\":\"word\"," AUTO "},"
		"\"streamSettings\":{" RAW "}}",
		"" },
	{ "an IPv6 address",
		"{\"ps\":\"demo\",\"add\":\"[2001:db8::1]\",\"port\":443,"
		"\"id\":\"word\"}",
		"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"2001:db8::1\",\"port\":443,\"id\":\"word\"," AUTO "},"
		"\"streamSettings\":{" RAW "}}",
		"" },
	{ "a server named direct",
		"{\"ps\":\"direct\",\"add\":\"a.example\",\"port\":443,"
		"\"id\":\"" ID "\"}",
		"{\"tag\":\"direct 2\",\"protocol\":\"vmess\"," SETTINGS AUTO "},"
		"\"streamSettings\":{" RAW "}}",
		"" },
	{ "an unknown key", WITH("\"prot\":7"), OUT(AUTO, RAW),
		"in: prot: unknown key; did you mean port?\n" },
	{ "an empty key", WITH("\"\":7,\"x\":\"\""), OUT(AUTO, RAW),
		"in: x: unknown key, without effect\n" },
	{ "keys of collectors",
		WITH("\"udp\":\"true\",\"ws-opts\":\"\",\"nation\":\"x\""),
		OUT(AUTO, RAW), "" },
	{ "early data as keys", WITH("\"net\":\"ws\",\"ed\":\"2048\""),
		OUT(AUTO,
			WS("\"maxEarlyData\":2048,\"earlyDataHeaderName\":\"Sec-"
			   "WebSocket-Protocol\"")),
		"" },
};

static void
of_objects(void **state)
{
	struct imported im;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
		print_message("%s\n", objects[i].label);
		import_text(&im, link_of(objects[i].object));
		assert_string_equal(im.err.text, "");
		assert_int_equal(imported_count(&im), 2);
		assert_string_equal(imported_outbound(&im, 0), objects[i].want);
		assert_string_equal(im.said, objects[i].said);
		imported_free(&im);
	}
}

#define AT "vmess://" ID "@a.example:443"

static const struct {
	const char *label, *link, *want, *said;
} uris[] = {
	{ "the least", AT "#demo", OUT(AUTO, RAW), "" },
	{ "a slash", AT "/?type=tcp#demo", OUT(AUTO, RAW), "" },
	{ "encryption", AT "?encryption=none#demo", OUT("\"security\":\"none\"", RAW),
		"" },
	{ "security", AT "?security=tls&sni=s.example#demo",
		OUT(AUTO, TLS("\"serverName\":\"s.example\"")), "" },
	{ "security none", AT "?security=none&type=raw&headerType=none#demo",
		OUT(AUTO, RAW), "" },
	{ "ws", AT "?type=ws&host=h.example&path=%2Fp%3Fed%3D2048#demo",
		OUT(AUTO, WS("\"path\":\"/p?ed=2048\",\"host\":\"h.example\"")), "" },
	{ "headerType", AT "?headerType=http&path=%2Fa&host=h.example#demo",
		OUT(AUTO,
			FALSE(",\"request\":{\"path\":[\"/a\"],\"headers\":{\"Host\":["
			      "\"h.example\"]}}")),
		"" },
	{ "a plus is a plus", AT "?type=ws&path=/a+b#demo",
		OUT(AUTO, WS("\"path\":\"/a+b\"")), "" },
	{ "a name", AT "#two%20words%20%E2%82%AC",
		"{\"tag\":\"two words \xe2\x82\xac\",\"protocol\":\"vmess\"," SETTINGS
			AUTO "},\"streamSettings\":{" RAW "}}",
		"" },
	{ "no name", AT "#",
		"{\"tag\":\"proxy\",\"protocol\":\"vmess\"," SETTINGS AUTO "},"
		"\"streamSettings\":{" RAW "}}",
		"" },
	{ "IPv6 and a word", "vmess://a%20b@[2001:db8::1]:80#demo",
		"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"2001:db8::1\",\"port\":80,\"id\":\"a b\"," AUTO "},"
		"\"streamSettings\":{" RAW "}}",
		"" },
	{ "SCHEME", "VMess://" ID "@a.example:443#demo", OUT(AUTO, RAW), "" },
	{ "insecure", AT "?security=tls&allowInsecure=1#demo",
		OUT(AUTO, TLS("\"allowInsecure\":true")), no_check },
	{ "a key of newer Xray", AT "?security=tls&vcn=x.example#demo",
		OUT(AUTO, RAW ",\"security\":\"tls\""),
		"in: vcn: is not carried over; the certificate must be the server "
		"name's\n" },
	{ "empty pieces", AT "?&&type=&=ws&security#demo", OUT(AUTO, RAW), "" },
};

static void
of_uris(void **state)
{
	struct imported im;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		print_message("%s\n", uris[i].label);
		import_text(&im, uris[i].link);
		assert_string_equal(im.err.text, "");
		assert_string_equal(imported_outbound(&im, 0), uris[i].want);
		assert_string_equal(im.said, uris[i].said);
		imported_free(&im);
	}
}

/* The object is encoded; a link stands as it is. */
static const struct {
	const char *label, *text, *want;
	bool encoded;
} wrongs[] = {
	{ "no address", "{\"port\":443,\"id\":\"" ID "\"}",
		"in: add: is missing: the server's name or address", true },
	{ "an address that is none", "{\"add\":\"a b\",\"port\":443,\"id\":\"" ID "\"}",
		"in: add: a b is not an address and not a name", true },
	{ "an address with a port",
		"{\"add\":\"a.example:1\",\"port\":443,\"id\":\"" ID "\"}",
		"in: add: a.example:1 is not an address and not a name", true },
	{ "no port", "{\"add\":\"a.example\",\"id\":\"" ID "\"}",
		"in: port: is missing: the server's port", true },
	{ "port 0", "{\"add\":\"a.example\",\"port\":0,\"id\":\"" ID "\"}",
		"in: port: 0 is not a port (1-65535)", true },
	{ "port 70000", "{\"add\":\"a.example\",\"port\":\"70000\",\"id\":\"" ID "\"}",
		"in: port: 70000 is not a port (1-65535)", true },
	{ "port 4.43", "{\"add\":\"a.example\",\"port\":4.43,\"id\":\"" ID "\"}",
		"in: port: 4.43 is not a port (1-65535)", true },
	{ "a port in a list", "{\"add\":\"a.example\",\"port\":[443],\"id\":\"" ID "\"}",
		"in: port: is not a single value", true },
	{ "no id", "{\"add\":\"a.example\",\"port\":443,\"id\":\"\"}",
		"in: id: is missing: the user's id", true },
	{ "an id of 31 bytes",
		"{\"add\":\"a.example\",\"port\":443,\"id\":"
		"\"1234567890123456789012345678901\"}",
		"in: id: a VMess id is a UUID, or 1 to 30 bytes; this one has 31", true },
	{ "aid", WITH("\"aid\":-1"), "in: aid: -1 is not a number of ids (0-65535)",
		true },
	{ "a host of two words", WITH("\"net\":\"ws\",\"host\":\"a b\""),
		"in: streamSettings.wsSettings: the host is not the name of a server",
		true },
	{ "a host with a path", WITH("\"net\":\"ws\",\"host\":\"a/b\""),
		"in: streamSettings.wsSettings: the host is not the name of a server",
		true },
	{ "a pin of 2 bytes", WITH("\"tls\":\"tls\",\"pcs\":\"00ff\""),
		"in: streamSettings.tlsSettings.pinnedPeerCertSha256: 00ff is not a "
		"SHA-256 (64 hex digits, or Base64)",
		true },
	{ "a pin that is a word", WITH("\"tls\":\"tls\",\"pcs\":\"zz\""),
		"in: streamSettings.tlsSettings.pinnedPeerCertSha256: zz is not a SHA-256 "
		"(64 hex digits, or Base64)",
		true },
	{ "nine words of alpn", WITH("\"tls\":\"tls\",\"alpn\":\"a,b,c,d,e,f,g,h,i\""),
		"in: streamSettings.tlsSettings.alpn: more than 8 of them", true },
	{ "sni of two words", WITH("\"tls\":\"tls\",\"sni\":\"a b\""),
		"in: serverName a b is not an address, and no name that a certificate can "
		"have",
		true },
	{ "a space in the path of a false request",
		WITH("\"type\":\"http\",\"path\":\"/a b\""),
		"in: streamSettings.rawSettings.header.request: version, method and path "
		"have no spaces and no control characters",
		true },
	{ "net grpc", WITH("\"net\":\"grpc\""),
		"in: net: the transport grpc is not supported", true },
	{ "net h2", WITH("\"net\":\"h2\""), "in: net: the transport h2 is not supported",
		true },
	{ "net kcp", WITH("\"net\":\"kcp\""),
		"in: net: the transport kcp is not supported", true },
	{ "net quic", WITH("\"net\":\"quic\""),
		"in: net: the transport quic is not supported", true },
	{ "net xhttp", WITH("\"net\":\"xhttp\""),
		"in: net: the transport xhttp is not supported", true },
	{ "net with an escape", WITH("\"net\":\"\\u001b[31m\""),
		"in: net: has control characters, or is not UTF-8", true },
	{ "a zero byte", WITH("\"path\":\"/\\u0000x\""), "in: path: has a zero byte",
		true },
	{ "reality", WITH("\"tls\":\"reality\""),
		"in: tls: the security reality is not supported", true },
	{ "insecure", WITH("\"insecure\":\"maybe\""),
		"in: insecure: maybe is not true or false", true },
	{ "masks", WITH("\"fm\":\"x\""), "in: fm: masks are not supported", true },
	{ "JSON that is cut", "{\"add\":", "in: the link is cut off: copy all of it",
		true },
	{ "broken JSON", "{\"add\" \"a\"}",
		"in: its JSON:1:8: broken JSON: object property name separator ':' "
		"expected",
		true },
	{ "deep JSON",
		"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[}",
		"in: its JSON:1:69: brackets are nested more than 64 deep", true },
	{ "a string that is cut", "{\"port\":443,\"add\":\"a.exam",
		"in: the link is cut off: copy all of it", true },
	{ "a string without its end", "{\"add\":\"a.example}",
		"in: its JSON:1:8: a string that does not end on its line", true },
	{ "Base64 of a word", "test", "in: is not the Base64 of a link", true },
	{ "Shadowrocket", "auto:" ID "@192.0.2.1:80",
		"in: the form of Shadowrocket is not supported", true },
	{ "Quantumult", "name = vmess, a.example, 443",
		"in: the form of Quantumult is not supported", true },
	{ "broken Base64", "vmess://!!!not-base64!!!", "in: is broken Base64", false },
	{ "Base64 of five", "vmess://AAAAA", "in: the link is cut off: copy all of it",
		false },
	{ "nothing", "vmess://", "in: is empty", false },
	{ "only a name", "vmess://#name", "in: is empty", false },
	{ "ss", "ss://x@192.0.2.1:1", "in: ss:// links are not spoken, only vmess://",
		false },
	{ "vless", "vless://" ID "@192.0.2.1:1",
		"in: vless:// links are not spoken, only vmess://", false },
	{ "trojan", "trojan://p@192.0.2.1:1",
		"in: trojan:// links are not spoken, only vmess://", false },
	{ "an address on the web", "https://a.example/sub?token=secret",
		"in: an address on the web; fetch what lies there first: curl -fsSL URL | "
		"sluice import -",
		false },
	{ "no scheme", "://x", "in: is not a link", false },
	{ "URI without a port", "vmess://" ID "@a.example",
		"in: has no port behind its host", false },
	{ "URI without a port, IPv6", "vmess://" ID "@[2001:db8::1]",
		"in: has no port behind its host", false },
	{ "URI without an id", "vmess://@a.example:443",
		"in: id: is missing: the user's id", false },
	{ "URI without a host", "vmess://" ID "@:443",
		"in: add: is missing: the server's name or address", false },
	{ "URI with half a percent", AT "?path=%2",
		"in: path has a % without its two digits", false },
	{ "URI with a bad percent", AT "?path=%zz",
		"in: path has a % without its two digits", false },
	{ "URI of reality", AT "?security=reality&pbk=x",
		"in: security: the security reality is not supported", false },
	{ "URI of grpc", AT "?type=grpc", "in: type: the transport grpc is not supported",
		false },
	{ "URI with a line in it", AT "?host=a%0Ab",
		"in: host: has control characters, or is not UTF-8", false },
};

static void
misspelt(void **state)
{
	struct imported im;

	(void)state;
	import_text(&im,
		link_of("{\"adress\":\"a.example\",\"port\":443,\"id\":\"" ID "\"}"));
	assert_string_equal(
		im.err.text, "in: add: is missing: the server's name or address");
	assert_string_equal(im.said, "in: adress: unknown key, without effect\n");
	imported_free(&im);
}

static void
wrong(void **state)
{
	struct imported im;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		print_message("%s\n", wrongs[i].label);
		import_text(&im,
			wrongs[i].encoded ? link_of(wrongs[i].text) : wrongs[i].text);
		assert_string_equal(im.err.text, wrongs[i].want);
		assert_string_equal(im.said, "");
		imported_free(&im);
	}
}

/* Every way in which people spoil Base64. */
static void
encodings(void **state)
{
	/* The name makes '+' and '/' in the standard alphabet. */
	static const char object[] =
		"{\"ps\":\"\xc3\xbe\xc3\xbf?>\xc3\xbb\",\"add\":\"a.example\",\"port\":1,"
		"\"id\":\"" ID "\"}";
	char link[512], name[512];
	struct imported im;
	size_t i, n;

	(void)state;
	for (i = 0; i < 4; i++) {
		memcpy(link, "vmess://", 9);
		assert_int_equal(base64_encode(link + 8, sizeof(link) - 8, object,
					 strlen(object), (unsigned)i),
			0);
		import_text(&im, link);
		assert_string_equal(im.err.text, "");
		imported_free(&im);
		n = strlen(link);
		snprintf(name, sizeof(name), " %.*s\r\n  %s#other%%20name \n",
			(int)n - 60, link, link + n - 60);
		import_text(&im, name);
		assert_string_equal(im.err.text, "");
		assert_non_null(strstr(imported_outbound(&im, 0), "\xc3\xbe\xc3\xbf?>"));
		imported_free(&im);
	}
	assert_true(strpbrk(link_of(object) + 8, "+/") != NULL);
	/* The fragment names what has no name. */
	snprintf(name, sizeof(name), "%s#other%%20name",
		link_of("{\"add\":\"a.example\",\"port\":1,\"id\":\"" ID "\"}"));
	import_text(&im, name);
	assert_non_null(strstr(imported_outbound(&im, 0), "\"other name\""));
	imported_free(&im);
}

/* vmess.md 17.6 in its two forms: the same outbound. */
static void
vectors(void **state)
{
	static const char base64[] =
		"vmess://eyJ2IjoiMiIsInBzIjoiZGVtbyIsImFkZCI6ImV4YW1wbGUudGVzdCIsInBvcnQiOi"
		"I0NDMiLCJpZCI6ImI4MzEzODFkLTYzMjQtNGQ1My1hZDRmLThjZGE0OGIzMDgxMSIsImFpZCI6"
		"IjAiLCJzY3kiOiJhdXRvIiwibmV0Ijoid3MiLCJ0eXBlIjoibm9uZSIsImhvc3QiOiJleGFtcG"
		"xlLnRlc3QiLCJwYXRoIjoiL3BwP2VkPTIwNDgiLCJ0bHMiOiJ0bHMiLCJzbmkiOiJleGFtcGxl"
		"LnRlc3QiLCJhbHBuIjoiaHR0cC8xLjEiLCJmcCI6ImNocm9tZSJ9";
	static const char uri[] =
		"vmess://" ID
		"@example.test:443?encryption=auto&type=ws&security=tls&host="
		"example.test&path=%2Fpp%3Fed%3D2048&sni=example.test&alpn=http%2F1.1&fp="
		"chrome#demo";
	static const char want[] =
		"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"example.test\",\"port\":443,\"id\":\"" ID "\"," AUTO "},"
		"\"streamSettings\":{\"network\":\"ws\",\"wsSettings\":{\"path\":"
		"\"/pp?ed=2048\",\"host\":\"example.test\"},\"security\":\"tls\","
		"\"tlsSettings\":{\"serverName\":\"example.test\",\"alpn\":[\"http/1.1\"],"
		"\"fingerprint\":\"chrome\"}}}";
	struct imported im;

	(void)state;
	import_text(&im, base64);
	assert_string_equal(imported_outbound(&im, 0), want);
	imported_free(&im);
	import_text(&im, uri);
	assert_string_equal(imported_outbound(&im, 0), want);
	imported_free(&im);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_objects),
		cmocka_unit_test(of_uris),
		cmocka_unit_test(wrong),
		cmocka_unit_test(misspelt),
		cmocka_unit_test(encodings),
		cmocka_unit_test(vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
