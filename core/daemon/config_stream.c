/* SPDX-License-Identifier: MIT */
#include "daemon/config_stream.h"
#include "base/text.h"
#include "daemon/config_json.h"

#include <json-c/json.h>
#include <string.h>
#include <strings.h>

/* streamSettings: how the connection to a server is made.  Transports that are not spoken
 * are refused by their names. */

static const char *const transports[] = { "tcp", "raw", "ws", "websocket", "httpupgrade",
	"grpc", "gun", "h2", "http", "kcp", "mkcp", "quic", "xhttp", "splithttp", "ds",
	"domainsocket", "hysteria", "hysteria2", "hy2", "meek", NULL };

enum { TRANSPORTS_SPOKEN = 5 };
static const enum carrier_kind carriers[TRANSPORTS_SPOKEN] = { CARRIER_RAW, CARRIER_RAW,
	CARRIER_WEBSOCKET, CARRIER_WEBSOCKET, CARRIER_HTTPUPGRADE };

/* Settings of transports that are not chosen mean nothing to Xray either. */
static const struct key stream_keys[] = {
	{ "network", KEY_READ },
	{ "method", KEY_READ },
	{ "transport", KEY_READ },
	{ "transportSettings", KEY_READ },
	{ "security", KEY_READ },
	{ "securitySettings", KEY_READ },
	{ "tcpSettings", KEY_READ },
	{ "rawSettings", KEY_READ },
	{ "tlsSettings", KEY_READ },
	{ "xtlsSettings", KEY_SILENT },
	{ "realitySettings", KEY_SILENT },
	{ "wsSettings", KEY_READ },
	{ "httpupgradeSettings", KEY_READ },
	{ "grpcSettings", KEY_SILENT },
	{ "gunSettings", KEY_SILENT },
	{ "httpSettings", KEY_SILENT },
	{ "h2Settings", KEY_SILENT },
	{ "kcpSettings", KEY_SILENT },
	{ "quicSettings", KEY_SILENT },
	{ "xhttpSettings", KEY_SILENT },
	{ "splithttpSettings", KEY_SILENT },
	{ "dsSettings", KEY_SILENT },
	{ "hysteriaSettings", KEY_SILENT },
	{ "hy2Settings", KEY_SILENT },
	{ "sockopt", KEY_READ },
	{ "socketSettings", KEY_READ },
	{ "finalmask", KEY_REFUSED, "masks are not supported" },
	{ "tcpmasks", KEY_REFUSED, "masks are not supported" },
	{ "udpmasks", KEY_REFUSED, "masks are not supported" },
	{ NULL },
};

static const char kernel_choice[] = "is left to the kernel";

static const struct key sockopt_keys[] = {
	{ "mark", KEY_IDLE,
		"is not set: sluice knows its own sockets by their user, and they never "
		"loop" },
	{ "interface", KEY_READ },
	{ "domainStrategy", KEY_READ },
	{ "dialerProxy", KEY_REFUSED,
		"a chain through another outbound is not supported" },
	{ "addressPortStrategy", KEY_READ },
	{ "tcpFastOpen", KEY_READ },
	{ "tcpFastOpenQueueLength", KEY_SILENT },
	{ "tcpNoDelay", KEY_SILENT },
	{ "tcpKeepAliveInterval", KEY_IDLE, kernel_choice },
	{ "tcpKeepAliveIdle", KEY_IDLE, kernel_choice },
	{ "tcpUserTimeout", KEY_IDLE, kernel_choice },
	{ "tcpMaxSeg", KEY_IDLE, kernel_choice },
	{ "tcpWindowClamp", KEY_IDLE, kernel_choice },
	{ "tcpCongestion", KEY_IDLE, kernel_choice },
	{ "tcpMptcp", KEY_IDLE, "is not used" },
	{ "happyEyeballs", KEY_IDLE, "RFC 8305 is always followed" },
	{ "customSockopt", KEY_REFUSED },
	{ "tproxy", KEY_SILENT },
	{ "V6Only", KEY_SILENT },
	{ "acceptProxyProtocol", KEY_SILENT },
	{ "trustedXForwardedFor", KEY_SILENT },
	{ "penetrate", KEY_SILENT },
	{ NULL },
};

static int
interface_read(const struct node *sockopt, struct outbound_spec *spec)
{
	struct node n = node_get(sockopt, "interface");
	const char *s = "";

	if (node_text(&n, &s) == -1)
		return -1;
	if (strlen(s) >= sizeof(spec->sock.interface))
		return node_fail(&n, "%s is not a name of an interface", shown(s).text);
	memcpy(spec->sock.interface, s, strlen(s) + 1);
	return 0;
}

/* true or a number above 0, which for servers is the length of a queue; a fraction is cut
 * off, and strings are not taken, as in Xray. */
static int
fast_open_read(const struct node *sockopt, struct outbound_spec *spec)
{
	struct node n = node_get(sockopt, "tcpFastOpen");
	bool on = false;

	if (node_is_number(&n))
		on = json_object_get_int64(n.json) > 0;
	else if (json_object_is_type(n.json, json_type_string))
		return node_fail(&n, "a string, where true, false or a number is meant");
	else if (json_object_is_type(n.json, json_type_array))
		return node_fail(&n, "a list, where true, false or a number is meant");
	else if (json_object_is_type(n.json, json_type_object))
		return node_fail(&n, "an object, where true, false or a number is meant");
	else if (node_bool(&n, &on) == -1)
		return -1;
	if (on && spec->kind == OUTBOUND_FREEDOM)
		node_warn(&n,
			"has no effect on a freedom outbound: its targets are asked "
			"before an application gets its answer");
	else if (on)
		spec->sock.fast = SOCK_FAST_ASK;
	return 0;
}

/* What is said of the server's name: sluice resolves it itself, for both families. */
static int
server_strategy_read(const struct node *sockopt)
{
	struct node n = node_get(sockopt, "domainStrategy");
	struct node srv = node_get(sockopt, "addressPortStrategy");
	const char *s = "", *t = "";

	if (node_text(&n, &s) == -1 || node_text(&srv, &t) == -1)
		return -1;
	if (t[0] && strcasecmp(t, "none") != 0)
		return node_refuse(&srv, "%s is not supported", shown(t).text);
	if (strcasecmp(s, "ForceIPv4") == 0 || strcasecmp(s, "ForceIPv6") == 0)
		return node_refuse(&n, "%s is not supported", shown(s).text);
	if (s[0] && strcasecmp(s, "AsIs") != 0 && strcasecmp(s, "UseIP") != 0 &&
		strcasecmp(s, "ForceIP") != 0)
		node_warn(&n, "%s: both families are tried, in the order of RFC 8305",
			shown(s).text);
	return 0;
}

static int
sockopt_read(const struct node *stream, const char *key, struct outbound_spec *spec)
{
	struct node n = node_get(stream, key);

	if (!n.json)
		return 0;
	if (node_keys(&n, sockopt_keys) == -1 || interface_read(&n, spec) == -1 ||
		fast_open_read(&n, spec) == -1)
		return -1;
	return server_strategy_read(&n);
}

/* The transport's place in `transports`, tcp where nothing is said. -1: refused. */
static int
network_read(const struct node *n, enum carrier_kind *kind)
{
	const char *s, *near;
	int i = 0;

	if (node_word(n, transports, &i, &s) == -1)
		return -1;
	if (!s || !s[0] || (i >= 0 && i < TRANSPORTS_SPOKEN)) {
		*kind = carriers[i < 0 ? 0 : i];
		return 0;
	}
	near = i < 0 ? text_nearest(s, transports) : NULL;
	return node_refuse(n, "the transport %s is not supported%s%s%s", shown(s).text,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* `method` is Xray's newer word and wins over `network`; `transport` is v2ray 5's. */
static int
transport_read(const struct node *stream, enum carrier_kind *kind)
{
	static const char *const keys[] = { "method", "network", "transport" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct node n = node_get(stream, keys[i]);

		if (n.json)
			return network_read(&n, kind);
	}
	return 0;
}

/*
 * The settings of the transport: by their own name, or by v2ray 5's, or those for the
 * whole file (v2ray before 5).
 */
static struct node
settings_get(const struct node *stream, enum carrier_kind kind)
{
	static const char *const names[][2] = {
		[CARRIER_RAW] = { "rawSettings", "tcpSettings" },
		[CARRIER_HTTP_HEAD] = { "rawSettings", "tcpSettings" },
		[CARRIER_WEBSOCKET] = { "wsSettings", "wsSettings" },
		[CARRIER_HTTPUPGRADE] = { "httpupgradeSettings", "httpupgradeSettings" },
	};
	const struct node *root = stream, *whole;
	struct node n = node_get(stream, names[kind][0]);

	if (!n.json)
		n = node_get(stream, names[kind][1]);
	if (!n.json)
		n = node_get(stream, "transportSettings");
	if (n.json)
		return n;
	while (root->up)
		root = root->up;
	n = node_get(root, "transport");
	whole = node_keep(&n);
	n = node_get(whole, names[kind][0]);
	return n.json ? n : node_get(whole, names[kind][1]);
}

/* v2ray 5's utls has what tls has one level deeper. */
static int
utls_read(const struct node *stream, struct carrier_spec *c)
{
	static const struct key keys[] = {
		{ "tlsConfig", KEY_READ },
		{ "imitate", KEY_IDLE,
			"sluice does not imitate a browser's handshake; what it sends can "
			"be told from one" },
		{ "noSNI", KEY_REFUSED, "TLS without a server's name is not supported" },
		{ "forceALPN", KEY_SILENT },
		{ NULL },
	};
	struct node n = node_get(stream, "securitySettings");
	struct node tls = node_get(&n, "tlsConfig");

	return node_keys(&n, keys) == -1 ? -1 : config_read_tls(&tls, c);
}

static int
security_read(const struct node *stream, struct carrier_spec *c)
{
	static const char *const words[] = { "none", "tls", "utls", "reality", "xtls",
		NULL };
	struct node n = node_get(stream, "security");
	struct node tls = node_get(stream, "tlsSettings");
	const char *s;
	int i = 0;

	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i == 0 || !s[0])
		return 0;
	if (i == 2)
		return utls_read(stream, c);
	if (i != 1)
		return node_refuse(&n, "the security %s is not supported", shown(s).text);
	if (!tls.json)
		tls = node_get(stream, "securitySettings");
	return config_read_tls(&tls, c);
}

/* What stands there for a transport or for TLS that nothing else asks for is easily
 * thought to be in force. */
static void
unused_warn(const struct node *stream, enum carrier_kind kind)
{
	static const struct {
		const char *key, *word;
		enum carrier_kind kind;
	} settings[] = { { "wsSettings", "ws", CARRIER_WEBSOCKET },
		{ "httpupgradeSettings", "httpupgrade", CARRIER_HTTPUPGRADE } };
	struct node security = node_get(stream, "security");
	struct node tls = node_get(stream, "tlsSettings");
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		struct node n = node_get(stream, settings[i].key);

		if (kind != settings[i].kind && !node_is_empty(&n))
			node_warn(&n, "has no effect: network is not \"%s\"",
				settings[i].word);
	}
	if (node_is_empty(&security) && !node_is_empty(&tls))
		node_warn(
			&tls, "has no effect, there is no TLS: security is not \"tls\"");
}

static int
carrier_read(const struct node *stream, struct carrier_spec *c)
{
	struct node settings;

	if (transport_read(stream, &c->kind) == -1)
		return -1;
	unused_warn(stream, c->kind);
	settings = settings_get(stream, c->kind);
	if (config_read_carrier(&settings, c) == -1)
		return -1;
	return security_read(stream, c);
}

/* A freedom outbound is the system's own TCP; nothing is wrapped around it. */
static void
direct_warn(const struct node *stream)
{
	struct node security = node_get(stream, "security");
	const char *s = "";

	if (node_text(&security, &s) == 0 && s[0] && strcasecmp(s, "none") != 0)
		node_warn(&security,
			"has no effect: a freedom outbound does not wrap what it carries");
}

/* Such a one is only TCP, whatever stands there. */
static int
direct_read(const struct node *stream)
{
	enum carrier_kind kind = CARRIER_RAW;

	direct_warn(stream);
	if (transport_read(stream, &kind) == -1)
		return -1;
	if (kind != CARRIER_RAW)
		return node_refuse(stream, "a freedom outbound goes out as plain TCP");
	return 0;
}

int
config_read_stream(const struct node *outbound, struct outbound_spec *spec)
{
	struct node stream = node_get(outbound, "streamSettings");

	if (node_keys(&stream, stream_keys) == -1)
		return -1;
	switch (spec->kind) {
	case OUTBOUND_BLACKHOLE:
		return 0;
	case OUTBOUND_FREEDOM:
		if (direct_read(&stream) == -1)
			return -1;
		break;
	case OUTBOUND_VMESS:
		if (carrier_read(&stream, &spec->u.vmess.carrier) == -1)
			return -1;
		break;
	}
	if (sockopt_read(&stream, "sockopt", spec) == -1)
		return -1;
	return sockopt_read(&stream, "socketSettings", spec);
}
