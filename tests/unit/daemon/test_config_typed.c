/* SPDX-License-Identifier: MIT */
#include "unit/daemon/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
a_tun_is_implied(void **state)
{
	struct config *c = read_text("{" DIRECT "}");

	(void)state;
	assert_true(c->tun_implied && c->auto_routes && c->route_v4 && c->route_v6);
	assert_int_equal(c->tun.naddrs, 2);
	assert_string_equal(c->tun_tag, "");
	assert_int_equal(c->tun_dns[0].family, 4);
	assert_int_equal(c->tun_dns[1].family, 6);
	assert_true(c->sniffing.route_only);
	config_free(c);
}

/* An address of the device itself would never lead into it. */
static void
dns_is_a_neighbour(void **state)
{
	static const struct {
		const char *gateway, *want;
	} cases[] = {
		{ "10.0.0.1/24", "10.0.0.2" },
		{ "10.0.0.2/24", "10.0.0.1" },
		{ "10.0.0.5/30", "10.0.0.6" },
		{ "10.0.0.6/30", "10.0.0.5" },
		{ "10.0.0.254/24", "10.0.0.253" },
		{ "10.0.0.1/32", "198.19.255.254" },
	};
	struct ip want;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = read_filled(
			"{" DIRECT ",\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{"
			"\"gateway\":\"%s\"}}]}",
			cases[i].gateway);

		assert_true(ip_parse(&want, cases[i].want));
		assert_true(ip_equal(&c->tun_dns[0], &want));
		config_free(c);
	}
}

static void
last_key_counts_in_any_case(void **state)
{
	struct config *c = read_text(
		"{" DIRECT ",\"log\":{\"loglevel\":\"debug\",\"LogLevel\":\"error\"},"
		"\"InBounds\":[{\"protocol\":\"TUN\",\"settings\":{\"MTU\":1400,"
		"\"MTU\":\"1280\"}}]}");

	(void)state;
	assert_int_equal(c->log_level, LOG_ERROR);
	assert_int_equal(c->tun.mtu, 1280);
	assert_false(c->tun_implied);
	config_free(c);
}

static void
mtus_of_the_limits_are_taken(void **state)
{
	static const int mtus[] = { 1280, 65535 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(mtus) / sizeof(*mtus); i++) {
		struct config *c = read_filled(
			"{" DIRECT ",\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{"
			"\"mtu\":%d}}]}",
			mtus[i]);

		assert_int_equal(c->tun.mtu, mtus[i]);
		config_free(c);
	}
}

static void
one_string_is_a_list(void **state)
{
	struct config *c = read_text(
		"{\"outbounds\":[{\"tag\":\"a\",\"protocol\":\"freedom\"}],\"routing\":{"
		"\"rules\":[{\"domain\":\"a.example, b.example\",\"port\":[53,\"80-90\"],"
		"\"network\":[\"udp\"],\"outboundTag\":\"a\"}]}}");

	(void)state;
	assert_int_equal(c->nrule, 1);
	assert_string_equal(c->rule[0].domain[0], "a.example");
	assert_string_equal(c->rule[0].domain[1], "b.example");
	assert_null(c->rule[0].domain[2]);
	assert_string_equal(c->rule[0].port, "53,80-90");
	assert_int_equal(c->rule[0].networks, 1u << NETWORK_UDP);
	config_free(c);
}

static void
the_old_form_is_read(void **state)
{
	struct config *c = read_text(
		"{\"inboundDetour\":[{\"protocol\":\"tun\",\"tag\":\"t\"}],"
		"\"outboundDetour\":[{\"tag\":\"b\",\"protocol\":\"blackhole\"}],"
		"\"outbound\":{\"protocol\":\"freedom\",\"tag\":\"a\"},"
		"\"routing\":{\"strategy\":\"rules\",\"settings\":{\"domainStrategy\":"
		"\"IPIfNonMatch\",\"rules\":[{\"inboundTag\":\"t\",\"outboundTag\":\"b\"}"
		"]}}}");

	(void)state;
	assert_int_equal(c->noutbound, 2);
	assert_string_equal(c->outbound[0].tag, "a");
	assert_int_equal(c->strategy, RESOLVE_IF_NON_MATCH);
	assert_int_equal(c->nrule, 1);
	assert_false(c->rule[0].never);
	assert_string_equal(c->rule[0].path, "c.json: routing.settings.rules[0]");
	config_free(c);
}

static void
forms_of_vmess_are_one(void **state)
{
	static const char *const forms[] = {
		"{\"address\":\"A.example.\",\"port\":\"443\",\"id\":\"example\","
		"\"security\":\"none\"}",
		"{\"address\":\"a.example\",\"port\":443,\"uuid\":"
		"\"feb54431-301b-52bb-a6dd-e1e93e81bb9e\",\"security\":\"NONE\"}",
		"{\"vnext\":[{\"address\":\"a.example\",\"port\":443,\"users\":[{\"id\":"
		"\"feb54431301b52bba6dde1e93e81bb9e\",\"security\":\"none\"}]}]}",
		"{\"vnext\":{\"address\":\"a.example\",\"port\":443,\"users\":{\"id\":"
		"\"example\",\"security\":\"none\",\"alterId\":\"0\"}}}",
		"{\"address\":\"a.example\",\"port\":443,\"id\":\"example\",\"security\":"
		"\"none\",\"vnext\":[{\"address\":\"other.example\"}]}",
	};
	static const uint8_t id[16] = { 0xfe, 0xb5, 0x44, 0x31, 0x30, 0x1b, 0x52, 0xbb,
		0xa6, 0xdd, 0xe1, 0xe9, 0x3e, 0x81, 0xbb, 0x9e };
	const struct vmess_spec *v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct config *c = read_filled(
			"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":%s}]}",
			forms[i]);

		v = &c->outbound[0].u.vmess;
		assert_int_equal(v->nserver, 1);
		assert_int_equal(v->server[0].nuser, 1);
		assert_string_equal(v->server[0].address, "a.example");
		assert_int_equal(v->server[0].port, 443);
		assert_int_equal(v->server[0].user[0].security, VMESS_NONE);
		assert_memory_equal(v->server[0].user[0].id, id, 16);
		config_free(c);
	}
}

static void
servers_have_users(void **state)
{
	struct config *c = read_text(
		"{\"policy\":{\"levels\":{\"3\":{\"handshake\":4,\"connIdle\":\"77\","
		"\"downlinkOnly\":2}}},\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{"
		"\"vnext\":[{\"address\":\"a.example\",\"port\":1,\"users\":[{\"id\":\"a\","
		"\"level\":3,\"security\":\"zero\"},{\"id\":\"b\",\"level\":3,\"alterId\":"
		"\"64\",\"security\":\"aes-128-gcm\",\"experiments\":"
		"\"AuthenticatedLength | noterminationsignal\"}]},{\"address\":\"192.0.2.1\","
		"\"port\":2,\"users\":{\"id\":\"c\",\"userLevel\":3}}]}}]}");
	const struct outbound_spec *o = &c->outbound[0];
	const struct vmess_server_spec *s = o->u.vmess.server;

	(void)state;
	assert_int_equal(o->u.vmess.nserver, 2);
	assert_int_equal(s[0].nuser, 2);
	assert_int_equal(s[1].nuser, 1);
	assert_int_equal(s[1].port, 2);
	assert_int_equal(s[0].user[0].security, VMESS_ZERO);
	assert_int_equal(s[0].user[0].alter_ids, 0);
	assert_int_equal(s[0].user[1].alter_ids, 64);
	assert_true(s[0].user[1].authenticated_length);
	assert_true(s[0].user[1].no_termination_signal);
	assert_int_equal(s[1].user[0].level, 3);
	assert_int_equal(o->policy.handshake, 4);
	assert_int_equal(o->policy.conn_idle, 77);
	assert_int_equal(o->policy.uplink_only, 0);
	assert_int_equal(o->policy.downlink_only, 2);
	config_free(c);
}

#define VMESS(stream)                                                                      \
	"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{\"address\":\"a.example\"," \
	"\"port\":443,\"id\":\"a\"},\"streamSettings\":{" stream "}}]}"

static void
transports_in_all_spellings(void **state)
{
	static const struct {
		const char *text;
		enum carrier_kind kind;
		const char *host, *path, *early_name;
		size_t early, nfields;
		bool secured;
	} cases[] = {
		{ VMESS("\"network\":\"tcp\""), CARRIER_RAW, NULL, NULL, NULL, 0, 0,
			false },
		{ VMESS("\"tcpSettings\":{\"header\":{\"type\":\"http\"}}"),
			CARRIER_HTTP_HEAD, NULL, NULL, NULL, 0, 0, false },
		{ VMESS("\"network\":\"ws\",\"security\":\"tls\""), CARRIER_WEBSOCKET,
			NULL, "/", "", 0, 0, true },
		{ VMESS("\"network\":\"websocket\",\"wsSettings\":{\"path\":\"a?x=1&ed=99\","
			"\"headers\":{\"hOST\":\"b.example\",\"X\":[\"1\",\"2\"]}}"),
			CARRIER_WEBSOCKET, "b.example", "/a?x=1",
			"Sec-WebSocket-Protocol", 99, 2, false },
		{ VMESS("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/?ed=9000\"}"),
			CARRIER_WEBSOCKET, NULL, "/", "Sec-WebSocket-Protocol", 8192, 0,
			false },
		{ VMESS("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/a?ed=x&y\"}"),
			CARRIER_WEBSOCKET, NULL, "/a?y", "", 0, 0, false },
		{ VMESS("\"network\":\"ws\",\"wsSettings\":{\"path\":\"/?ed=99&x=1\",\"host\":"
			"\"c.example\",\"maxEarlyData\":10}"),
			CARRIER_WEBSOCKET, "c.example", "/?x=1", "", 10, 0, false },
		{ VMESS("\"transport\":\"ws\",\"transportSettings\":{\"path\":\"/b\","
			"\"header\":[{\"key\":\"X\",\"value\":\"1\"}]},\"security\":\"utls\","
			"\"securitySettings\":{\"tlsConfig\":{\"serverName\":\"s.example\"}}"),
			CARRIER_WEBSOCKET, NULL, "/b", "", 0, 1, true },
		{ VMESS("\"method\":\"httpupgrade\",\"network\":\"kcp\","
			"\"httpupgradeSettings\":{\"path\":\"/c?ed=2048\"}"),
			CARRIER_HTTPUPGRADE, NULL, "/c", "", 0, 0, false },
		{ "{\"transport\":{\"wsSettings\":{\"path\":\"/old\"}},\"outbounds\":[{"
		  "\"protocol\":\"vmess\",\"settings\":{\"address\":\"a.example\",\"port\":443,"
		  "\"id\":\"a\"},\"streamSettings\":{\"network\":\"ws\"}}]}",
			CARRIER_WEBSOCKET, NULL, "/old", "", 0, 0, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = read_text(cases[i].text);
		const struct carrier_spec *k = &c->outbound[0].u.vmess.carrier;

		assert_int_equal(k->kind, cases[i].kind);
		assert_int_equal(k->secured, cases[i].secured);
		assert_int_equal(k->request.early_max, cases[i].early);
		assert_int_equal(k->request.nfields, cases[i].nfields);
		if (cases[i].host)
			assert_string_equal(k->request.host, cases[i].host);
		if (cases[i].path)
			assert_string_equal(k->request.path, cases[i].path);
		if (cases[i].early_name)
			assert_string_equal(k->request.early_name, cases[i].early_name);
		if (cases[i].secured) {
			assert_int_equal(k->tls.alpn.n, 1);
			assert_string_equal(k->tls.alpn.text[0], "http/1.1");
		}
		config_free(c);
	}
}

static void
tls_is_read(void **state)
{
	struct config *c = read_text(VMESS(
		"\"security\":\"tls\",\"tlsSettings\":{"
		"\"serverName\":\"S.Example.\",\"alpn\":[\"h2\"],\"minVersion\":\"1.2\","
		"\"maxVersion\":\"1.3\",\"allowInsecure\":true,\"pinnedPeerCertSha256\":"
		"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
		"\"verifyPeerCertByName\":\"x.example, y.example\",\"certificates\":[{"
		"\"usage\":\"verify\",\"certificate\":[\"-----BEGIN\",\"x\"]}],"
		"\"enableSessionResumption\":false,\"disableSystemRoot\":true}"));
	const struct tls_spec *t = &c->outbound[0].u.vmess.carrier.tls;

	(void)state;
	assert_string_equal(t->name, "s.example");
	assert_int_equal(t->alpn.n, 1);
	assert_int_equal(t->min, TLS_1_2);
	assert_int_equal(t->max, TLS_1_3);
	assert_int_equal(t->pins.n, 1);
	assert_int_equal(t->pins.pin[0].hash[0], 0xe3);
	assert_int_equal(t->verify_names.n, 2);
	assert_string_equal(t->verify_names.text[1], "y.example");
	assert_int_equal(t->trusted.n, 1);
	assert_string_equal(t->trusted.text[0], "-----BEGIN\nx\n");
	assert_true(t->allow_insecure && t->no_resumption && t->disable_system_root);
	config_free(c);
}

/* The file that is asked for, whatever its name. */
struct one_file {
	struct rules_files files;
	const char *path;
	const char *asked;
};

static int
one_file_open(struct rules_files *files, const char *name, char *path, size_t cap,
	struct err *e)
{
	struct one_file *f = (struct one_file *)files;

	f->asked = name;
	if (!f->path)
		return err_set(e, "%s: not here", name);
	snprintf(path, cap, "%s", f->path);
	return 0;
}

static void
certificates_come_from_files(void **state)
{
	char path[] = "/tmp/sluice-certificate-XXXXXX";
	struct one_file f = { { one_file_open }, NULL, NULL };
	struct config *c = read_text(VMESS(
		"\"security\":\"tls\",\"tlsSettings\":{"
		"\"certificates\":[{\"usage\":\"verify\",\"certificateFile\":\"ca.pem\"}]}"));
	const struct tls_spec *t = &c->outbound[0].u.vmess.carrier.tls;
	int fd = mkstemp(path);
	struct rules *rules;
	struct err e;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
	assert_int_equal(config_rules(c, &f.files, NULL, &rules, &e), -1);
	assert_null(rules);
	assert_string_equal(e.text,
		"c.json: outbounds[0].streamSettings.tlsSettings.certificates[0]."
		"certificateFile: ca.pem: not here");
	f.path = path;
	assert_int_equal(config_rules(c, &f.files, NULL, &rules, &e), 0);
	assert_string_equal(f.asked, "ca.pem");
	assert_int_equal(t->trusted.n, 1);
	assert_string_equal(t->trusted.text[0], "text");
	unlink(path);
	rules_free(rules);
	config_free(c);
}

static void
unreached_outbounds_are_left_out(void **state)
{
	struct config *c = read_text(
		"{\"outbounds\":[{\"tag\":\"a\",\"protocol\":\"freedom\"},{\"tag\":\"s\","
		"\"protocol\":\"socks\"},{\"tag\":\"w\",\"protocol\":\"vmess\","
		"\"streamSettings\":{\"network\":\"kcp\"}},{\"tag\":\"b\",\"protocol\":"
		"\"blackhole\"}],\"routing\":{\"rules\":[{\"inboundTag\":\"api\","
		"\"outboundTag\":\"s\"}]}}");

	(void)state;
	assert_int_equal(c->noutbound, 2);
	assert_string_equal(c->outbound[1].tag, "b");
	assert_string_equal(c->outbound[1].path, "c.json: outbounds[3]");
	assert_true(c->rule[0].never);
	config_free(c);
}

static void
the_level_of_the_tun_counts(void **state)
{
	struct config *c = read_text(
		"{" DIRECT ",\"inbounds\":[{\"protocol\":\"tun\",\"settings\":{"
		"\"userLevel\":1}}],\"policy\":{\"levels\":{\"0\":{\"connIdle\":1},\"1\":{"
		"\"connIdle\":2,\"handshake\":\"3\"}}}}");

	(void)state;
	assert_int_equal(c->policy.conn_idle, 2);
	assert_int_equal(c->policy.handshake, 3);
	assert_true(c->policy.conn_idle_set);
	config_free(c);
}

static void
an_interface_holds_for_all(void **state)
{
	struct config *c = read_text(
		"{\"outbounds\":[{\"protocol\":\"freedom\"},{\"tag\":\"b\",\"protocol\":"
		"\"freedom\",\"sendThrough\":\"192.0.2.7\",\"streamSettings\":{\"sockopt\""
		":{\"interface\":\"eth1\"}}}],\"inbounds\":[{\"protocol\":\"tun\","
		"\"settings\":{\"autoOutboundsInterface\":\"eth0\"}}]}");

	(void)state;
	assert_string_equal(c->outbound[0].sock.interface, "eth0");
	assert_string_equal(c->outbound[1].sock.interface, "eth1");
	assert_int_equal(c->outbound[0].sock.source.family, 0);
	assert_int_equal(c->outbound[1].sock.source.family, 4);
	config_free(c);
}

static void
fast_open_is_true_or_a_number(void **state)
{
	static const struct {
		const char *text;
		enum sock_fast fast;
	} cases[] = {
		{ "true", SOCK_FAST_ASK },
		{ "256.5", SOCK_FAST_ASK },
		{ "null", SOCK_FAST_NEVER },
		{ "0.5", SOCK_FAST_NEVER },
	};
	struct config *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		c = read_filled(
			"{\"outbounds\":[{\"protocol\":\"vmess\",\"settings\":{"
			"\"address\":\"192.0.2.1\",\"port\":1,\"id\":\"a\"},"
			"\"streamSettings\":{\"sockopt\":{\"tcpFastOpen\":%s}}}]}",
			cases[i].text);
		assert_int_equal(c->outbound[0].sock.fast, cases[i].fast);
		config_free(c);
	}
}

static void
redirects_are_read(void **state)
{
	static const struct {
		const char *text, *address;
		uint16_t port;
	} cases[] = {
		{ "192.0.2.1:80", "192.0.2.1", 80 },
		{ ":80", "", 80 },
		{ "A.example:0", "a.example", 0 },
		{ "[2001:db8::1]:53", "2001:db8::1", 53 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = read_filled(
			"{\"outbounds\":[{\"protocol\":\"freedom\",\"settings\":{"
			"\"redirect\":\"%s\"}}]}",
			cases[i].text);

		assert_string_equal(
			c->outbound[0].u.freedom.redirect_address, cases[i].address);
		assert_int_equal(c->outbound[0].u.freedom.redirect_port, cases[i].port);
		config_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tun_is_implied),
		cmocka_unit_test(dns_is_a_neighbour),
		cmocka_unit_test(last_key_counts_in_any_case),
		cmocka_unit_test(mtus_of_the_limits_are_taken),
		cmocka_unit_test(one_string_is_a_list),
		cmocka_unit_test(the_old_form_is_read),
		cmocka_unit_test(forms_of_vmess_are_one),
		cmocka_unit_test(servers_have_users),
		cmocka_unit_test(transports_in_all_spellings),
		cmocka_unit_test(tls_is_read),
		cmocka_unit_test(certificates_come_from_files),
		cmocka_unit_test(unreached_outbounds_are_left_out),
		cmocka_unit_test(the_level_of_the_tun_counts),
		cmocka_unit_test(an_interface_holds_for_all),
		cmocka_unit_test(fast_open_is_true_or_a_number),
		cmocka_unit_test(redirects_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
