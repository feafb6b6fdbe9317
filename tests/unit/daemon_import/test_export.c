/* SPDX-License-Identifier: MIT */
#include "daemon/export.h"

#include "unit/daemon_import/importing.h"

/* Links of outbounds, and back again. */

static void
export_text(struct imported *im, const char *text, const char *tag, bool uri)
{
	struct export_request r = { .file = "c.json",
		.text = text,
		.len = strlen(text),
		.tag = tag,
		.uri = uri };

	memset(im, 0, sizeof(*im));
	im->say.warn = line_keep;
	if (export_read(&r, &im->say, &im->text, &im->err) < 0)
		assert_true(im->err.text[0] && !strchr(im->err.text, '\n'));
	else
		assert_string_equal(im->err.text, "");
}

static void
exported_free(struct imported *im)
{
	export_free(im->text);
	im->text = NULL;
}

#define PIN "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
#define AT  "vmess://" ID "@a.example:443?encryption=auto&type="

/* Links that come out of an import and an export as they went in. */
static const struct {
	const char *label, *link;
	bool uri;
} same[] = {
	{ "vmess.md 17.6",
		"vmess://eyJ2IjoiMiIsInBzIjoiZGVtbyIsImFkZCI6ImV4YW1wbGUudGVzdCIsInBvcnQiOi"
		"I0NDMiLCJpZCI6ImI4MzEzODFkLTYzMjQtNGQ1My1hZDRmLThjZGE0OGIzMDgxMSIsImFpZCI6"
		"IjAiLCJzY3kiOiJhdXRvIiwibmV0Ijoid3MiLCJ0eXBlIjoibm9uZSIsImhvc3QiOiJleGFtcG"
		"xlLnRlc3QiLCJwYXRoIjoiL3BwP2VkPTIwNDgiLCJ0bHMiOiJ0bHMiLCJzbmkiOiJleGFtcGxl"
		"LnRlc3QiLCJhbHBuIjoiaHR0cC8xLjEiLCJmcCI6ImNocm9tZSJ9",
		false },
	{ "vmess.md 17.6 as a URI",
		"vmess://" ID
		"@example.test:443?encryption=auto&type=ws&security=tls&host="
		"example.test&path=%2Fpp%3Fed%3D2048&sni=example.test&alpn=http%2F1.1&fp="
		"chrome#demo",
		true },
	{ "raw", AT "tcp#demo", true },
	{ "raw, TLS", AT "tcp&security=tls&sni=s.example&alpn=h2%2Chttp%2F1.1#demo",
		true },
	{ "a false request",
		AT "tcp&headerType=http&host=h.example%2Cx.example&path=%2Fa%2C%2Fb#demo",
		true },
	{ "httpupgrade", AT "httpupgrade&host=h.example&path=%2Fp#demo", true },
	{ "pins and no check",
		AT "tcp&security=tls&sni=s.example&pcs=" PIN "&allowInsecure=1#demo",
		true },
	{ "IPv6, a word and a name",
		"vmess://a%20%40b@[2001:db8::1]:1?encryption=zero&type=tcp#a%20%E2%82%AC%23",
		true },
};

static void
round_trips(void **state)
{
	struct imported im, ex;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(*same); i++) {
		print_message("%s\n", same[i].label);
		import_text(&im, same[i].link);
		assert_string_equal(im.err.text, "");
		export_text(&ex, im.text, NULL, same[i].uri);
		assert_string_equal(ex.err.text, "");
		assert_string_equal(ex.said, "");
		assert_string_equal(ex.text, same[i].link);
		exported_free(&ex);
		imported_free(&im);
	}
}

/* Each link's object, both forms: the same configuration again. */
static void
both_forms(void **state)
{
	static const char *const objects[] = {
		"{\"ps\":\"a b\",\"add\":\"a.example\",\"port\":1,\"id\":\"x\"}",
		"{\"ps\":\"\xc3\xa4\",\"add\":\"2001:db8::1\",\"port\":1,\"id\":\"x\","
		"\"net\":\"ws\",\"host\":\"h\",\"path\":\"p?a=b&ed=2\",\"tls\":true}",
		"{\"ps\":\"d\",\"add\":\"192.0.2.1\",\"port\":65535,\"id\":\"" ID
		"\",\"net\":\"httpupgrade\",\"tls\":\"tls\",\"sni\":\"s\",\"alpn\":\"h2\","
		"\"insecure\":1,\"scy\":\"zero\",\"pcs\":\"" PIN "," PIN "\"}",
		"{\"ps\":\"d\",\"add\":\"192.0.2.1\",\"port\":1,\"id\":\"x\",\"type\":"
		"\"http\",\"host\":\"a,b\",\"path\":\"/,/x\"}",
	};
	struct imported im, ex, again;
	size_t i;
	int uri;

	(void)state;
	for (i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
		import_text(&im, link_of(objects[i]));
		for (uri = 0; uri < 2; uri++) {
			export_text(&ex, im.text, NULL, uri);
			assert_string_equal(ex.err.text, "");
			import_text(&again, ex.text);
			assert_string_equal(again.text, im.text);
			imported_free(&again);
			exported_free(&ex);
		}
		imported_free(&im);
	}
}

#define CONFIG(more)                                                          \
	"{\"outbounds\":[{\"tag\":\"direct\",\"protocol\":\"freedom\"},"      \
	"{\"tag\":\"demo\",\"protocol\":\"vmess\",\"settings\":{\"address\":" \
	"\"a.example\",\"port\":443,\"id\":\"" ID "\"}" more "}]}"
#define STREAM(more) CONFIG(",\"streamSettings\":{" more "}")
#define LOST         "a link has no word for this; left out\n"

static const struct {
	const char *label, *config, *want, *said; /* want NULL: said is the error */
	const char *tag;
} cases[] = {
	{ "the first", CONFIG(""), AT "tcp#demo", "" },
	{ "by its tag", CONFIG(""), AT "tcp#demo", "", "demo" },
	{ "vnext",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"vnext\":[{"
		"\"address\":\"a.example\",\"port\":\"443\",\"users\":[{\"id\":\"" ID
		"\",\"security\":\"none\"}]}]}}]}",
		"vmess://" ID "@a.example:443?encryption=none&type=tcp", "" },
	{ "several servers and users",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"vnext\":[{"
		"\"address\":\"a.example\",\"port\":443,\"users\":[{\"id\":\"" ID
		"\"},{\"id\":\"x\"}]},{}]}}]}",
		"vmess://" ID "@a.example:443?encryption=auto&type=tcp",
		"c.json: outbounds[0].settings.vnext: a link has one of these; the first "
		"of 2 is taken\n"
		"c.json: outbounds[0].settings.vnext[0].users: a link has one of these; "
		"the first of 2 is taken\n" },
	{ "early data in its header",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/p?a=b\","
		       "\"maxEarlyData\":2048,\"earlyDataHeaderName\":\"Sec-WebSocket-"
		       "Protocol\"}"),
		AT "ws&path=%2Fp%3Fa%3Db%26ed%3D2048#demo", "" },
	{ "early data in the path",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"maxEarlyData\":2048}"),
		AT "ws#demo",
		"c.json: outbounds[1]: a link can only say early data in Sec-WebSocket-"
		"Protocol; left out\n" },
	{ "Host among the headers",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"headers\":{\"host\":\"h\"}}"),
		AT "ws&host=h#demo", "" },
	{ "other headers",
		STREAM("\"network\":\"ws\",\"wsSettings\":{\"headers\":{\"X\":\"h\"}}"),
		AT "ws#demo",
		"c.json: outbounds[1]: headers and methods of HTTP: " LOST },
	{ "TLS that a link has no word for",
		STREAM("\"security\":\"tls\",\"tlsSettings\":{\"serverName\":\"s\","
		       "\"minVersion\":\"1.3\",\"certificates\":[{}]}"),
		AT "tcp&security=tls&sni=s#demo",
		"c.json: outbounds[1].streamSettings.tlsSettings.minVersion: " LOST
		"c.json: outbounds[1].streamSettings.tlsSettings.certificates: " LOST },
	{ "mux, source and socket",
		CONFIG(",\"mux\":{\"enabled\":true},\"sendThrough\":\"192.0.2.1\","
		       "\"streamSettings\":{\"sockopt\":{\"mark\":1}}"),
		AT "tcp#demo",
		"c.json: outbounds[1].sendThrough: " LOST
		"c.json: outbounds[1].mux: " LOST
		"c.json: outbounds[1].streamSettings.sockopt: " LOST },
	{ "settings of another transport",
		STREAM("\"wsSettings\":{\"x\":1},\"tlsSettings\":{\"x\":1}"),
		AT "tcp#demo", "" },
	{ "no such tag", CONFIG(""), NULL, "c.json: no outbound has the tag x", "x" },
	{ "another kind", CONFIG(""), NULL,
		"c.json: outbounds[0].protocol: only vmess has links, not freedom",
		"direct" },
	{ "no VMess", "{\"outbounds\":[{\"protocol\":\"freedom\"}]}", NULL,
		"c.json: has no VMess outbound" },
	{ "no outbounds", "{}", NULL, "c.json: has no VMess outbound" },
	{ "grpc", STREAM("\"network\":\"grpc\""), NULL,
		"c.json: outbounds[1].streamSettings.network: the transport grpc is not "
		"supported" },
	{ "an id that is none",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":\"a\","
		"\"port\":1,\"id\":\"\"}}]}",
		NULL, "c.json: outbounds[0].settings.id: is missing: the user's id" },
	{ "alterId",
		"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":"
		"\"a\",\"port\":1,\"id\":\"x\",\"alterId\":1}}]}",
		NULL, "c.json: the URI form has no word for alterId; leave --uri out" },
	{ "broken JSON", "{\"a\" 1}", NULL,
		"c.json:1:6: broken JSON: object property name separator ':' expected" },
};

static void
links(void **state)
{
	struct imported ex;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("%s\n", cases[i].label);
		export_text(&ex, cases[i].config, cases[i].tag, true);
		if (!cases[i].want) {
			assert_string_equal(ex.err.text, cases[i].said);
		} else {
			assert_string_equal(ex.err.text, "");
			assert_string_equal(ex.text, cases[i].want);
			assert_string_equal(ex.said, cases[i].said);
		}
		exported_free(&ex);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(both_forms),
		cmocka_unit_test(links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
