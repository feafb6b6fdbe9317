/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "daemon/config_json.h"

#include <string.h>
#include <strings.h>

/* settings of a vmess outbound: the flat form (Xray's, and v2ray 5's with uuid for id), or
 * vnext with servers and their users. */

static int
server_address_read(const struct node *server, struct vmess_server_spec *v)
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
	if (!host_normal(host, NAME_MAX_LEN + 1, s, strlen(s))) {
		/* A place-holder, mostly. Xray takes it, too; the outbound is built dead. */
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
server_port_read(const struct node *server, struct vmess_server_spec *v)
{
	struct node n = node_get(server, "port");

	if (!n.json)
		return node_fail(&n, "is missing: the server's port");
	return node_port(&n, &v->port);
}

enum { UUID_LEN = 36, UUID_FIRST = 8, UUID_PIECE_MIN = 12 };

/* Nobody thinks of a word of hex digits with dashes, or of so many. */
static bool
looks_like_uuid(const char *s)
{
	size_t len = strlen(s);

	if (strspn(s, "0123456789abcdefABCDEF-") != len)
		return false;
	if (strcspn(s, "-") == UUID_FIRST)
		return len > UUID_FIRST + 1;
	return len >= (strchr(s, '-') ? UUID_PIECE_MIN : UUID_PIECE_MIN + 4);
}

int
node_id_parse(const struct node *n, const char *text, uint8_t id[static 16])
{
	size_t len = strlen(text);
	struct err e;

	if (vmess_id_parse(id, text, &e) < 0)
		return len > 31 && len < UUID_LEN
			? node_fail(n, "%s; this one has %zu characters", e.text, len)
			: node_fail(n, "%s", e.text);
	if (len < 31 && looks_like_uuid(text))
		node_warn(n, "%zu characters, a UUID has %d; taken as a word", len,
			UUID_LEN);
	return 0;
}

static int
id_read(const struct node *user, struct vmess_user_spec *v)
{
	struct node n = node_get(user, "id");
	struct node uuid = node_get(user, "uuid");
	const char *s = NULL;

	/* v2ray 5 calls it uuid. */
	if (!n.json && uuid.json)
		n = uuid;
	if (node_text(&n, &s) == -1)
		return -1;
	if (!s || !s[0])
		return node_fail(
			&n, s ? "is empty: the user's id" : "is missing: the user's id");
	return node_id_parse(&n, s, v->id);
}

static int
security_read(const struct node *user, struct vmess_user_spec *v)
{
	static const char *const words[] = { "auto", "aes-128-gcm", "chacha20-poly1305",
		"none", "zero", NULL };
	static const enum vmess_security meant[] = { 0, VMESS_AES128_GCM,
		VMESS_CHACHA20_POLY1305, VMESS_NONE, VMESS_ZERO };
	struct node n = node_get(user, "security");
	const char *s, *near;
	int i = 0;

	v->security = aead_fastest() == AEAD_AES128_GCM ? VMESS_AES128_GCM
							: VMESS_CHACHA20_POLY1305;
	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i < 0 && s[0]) {
		near = text_nearest(s, words);
		node_warn(&n, "%s is taken for auto%s%s%s", shown(s).text,
			near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	}
	if (i > 0)
		v->security = meant[i];
	return 0;
}

static int
alter_id_read(const struct node *user, struct vmess_user_spec *v)
{
	struct node n = node_get(user, "alterId");
	uint64_t ids = 0;

	if (node_number(&n, "an alterId", 0, UINT16_MAX, &ids) == -1)
		return -1;
	v->alter_ids = (uint16_t)ids;
	if (ids > 0)
		node_warn(&n,
			"%llu: asks for the old header, which servers of today refuse; "
			"most take 0",
			(unsigned long long)ids);
	return 0;
}

/* One of "AuthenticatedLength|NoTerminationSignal". */
static int
experiment_read(
	const struct node *n, const char *word, size_t len, struct vmess_user_spec *v)
{
	static const char *const words[] = { "AuthenticatedLength", "NoTerminationSignal",
		NULL };
	const char *one = config_memory_text(n->reader->memory, word, len), *near;

	if (strcasecmp(one, words[0]) == 0) {
		v->authenticated_length = true;
	} else if (strcasecmp(one, words[1]) == 0) {
		v->no_termination_signal = true;
	} else {
		near = text_nearest(one, words);
		return node_fail(n, "%s is not an experiment that sluice knows%s%s%s",
			shown(one).text, near ? "; did you mean " : "", near ? near : "",
			near ? "?" : " (AuthenticatedLength, NoTerminationSignal)");
	}
	return 0;
}

static int
experiments_read(const struct node *user, const char *key, struct vmess_user_spec *v)
{
	struct node n = node_get(user, key);
	const char *s = "", *end;
	size_t len;

	if (node_text(&n, &s) == -1)
		return -1;
	for (; *s; s = end + (*end == '|')) {
		end = s + strcspn(s, "|");
		s += strspn(s, " ");
		for (len = s < end ? (size_t)(end - s) : 0; len && s[len - 1] == ' ';)
			len--;
		if (len && experiment_read(&n, s, len, v) == -1)
			return -1;
	}
	if (v->authenticated_length && v->security > VMESS_CHACHA20_POLY1305) {
		node_warn(&n, "AuthenticatedLength has no effect with this security");
		v->authenticated_length = false;
	}
	return 0;
}

static int
level_read(const struct node *user, struct vmess_user_spec *v)
{
	struct node n = node_get(user, "level");
	struct node old = node_get(user, "userLevel");
	uint64_t level = 0;

	if (node_number(&old, "a level", 0, UINT32_MAX, &level) == -1 ||
		node_number(&n, "a level", 0, UINT32_MAX, &level) == -1)
		return -1;
	v->level = (unsigned)level;
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
user_read(const struct node *user, struct vmess_user_spec *v)
{
	if (id_read(user, v) == -1 || alter_id_read(user, v) == -1 ||
		security_read(user, v) == -1 || level_read(user, v) == -1 ||
		experiments_read(user, "testsEnabled", v) == -1)
		return -1;
	return experiments_read(user, "experiments", v);
}

#define USER_KEYS                                                            \
	{ "id", KEY_READ }, { "uuid", KEY_READ }, { "alterId", KEY_SPARED }, \
		{ "security", KEY_READ }, { "level", KEY_READ },             \
		{ "userLevel", KEY_READ }, { "email", KEY_SILENT },          \
		{ "experiments", KEY_READ },                                 \
	{                                                                    \
		"testsEnabled", KEY_READ                                     \
	}

/* One to `max` of what a list is of. */
static int
list_check(const struct node *list, const char *what, size_t max)
{
	size_t n = node_count(list);

	if (n == 0)
		return node_fail(list, "has no %s", what);
	if (n > max)
		return node_fail(
			list, "%zu of them; sluice takes up to %zu %ss", n, max, what);
	return 0;
}

static int
users_read(const struct node *server, struct vmess_server_spec *v)
{
	static const struct key keys[] = { USER_KEYS, { NULL } };
	struct node list = node_get(server, "users");
	struct vmess_user_spec *user;

	if (list_check(&list, "user", VMESS_USERS_MAX) == -1)
		return -1;
	user = config_memory_take(list.reader->memory, node_count(&list), sizeof(*user));
	v->user = user;
	for (; v->nuser < node_count(&list); v->nuser++) {
		struct node n = node_at(&list, v->nuser);

		if (node_keys(&n, keys) == -1 || user_read(&n, &user[v->nuser]) == -1)
			return -1;
	}
	return 0;
}

static int
server_read(const struct node *server, struct vmess_server_spec *v)
{
	static const struct key keys[] = {
		{ "address", KEY_READ },
		{ "port", KEY_READ },
		{ "users", KEY_READ },
		{ "remark", KEY_SILENT },
		{ "remarks", KEY_SILENT },
		{ NULL },
	};

	if (node_keys(server, keys) == -1 || server_address_read(server, v) == -1 ||
		server_port_read(server, v) == -1)
		return -1;
	return users_read(server, v);
}

static int
vnext_read(const struct node *settings, struct vmess_spec *v)
{
	struct node list = node_get(settings, "vnext");
	struct vmess_server_spec *server;

	if (list_check(&list, "server", VMESS_SERVERS_MAX) == -1)
		return -1;
	server = config_memory_take(
		list.reader->memory, node_count(&list), sizeof(*server));
	v->server = server;
	for (; v->nserver < node_count(&list); v->nserver++) {
		struct node n = node_at(&list, v->nserver);

		if (server_read(&n, &server[v->nserver]) == -1)
			return -1;
	}
	return 0;
}

/* Server and user in one object. */
static int
flat_read(const struct node *settings, struct vmess_spec *v)
{
	struct config_memory *m = settings->reader->memory;
	struct vmess_server_spec *server = config_memory_take(m, 1, sizeof(*server));
	struct vmess_user_spec *user = config_memory_take(m, 1, sizeof(*user));

	server->user = user;
	server->nuser = 1;
	v->server = server;
	v->nserver = 1;
	if (server_address_read(settings, server) == -1 ||
		server_port_read(settings, server) == -1)
		return -1;
	return user_read(settings, user);
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
	return flat_read(&settings, v);
}
