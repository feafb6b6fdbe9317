/* SPDX-License-Identifier: MIT */
#include "keeper/serve_beside.h"

#include "base/log.h"
#include "platform/net.h"

#include <string.h>

/* One in each half of the addresses, since two routes for the halves are a common way to
 * take the default route's place.  Nobody's network is there: 192.88.99.0/24 is RFC 7526's,
 * 64.0.0.1 is none that is routed by itself, and neither are the other two. */
static const char *const outside[][2] = {
	{ "64.0.0.1", "192.88.99.1" },
	{ "2400::1", "3ffe::1" },
};

enum { ANYBODY = 1000, SOMEBODY_ELSE }; /* users, of whom one is not the engine */

/* The interface that is not the device; false: there is none, be it that nothing leaves. */
static bool
leaves_beside(const struct serve *s, int family, char name[static TUN_NAME])
{
	uid_t uid = s->uid == ANYBODY ? SOMEBODY_ELSE : ANYBODY;
	struct net_wayout way;
	struct ip to;

	for (int i = 0; i < 2; i++) {
		if (!ip_parse(&to, outside[family == 6][i]) ||
			net_wayout(&to, uid, &way) < 0 ||
			strcmp(way.interface, s->tun_name) == 0)
			continue;
		memcpy(name, way.interface, TUN_NAME);
		return true;
	}
	memset(name, 0, TUN_NAME);
	return false;
}

static void
family_look(const struct serve *s, int family, char beside[static TUN_NAME])
{
	char name[TUN_NAME];
	bool was = beside[0] != '\0';

	if (leaves_beside(s, family, name) && strcmp(name, beside) != 0)
		log_warn("IPv%d traffic does not go into %s, but leaves past it by %s: a "
			 "routing rule of somebody else's comes before sluice's (ip -%d "
			 "rule), or routes for half of all addresses do (ip -%d route); "
			 "take them away",
			family, s->tun_name, name, family, family);
	else if (was && !name[0])
		log_news("IPv%d traffic does not leave past %s any more", family,
			s->tun_name);
	memcpy(beside, name, TUN_NAME);
}

void
serve_beside_look(struct serve *s)
{
	if (!s->routed || s->astray || (!s->routes.v4 && !s->routes.v6))
		return;
	family_look(s, 4, s->beside4);
	family_look(s, 6, s->beside6);
}
