/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_H
#define KEEPER_SERVE_H

#include "keeper/journal.h"
#include "keeper/keeper.h"
#include "platform/net.h"
#include "platform/tun.h"

#include <stdbool.h>
#include <sys/types.h>

/* What the engine has asked for so far and this machine therefore has. It outlives an
 * engine: the next one is given the same. */
struct serve {
	const struct keeper_config *config;
	struct journal *journal;
	uid_t uid;
	gid_t gid;
	int tun; /* -1: not yet; closed by serve_fini */
	struct tun_config tun_config;
	char tun_name[TUN_NAME];
	bool routed;
	struct net_routes routes;
	struct net_resolvers before; /* the machine's own, noted before any change */
	bool noted, taken;
	int nservers; /* of `servers`, when taken */
	struct ip servers[NET_RESOLVERS];
	bool ready; /* this engine has said so; the keeper clears it */
};

void serve_init(struct serve *s, const struct keeper_config *c, struct journal *j);
/* Closes the device. The journal is undone by its owner, before. */
void serve_fini(struct serve *s);

/* Reads one request from `sock` and answers it. 0; -EAGAIN: there was none; or -errno:
 * the engine is gone, or cannot be talked to any more. */
int serve_next(struct serve *s, int sock);

#endif
