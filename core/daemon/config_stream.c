/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"

#include <string.h>
#include <strings.h>

/* streamSettings: how the connection to a server is made.  Raw TCP for now; every other
 * transport is refused by its name. */

static const char *const transports[] = { "tcp", "raw", "ws", "websocket", "httpupgrade",
	"grpc", "gun", "h2", "http", "kcp", "mkcp", "quic", "xhttp", "splithttp", "ds",
	"domainsocket", "hysteria", "hysteria2", "hy2", "meek", NULL };

enum { TRANSPORTS_SPOKEN = 2 };

/* Settings of transports that are not chosen mean nothing to Xray either. */
static const struct key stream_keys[] = {
	{ "network", KEY_READ },
	{ "method", KEY_READ },
	{ "transport", KEY_READ },
	{ "transportSettings", KEY_SILENT },
	{ "security", KEY_READ },
	{ "securitySettings", KEY_SILENT },
	{ "tcpSettings", KEY_READ },
	{ "rawSettings", KEY_READ },
	{ "tlsSettings", KEY_SILENT },
	{ "xtlsSettings", KEY_SILENT },
	{ "realitySettings", KEY_SILENT },
	{ "wsSettings", KEY_SILENT },
	{ "httpupgradeSettings", KEY_SILENT },
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
	{ "tcpFastOpen", KEY_IDLE, "is not used yet" },
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
	if (node_keys(&n, sockopt_keys) == -1 || interface_read(&n, spec) == -1)
		return -1;
	return server_strategy_read(&n);
}

static int
network_read(const struct node *stream, const char *key)
{
	struct node n = node_get(stream, key);
	const char *s, *near;
	int i = 0;

	if (node_word(&n, transports, &i, &s) == -1)
		return -1;
	if (!s || !s[0] || (i >= 0 && i < TRANSPORTS_SPOKEN))
		return 0;
	near = i < 0 ? text_nearest(s, transports) : NULL;
	return node_refuse(&n, "the transport %s is not supported%s%s%s%s", shown(s).text,
		i >= 0 && i < 5 ? " yet" : "", near ? "; did you mean " : "",
		near ? near : "", near ? "?" : "");
}

/* `method` is Xray's newer word and wins over `network`; `transport` is v2ray 5's. */
static int
transport_read(const struct node *stream)
{
	static const char *const keys[] = { "method", "network", "transport" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct node n = node_get(stream, keys[i]);

		if (n.json)
			return network_read(stream, keys[i]);
	}
	return 0;
}

static int
security_read(const struct node *stream)
{
	static const char *const words[] = { "none", "tls", "reality", "xtls", "utls",
		"auto", NULL };
	struct node n = node_get(stream, "security");
	const char *s;
	int i = 0;

	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i == 0 || !s[0])
		return 0;
	return node_refuse(&n, "the security %s is not supported%s", shown(s).text,
		i == 1 || i == 4 ? " yet" : "");
}

static int
raw_read(const struct node *stream, const char *key)
{
	static const struct key keys[] = {
		{ "header", KEY_READ },
		{ "acceptProxyProtocol", KEY_SILENT },
		{ "connectionReuse", KEY_SILENT },
		{ NULL },
	};
	struct node raw = node_get(stream, key);
	struct node header = node_get(&raw, "header");
	struct node type = node_get(&header, "type");
	const char *s = "";

	if (node_keys(&raw, keys) == -1 || node_text(&type, &s) == -1)
		return -1;
	if (s[0] && strcasecmp(s, "none") != 0)
		return node_refuse(
			&type, "the header %s is not supported", shown(s).text);
	return 0;
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
		direct_warn(&stream);
		if (transport_read(&stream) == -1)
			return -1;
		break;
	case OUTBOUND_VMESS:
		if (transport_read(&stream) == -1 || security_read(&stream) == -1 ||
			raw_read(&stream, "tcpSettings") == -1 ||
			raw_read(&stream, "rawSettings") == -1)
			return -1;
		break;
	}
	if (sockopt_read(&stream, "sockopt", spec) == -1)
		return -1;
	return sockopt_read(&stream, "socketSettings", spec);
}
