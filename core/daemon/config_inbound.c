/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"
#include "keeper/check.h"

#include <string.h>

/*
 * Inbounds: the TUN device, or the one that is implied where the file has none.
 *
 * Its addresses, where none are given: the end of the benchmark range, which is
 * neither routed nor anybody's LAN, and of which others that hand out false
 * addresses take the beginning; and a unique local prefix (RFC 4193).
 */
static const char default_name[] = "sluice0";
static const char default_v4[] = "198.19.255.253/30";
static const char default_v6[] = "fd7c:9e3a:51b4::1/126";

enum { DEFAULT_MTU = 1500, V4 = 0, V6 = 1 };

/* The tun inbounds that a file could mean for one TUN. */
static int
is_tun(const struct node *in, bool *tun, const char **protocol)
{
	static const char *const words[] = { "tun", NULL };
	struct node n = node_get(in, "protocol");
	int found = -1;

	*protocol = NULL;
	if (node_word(&n, words, &found, protocol) == -1)
		return -1;
	*tun = found == 0;
	return 0;
}

static int
name_read(const struct node *settings, char name[static TUN_NAME])
{
	struct node n = node_get(settings, "name");
	const char *s = default_name;

	if (node_text(&n, &s) == -1)
		return -1;
	if (!s[0])
		s = default_name;
	if (!check_device(s))
		return node_fail(&n,
			"%s cannot be the device's name: 1 to 15 letters, digits, _ and "
			"-, not - in front, and not lo",
			shown(s).text);
	memcpy(name, s, strlen(s) + 1);
	return 0;
}

static int
mtu_read(const struct node *settings, int *mtu)
{
	struct node n = node_get(settings, "mtu");
	uint64_t v = DEFAULT_MTU;

	if (node_number(&n, "an MTU", TUN_MTU_MIN, TUN_MTU_MAX, &v) == -1)
		return -1;
	*mtu = (int)v;
	return 0;
}

static int
gateway_read(const struct node *settings, struct tun_config *tun)
{
	struct node n = node_get(settings, "gateway");
	const char *const *list = NULL;
	size_t i;

	if (node_texts(&n, &list) == -1)
		return -1;
	for (i = 0; list && list[i]; i++) {
		struct cidr c;

		if (i == TUN_ADDRS)
			return node_fail(&n, "more than %d addresses", TUN_ADDRS);
		if (!cidr_parse(&c, list[i]) || ip_is_unspecified(&c.ip) ||
			ip_is_multicast(&c.ip))
			return node_fail(&n,
				"%s is not an address with its prefix, such as "
				"10.0.0.1/24",
				shown(list[i]).text);
		tun->addrs[tun->naddrs++] = c;
	}
	return 0;
}

static const struct cidr *
address_of(const struct tun_config *tun, int family)
{
	int i;

	for (i = 0; i < tun->naddrs; i++)
		if (tun->addrs[i].ip.family == family)
			return &tun->addrs[i];
	return NULL;
}

/* A device that packets of a family are routed into needs an address of it. `gateway` is
 * where addresses were given; NULL: none were. */
static void
address_default(const struct node *gateway, struct tun_config *tun, int family)
{
	const char *text = family == 4 ? default_v4 : default_v6;

	if (address_of(tun, family) || tun->naddrs == TUN_ADDRS)
		return;
	if (gateway)
		node_warn(gateway, "has no IPv%d address; %s is added", family, text);
	cidr_parse(&tun->addrs[tun->naddrs++], text);
}

static int
routes_read(const struct node *settings, struct config *c)
{
	struct node n = node_get(settings, "autoSystemRoutingTable");
	const char *const *list = NULL;
	size_t i;

	if (node_texts(&n, &list) == -1)
		return -1;
	for (i = 0; list && list[i]; i++) {
		struct cidr r;

		if (!cidr_parse(&r, list[i]))
			return node_fail(&n, "%s is not a prefix, such as 0.0.0.0/0",
				shown(list[i]).text);
		if (r.bits != 0)
			return node_refuse(&n,
				"%s: only 0.0.0.0/0 and ::/0 can be routed; leave the "
				"rest to rules with outboundTag of a freedom outbound",
				shown(list[i]).text);
		c->route_v4 |= r.ip.family == 4;
		c->route_v6 |= r.ip.family == 6;
	}
	c->auto_routes = c->route_v4 || c->route_v6;
	if (!c->auto_routes)
		node_warn(settings,
			"without autoSystemRoutingTable nothing is routed into the "
			"device; ask for it with [\"0.0.0.0/0\", \"::/0\"], or route "
			"by hand");
	else if (!c->route_v4 || !c->route_v6)
		node_warn(&n,
			"IPv%d beyond this machine's own networks is unreachable while "
			"sluice runs, so that none passes by; %s would route it into the "
			"device",
			c->route_v4 ? 6 : 4, c->route_v4 ? "::/0" : "0.0.0.0/0");
	return 0;
}

/* The neighbour of an address in its prefix; false where there is none. */
static bool
neighbour(const struct cidr *c, struct ip *out)
{
	int last = c->ip.family == 4 ? 3 : 15;
	struct cidr net = *c;

	*out = c->ip;
	if (c->bits > (c->ip.family == 4 ? 30 : 126))
		return false;
	/* Of a block of four, the two in the middle: neither is a network's or a
	 * broadcast address. */
	if ((out->b[last] & 3) == 1)
		out->b[last] += 1;
	else
		out->b[last] = (uint8_t)((out->b[last] & ~3u) | 1);
	return cidr_has(&net, out) && !ip_equal(out, &c->ip);
}

/* What applications are told to ask: an address that leads into the device, since one
 * of the device itself would never leave the kernel. */
static void
dns_default(struct config *c, int which)
{
	const struct cidr *own = address_of(&c->tun, which == V4 ? 4 : 6);
	struct cidr usual;

	if (c->tun_dns[which].family || !own)
		return;
	if (neighbour(own, &c->tun_dns[which]))
		return;
	cidr_parse(&usual, which == V4 ? default_v4 : default_v6);
	neighbour(&usual, &c->tun_dns[which]);
}

static int
dns_read(const struct node *settings, struct config *c)
{
	struct node n = node_get(settings, "dns");
	const char *const *list = NULL;
	struct ip ip;
	size_t i;
	int which;

	if (node_texts(&n, &list) == -1)
		return -1;
	for (i = 0; list && list[i]; i++) {
		if (!ip_parse(&ip, list[i]))
			return node_fail(&n, "%s is not an address", shown(list[i]).text);
		which = ip.family == 4 ? V4 : V6;
		if (c->tun_dns[which].family)
			node_warn(&n, "%s: one address of a family is enough; left out",
				shown(list[i]).text);
		else
			c->tun_dns[which] = ip;
	}
	return 0;
}

static int
interface_read(const struct node *settings, struct config *c)
{
	struct node n = node_get(settings, "autoOutboundsInterface");
	const char *s = NULL;

	if (node_text(&n, &s) == -1)
		return -1;
	if (s && strlen(s) >= TUN_NAME)
		return node_fail(&n, "%s is not a name of an interface", shown(s).text);
	c->auto_interface = s && s[0] ? s : NULL;
	return 0;
}

static int
override_read(const struct node *n, unsigned *override)
{
	static const char *const words[] = { "http", "tls", "quic", "fakedns",
		"fakedns+others", NULL };
	const char *const *list = NULL;
	size_t i;
	int k;

	if (node_texts(n, &list) == -1)
		return -1;
	for (i = 0; list && list[i]; i++) {
		k = text_find(words, list[i]);
		if (k == 0)
			*override |= SNIFF_HTTP;
		else if (k == 1)
			*override |= SNIFF_TLS;
		else if (k > 0)
			node_warn(n, "%s is not looked for yet", words[k]);
		else
			node_warn(
				n, "%s is unknown; without effect", shown(list[i]).text);
	}
	return 0;
}

static int
sniffing_read(const struct node *in, struct sniffing *s)
{
	static const struct key keys[] = {
		{ "enabled", KEY_READ },
		{ "destOverride", KEY_READ },
		{ "routeOnly", KEY_READ },
		{ "metadataOnly", KEY_READ },
		{ "domainsExcluded", KEY_READ },
		{ "ipsExcluded", KEY_REFUSED, "is not supported yet" },
		{ NULL },
	};
	struct node n = node_get(in, "sniffing");
	struct node enabled = node_get(&n, "enabled");
	struct node override = node_get(&n, "destOverride");
	struct node route_only = node_get(&n, "routeOnly");
	struct node metadata_only = node_get(&n, "metadataOnly");
	struct node excluded = node_get(&n, "domainsExcluded");
	bool on = false, metadata = false;

	if (node_keys(&n, keys) == -1 || node_bool(&enabled, &on) == -1 ||
		node_bool(&metadata_only, &metadata) == -1 ||
		node_bool(&route_only, &s->route_only) == -1 ||
		node_texts(&excluded, &s->exclude) == -1 ||
		override_read(&override, &s->override) == -1)
		return -1;
	/* The payload is not looked at in either case. */
	if (!on || metadata)
		s->override = 0;
	return 0;
}

static int
device_read(const struct node *in, struct config *c)
{
	static const struct key in_keys[] = {
		{ "protocol", KEY_READ },
		{ "tag", KEY_READ },
		{ "settings", KEY_READ },
		{ "sniffing", KEY_READ },
		{ "port", KEY_IDLE, "a device has no port" },
		{ "listen", KEY_IDLE, "a device does not listen" },
		{ "allocate", KEY_IDLE, "a device has no port" },
		{ "streamSettings", KEY_IDLE, "a device has no transport" },
		{ NULL },
	};
	static const struct key keys[] = {
		{ "name", KEY_READ },
		{ "mtu", KEY_READ },
		{ "gateway", KEY_READ },
		{ "dns", KEY_READ },
		{ "userLevel", KEY_READ },
		{ "autoSystemRoutingTable", KEY_READ },
		{ "autoOutboundsInterface", KEY_READ },
		{ "desc", KEY_SILENT },
		{ NULL },
	};
	struct node settings = node_get(in, "settings");
	struct node gateway = node_get(&settings, "gateway");
	struct node tag = node_get(in, "tag");
	const struct node *given;

	if (node_keys(in, in_keys) == -1 || node_keys(&settings, keys) == -1 ||
		node_text(&tag, &c->tun_tag) == -1 ||
		name_read(&settings, c->tun.name) == -1 ||
		mtu_read(&settings, &c->tun.mtu) == -1 ||
		gateway_read(&settings, &c->tun) == -1 ||
		routes_read(&settings, c) == -1 || dns_read(&settings, c) == -1 ||
		interface_read(&settings, c) == -1)
		return -1;
	given = c->tun.naddrs > 0 ? &gateway : NULL;
	if (c->route_v4 || c->tun.naddrs == 0)
		address_default(given, &c->tun, 4);
	if (c->route_v6 || c->tun.naddrs == 0)
		address_default(given, &c->tun, 6);
	return sniffing_read(in, &c->sniffing);
}

/*
 * Where the file has no TUN: all traffic, both families.  It stands in for
 * inbounds that applications named by name, so it looks for names, but only the
 * rules hear of them: the address stays the one that the application chose.
 */
static void
tun_imply(struct config *c)
{
	c->tun_implied = c->auto_routes = c->route_v4 = c->route_v6 = true;
	memcpy(c->tun.name, default_name, sizeof(default_name));
	c->tun.mtu = DEFAULT_MTU;
	address_default(NULL, &c->tun, 4);
	address_default(NULL, &c->tun, 6);
	c->sniffing.override = SNIFF_HTTP | SNIFF_TLS;
	c->sniffing.route_only = true;
}

/* Kinds by which a server takes what clients send. */
static bool
is_servers(const char *protocol)
{
	static const char *const kinds[] = { "vmess", "vless", "trojan", "shadowsocks",
		"hysteria", "wireguard", NULL };

	return text_find(kinds, protocol) >= 0;
}

static void
left_out(const struct node *in, const char *protocol, struct config *c)
{
	if (!protocol) {
		node_warn(in, "has no protocol; left out");
		return;
	}
	node_warn(in, "inbounds of the kind %s are not served; left out",
		shown(protocol).text);
	if (is_servers(protocol))
		c->for_server = true;
	else
		c->for_client = true;
}

static int
inbound_read(const struct node *in, struct config *c)
{
	const char *protocol;
	bool tun;

	if (!node_is_object(in))
		return node_fail(in, "is not an object");
	if (is_tun(in, &tun, &protocol) == -1)
		return -1;
	if (!tun) {
		left_out(in, protocol, c);
		return 0;
	}
	if (c->tun.name[0])
		return node_fail(in, "a second tun inbound; there can be one");
	return device_read(in, c);
}

int
config_read_inbounds(const struct node *root)
{
	static const char *const lists[] = { "inbound", "inboundDetour", "inbounds" };
	struct config *c = root->reader->config;
	size_t i, k;

	c->tun_tag = "";
	for (k = 0; k < sizeof(lists) / sizeof(*lists); k++) {
		struct node list = node_get(root, lists[k]);

		for (i = 0; i < node_count(&list); i++) {
			struct node in = node_at(&list, i);

			if (inbound_read(&in, c) == -1)
				return -1;
		}
	}
	if (c->tun.name[0] || c->for_client)
		c->for_server = false;
	if (!c->tun.name[0])
		tun_imply(c);
	dns_default(c, V4);
	dns_default(c, V6);
	return 0;
}
