/* SPDX-License-Identifier: MIT */
#include "stack/path.h"

#include "platform/tun.h"

enum { KNOWN_MS = 10 * 60 * 1000 };

static const struct path *
find(const struct paths *p, const struct ip *to)
{
	for (int i = 0; i < p->n; i++)
		if (ip_equal(&p->all[i].to, to))
			return &p->all[i];
	return NULL;
}

/* A place for what was told now. */
static struct path *
place(struct paths *p, const struct ip *to)
{
	const struct path *known = find(p, to);
	struct path *oldest = p->all;

	if (known)
		return &p->all[known - p->all];
	if (p->n < PATHS)
		return &p->all[p->n++];
	for (int i = 1; i < PATHS; i++)
		if (p->all[i].since < oldest->since)
			oldest = &p->all[i];
	return oldest;
}

size_t
paths_mtu(const struct paths *p, const struct ip *to, size_t mtu, uint64_t now)
{
	const struct path *known = find(p, to);

	return known && known->mtu < mtu && now - known->since < KNOWN_MS ? known->mtu
									  : mtu;
}

void
paths_learn(struct paths *p, const struct ip *to, uint32_t mtu, uint64_t now)
{
	if (mtu < TUN_MTU_MIN)
		mtu = TUN_MTU_MIN;
	/* It tells of a narrower way, and never of a wider one (RFC 8201, 4). */
	if (mtu < paths_mtu(p, to, TUN_MTU_MAX, now))
		*place(p, to) = (struct path){ *to, (uint16_t)mtu, now };
}
