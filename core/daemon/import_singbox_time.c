/* SPDX-License-Identifier: MIT */
#include "daemon/import_parts.h"

#include "base/text.h"
#include "outbound/sntp.h"

#include <string.h>

/* sing-box's time server, which tells it what its clock is worth. */

/* A name or an address, as the configuration's reader takes them. */
static int
place_read(const struct node *n, struct target *at)
{
	struct config_memory *m = n->reader->memory;
	char name[NAME_MAX_LEN + 1];
	const char *s = "";

	if (field_text(n, &s) == -1)
		return -1;
	if (ip_parse(&at->ip, s))
		return 0;
	if (strpbrk(s, "/[]@*:") || !name_normal(name, sizeof(name), s, strlen(s)) ||
		strspn(name, "0123456789.") == strlen(name))
		return node_fail(
			n, "%s is not a name or an address", *s ? shown(s).text : "\"\"");
	at->name = config_memory_text(m, name, strlen(name));
	return 0;
}

static int
time_read(const struct node *ntp, struct target *at)
{
	static const struct key keys[] = {
		{ "enabled", KEY_READ },
		{ "server", KEY_READ },
		{ "server_port", KEY_READ },
		{ "interval", KEY_SILENT },
		{ "write_to_system", KEY_IDLE,
			"is not carried over; the machine's clock stays as it is" },
		{ "domain_resolver", KEY_SILENT },
		{ "domain_strategy", KEY_SILENT },
		{ "connect_timeout", KEY_SILENT },
		{ "detour", KEY_REFUSED,
			"a time server behind an outbound is not supported" },
		{ NULL },
	};
	struct node place = node_get(ntp, "server"), port = node_get(ntp, "server_port");

	at->port = SNTP_PORT;
	if (node_keys(ntp, keys) == -1 || place_read(&place, at) == -1)
		return -1;
	return node_port(&port, &at->port);
}

void
import_singbox_time(struct import *im, const struct node *root)
{
	struct node ntp = node_get(root, "ntp"), on = node_get(&ntp, "enabled");
	struct target *at;
	bool enabled = false;

	if (!node_is_object(&ntp))
		return;
	at = config_memory_take(im->reader.memory, 1, sizeof(*at));
	if (field_flag(&on, &enabled) == -1 || (enabled && time_read(&ntp, at) == -1))
		import_lose(im);
	else if (enabled)
		im->time = at;
}
