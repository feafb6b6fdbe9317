/* SPDX-License-Identifier: MIT */
/* `sluice`: what Xray has no word for. */
#include "daemon/config_json.h"

#include "base/text.h"
#include "outbound/sntp.h"
#include "outbound/vmess_warm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* An empty word must be seen, too. */
static struct shown
said(const char *s)
{
	return shown(*s ? s : "\"\"");
}

static int
tls_library_read(const struct node *own, enum tls_library *l)
{
	static const char *const words[] = { "auto", "bearssl", "openssl", NULL };
	static const enum tls_library libraries[] = { TLS_ANY, TLS_BEARSSL, TLS_OPENSSL };
	struct node n = node_get(own, "tls");
	const char *s;
	int i = 0;

	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i < 0)
		return node_fail(&n, "%s is not auto, bearssl or openssl", said(s).text);
	*l = libraries[i];
	if (!tls_library_built(*l))
		return node_fail(&n, "this sluice was built without %s", words[i]);
	return 0;
}

static int
direct_read(const struct node *own, enum direct_way *way)
{
	static const char *const words[] = {
		[DIRECT_STACK] = "stack",
		[DIRECT_AUTO] = "auto",
		[DIRECT_KERNEL] = "kernel",
		[DIRECT_KERNEL + 1] = NULL,
	};
	struct node n = node_get(own, "direct");
	const char *s;
	int i = CONFIG_DIRECT;

	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i < 0)
		return node_fail(&n, "%s is not auto, stack or kernel", said(s).text);
	*way = (enum direct_way)i;
	return 0;
}

static int
clock_read(const struct node *own, bool *automatic)
{
	static const char *const words[] = { "system", "auto", NULL };
	struct node n = node_get(own, "clock");
	const char *s;
	int i = 0;

	if (node_word(&n, words, &i, &s) == -1)
		return -1;
	if (i < 0)
		return node_fail(&n, "%s is not system or auto", said(s).text);
	*automatic = i == 1;
	return 0;
}

/* The length of the name in front of ":port", which is read. False: it is no port. */
static bool
name_part(const char *s, size_t *len, uint16_t *port)
{
	const char *colon = strchr(s, ':');
	uint64_t v;

	*len = colon ? (size_t)(colon - s) : strlen(s);
	if (!colon)
		return true;
	if (!number_parse(&v, colon + 1, UINT16_MAX) || v == 0)
		return false;
	*port = (uint16_t)v;
	return true;
}

static int
time_server_read(const struct node *n, struct time_server_spec *t)
{
	char name[NAME_MAX_LEN + 1];
	struct endpoint e;
	const char *s = "";
	size_t len;

	if (node_text(n, &s) == -1)
		return -1;
	t->path = node_path(n);
	t->at.port = SNTP_PORT;
	if (ip_parse(&t->at.ip, s))
		return 0;
	if (endpoint_parse(&e, s) && e.port) {
		t->at.ip = e.ip;
		t->at.port = e.port;
		return 0;
	}
	if (strpbrk(s, "/[]@*") || !name_part(s, &len, &t->at.port) ||
		!name_normal(name, sizeof(name), s, len) ||
		strspn(name, "0123456789.") == strlen(name))
		return node_fail(n,
			"%s is not a time server: a name or an address, or one with a "
			":port behind it",
			said(s).text);
	t->at.name = config_memory_text(n->reader->memory, name, strlen(name));
	return 0;
}

static int
sntp_read(const struct node *own)
{
	struct node list = node_get(own, "sntp");
	struct config *c = own->reader->config;
	size_t n = node_count(&list);

	if (n > TIMES_MAX)
		return node_fail(
			&list, "%zu time servers; at most %d are asked", n, TIMES_MAX);
	c->sntp = config_memory_take(own->reader->memory, n, sizeof(*c->sntp));
	for (; c->nsntp < n; c->nsntp++) {
		struct node at = node_at(&list, c->nsntp);

		if (time_server_read(&at, &c->sntp[c->nsntp]) == -1)
			return -1;
	}
	return 0;
}

static const uint64_t memory_min = 16ull << 20, memory_max = 64ull << 30;

/* "256 MB", "1 GB", or a number of bytes. False: none of these. */
static bool
size_parse(uint64_t *bytes, const char *s)
{
	static const struct {
		const char *name;
		unsigned shift;
	} units[] = { { "", 0 }, { "b", 0 }, { "kb", 10 }, { "mb", 20 }, { "gb", 30 } };
	size_t digits = strspn(s, "0123456789"), i;
	const char *unit = s + digits + strspn(s + digits, " ");
	char number[20];

	if (digits == 0 || digits >= sizeof(number))
		return false;
	memcpy(number, s, digits);
	number[digits] = '\0';
	if (!number_parse(bytes, number, UINT64_MAX))
		return false;
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcasecmp(unit, units[i].name) != 0)
			continue;
		if (*bytes > UINT64_MAX >> units[i].shift)
			return false;
		*bytes <<= units[i].shift;
		return true;
	}
	return false;
}

static int
memory_read(const struct node *own, size_t *memory)
{
	struct node n = node_get(own, "memory");
	uint64_t bytes = CONFIG_BUDGET;
	const char *s = NULL;
	int r;

	if (node_is_number(&n))
		r = node_number(&n, "a number of bytes from 16 MB to 64 GB", memory_min,
			memory_max, &bytes);
	else
		r = node_text(&n, &s);
	if (r == -1)
		return -1;
	if (s && !size_parse(&bytes, s))
		return node_fail(&n,
			"%s is not a size: a whole number of KB, MB or GB, such as "
			"\"256 MB\"",
			said(s).text);
	if (s && (bytes < memory_min || bytes > memory_max))
		return node_fail(&n, "%s is not from 16 MB to 64 GB", said(s).text);
	*memory = (size_t)bytes;
	return 0;
}

static int
warm_read(const struct node *own, unsigned *warm)
{
	struct node n = node_get(own, "warm");
	uint64_t v = 0;

	if (node_number(&n, "a number of connections", 0, VMESS_WARM_MAX, &v) == -1)
		return -1;
	*warm = (unsigned)v;
	return 0;
}

int
config_read_own(const struct node *root)
{
	/* A misspelt key here could be a protection that is not there: an error. */
	static const struct key keys[] = {
		{ "geoip", KEY_READ },
		{ "offload", KEY_READ },
		{ "memory", KEY_READ },
		{ "tls", KEY_READ },
		{ "direct", KEY_READ },
		{ "clock", KEY_READ },
		{ "sntp", KEY_READ },
		{ "warm", KEY_READ },
		{ NULL },
	};
	struct config *c = root->reader->config;
	struct node own = node_get(root, "sluice");
	struct node geoip = node_get(&own, "geoip");
	struct node offload = node_get(&own, "offload");
	bool offloads = true;
	const char *s = NULL;

	if (node_keys_strict(&own, keys) == -1 || node_text(&geoip, &s) == -1 ||
		node_bool(&offload, &offloads) == -1 ||
		memory_read(&own, &c->budget) == -1 ||
		tls_library_read(&own, &c->tls) == -1 ||
		direct_read(&own, &c->direct) == -1 || warm_read(&own, &c->warm) == -1 ||
		clock_read(&own, &c->clock_auto) == -1 || sntp_read(&own) == -1)
		return -1;
	c->tun_plain = !offloads;
	c->geoip_file = s && s[0] ? s : NULL;
	return 0;
}
