/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"

#include <string.h>

/* settings of a vmess outbound: the flat form (Xray's, and v2ray 5's with uuid for id), or
 * vnext with its users. */

static int
server_address_read(const struct node *server, struct vmess_spec *v)
{
	struct node n = node_get(server, "address");
	char host[NAME_MAX_LEN + 3];
	struct ip ip;
	const char *s = NULL;
	size_t len;

	if (node_text(&n, &s) == -1)
		return -1;
	if (!s || !s[0])
		return node_fail(&n, "%s",
			s ? "is empty: the server's name or address"
			  : "is missing: the server's name or address");
	len = strlen(s);
	if (len >= 2 && s[0] == '[' && s[len - 1] == ']')
		s = config_memory_text(n.reader->memory, s + 1, len - 2);
	if (ip_parse(&ip, s)) {
		v->address = s;
		return 0;
	}
	if (strlen(s) > NAME_MAX_LEN)
		return node_fail(&n, "is longer than a name can be");
	if (!name_normal(host, NAME_MAX_LEN + 1, s, strlen(s)) ||
		strpbrk(host, "/:[]{}<>@?")) {
		/* A place-holder, mostly. Xray takes it, too. */
		node_warn(&n,
			"%s is not an address, and no name that can be found; "
			"nothing will get through",
			shown(s).text);
		v->address = s;
		return 0;
	}
	v->address = config_memory_text(n.reader->memory, host, strlen(host));
	return 0;
}

static int
server_port_read(const struct node *server, struct vmess_spec *v)
{
	struct node n = node_get(server, "port");

	if (!n.json)
		return node_fail(&n, "is missing: the server's port");
	return node_port(&n, &v->port);
}

static int
id_read(const struct node *user, struct vmess_spec *v)
{
	struct node n = node_get(user, "id");
	struct node uuid = node_get(user, "uuid");
	const char *s = NULL;
	struct err e;

	/* v2ray 5 calls it uuid. */
	if (!n.json && uuid.json)
		n = uuid;
	if (node_text(&n, &s) == -1)
		return -1;
	if (!s || !s[0])
		return node_fail(
			&n, s ? "is empty: the user's id" : "is missing: the user's id");
	if (vmess_id_parse(v->id, s, &e) < 0)
		return node_fail(&n, "%s", e.text);
	return 0;
}

static int
security_read(const struct node *user, struct vmess_spec *v)
{
	static const char *const words[] = { "auto", "aes-128-gcm", "chacha20-poly1305",
		"none", "zero", NULL };
	struct node n = node_get(user, "security");
	const char *s, *near;
	int i = 0;

	v->security = aead_fastest() == AEAD_AES128_GCM ? VMESS_AES128_GCM
							: VMESS_CHACHA20_POLY1305;
	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i == 4)
		return node_refuse(&n, "zero is not supported yet");
	if (i < 0 && s[0]) {
		near = text_nearest(s, words);
		node_warn(&n, "%s is taken for auto%s%s%s", shown(s).text,
			near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	}
	if (i == 1)
		v->security = VMESS_AES128_GCM;
	else if (i == 2)
		v->security = VMESS_CHACHA20_POLY1305;
	else if (i == 3)
		v->security = VMESS_NONE;
	return 0;
}

static int
alter_id_read(const struct node *user)
{
	struct node n = node_get(user, "alterId");
	uint64_t v = 0;

	if (node_number(&n, "an alterId", 0, UINT16_MAX, &v) == -1)
		return -1;
	if (v > 0)
		return node_refuse(&n,
			"%llu: the old header is not supported yet; most servers take "
			"0 as well",
			(unsigned long long)v);
	return 0;
}

static int
packet_encoding_read(const struct node *settings)
{
	static const char *const words[] = { "", "none", NULL };
	struct node n = node_get(settings, "packetEncoding");
	const char *s;
	int i = 0;

	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i < 0)
		return node_refuse(&n, "%s is not supported yet", shown(s).text);
	return 0;
}

/* id, security and what else a user has; in the flat form the settings have it. */
static int
user_read(const struct node *user, struct vmess_spec *v)
{
	if (id_read(user, v) == -1 || alter_id_read(user) == -1)
		return -1;
	return security_read(user, v);
}

#define USER_KEYS                                                                    \
	{ "id", KEY_READ }, { "uuid", KEY_READ }, { "alterId", KEY_READ },           \
		{ "security", KEY_READ }, { "level", KEY_SILENT },                   \
		{ "userLevel", KEY_SILENT }, { "email", KEY_SILENT },                \
		{ "experiments", KEY_REFUSED, "experiments are not supported yet" }, \
	{                                                                            \
		"testsEnabled", KEY_REFUSED, "experiments are not supported yet"     \
	}

/* The only element of a list: several are for a later issue. */
static int
only_one(const struct node *list, const char *what, struct node *one)
{
	size_t n = node_count(list);

	if (n == 0)
		return node_fail(list, "has no %s", what);
	if (n > 1)
		return node_refuse(
			list, "%zu of them: several %ss are not supported yet", n, what);
	*one = node_at(list, 0);
	return 0;
}

static int
vnext_read(const struct node *settings, struct vmess_spec *v)
{
	static const struct key server_keys[] = {
		{ "address", KEY_READ },
		{ "port", KEY_READ },
		{ "users", KEY_READ },
		{ "remark", KEY_SILENT },
		{ "remarks", KEY_SILENT },
		{ NULL },
	};
	static const struct key user_keys[] = { USER_KEYS, { NULL } };
	struct node list = node_get(settings, "vnext"), server, users, user;

	if (only_one(&list, "server", &server) == -1 ||
		node_keys(&server, server_keys) == -1 ||
		server_address_read(&server, v) == -1 ||
		server_port_read(&server, v) == -1)
		return -1;
	users = node_get(&server, "users");
	if (only_one(&users, "user", &user) == -1 || node_keys(&user, user_keys) == -1)
		return -1;
	return user_read(&user, v);
}

int
config_read_vmess(const struct node *out, struct vmess_spec *v)
{
	static const struct key keys[] = {
		{ "vnext", KEY_READ },
		{ "address", KEY_READ },
		{ "port", KEY_READ },
		{ "packetEncoding", KEY_READ },
		{ "reverse", KEY_REFUSED, "the reverse proxy is not supported" },
		USER_KEYS,
		{ NULL },
	};
	struct node settings = node_get(out, "settings");
	struct node address = node_get(&settings, "address");
	struct node vnext = node_get(&settings, "vnext");

	if (!settings.json)
		return node_fail(&settings, "is missing: the server and the user");
	if (node_keys(&settings, keys) == -1 || packet_encoding_read(&settings) == -1)
		return -1;
	/* As in Xray: where both forms stand, the flat one counts. */
	if (!address.json && vnext.json)
		return vnext_read(&settings, v);
	if (server_address_read(&settings, v) == -1 ||
		server_port_read(&settings, v) == -1)
		return -1;
	return user_read(&settings, v);
}
