/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_REQUEST_H
#define KEEPER_REQUEST_H

#include "base/addr.h"
#include "base/err.h"
#include "platform/net.h"
#include "platform/tun.h"

#include <stdbool.h>

/*
 * What the engine may ask of the keeper: a fixed table of requests over a
 * socket pair, each checked by the keeper before anything is done.  These are
 * the engine's calls: each sends one request and waits for its answer (the
 * keeper answers at once or after one program run, bounded).  0 or a
 * descriptor that is then the engine's; or -1 and why.
 *
 * An engine that was restarted asks again, and gets what is there.
 */

/* The device, with addresses and MTU, up. `name` gets its name. */
int request_tun(int keeper, const struct tun_config *c, char name[static TUN_NAME],
	struct err *e);
/* The firewall table and the engine's own way out, then the routes of these families into
 * the device; of none, what applications send goes where it went. */
int request_routes(int keeper, bool v4, bool v6, struct err *e);
/* Applications ask `server` from now on. */
int request_resolver(int keeper, const struct ip *server, int n, struct err *e);
/* The resolvers that the machine had before sluice came. */
int request_resolvers(int keeper, struct net_resolvers *r, struct err *e);
/* A ping socket of a family, marked so that it leaves outside. */
int request_ping(int keeper, int family, struct err *e);
/* Direct flows of a family may be handed back to the kernel, by this socket of
 * net_direct_open; after the routes. What it carried for an engine before this one comes by
 * the device again. */
int request_direct(int keeper, int family, struct err *e);
/* Tells of the ends of such flows: see net_direct_ended. */
int request_endings(int keeper, struct err *e);
/* The configuration (name NULL), or a data file that it names; for reading. */
int request_file(int keeper, const char *name, struct err *e);
/* Flows pass. The keeper tells the service manager. */
int request_ready(int keeper, struct err *e);

/* From then on the engine asks nothing more, and the keeper alone speaks: somebody wants
 * to know how things are, and is sent an engine_report by the descriptor that comes with
 * it. That, which never waits and is the caller's; -EAGAIN: nobody; -EPIPE: the keeper has
 * ended, and so shall the engine.  *list is the kernel's, of the flows that it carries
 * (net_direct_listed), the caller's too; -1: none. */
int request_next_question(int keeper, int *list);
/* Whether the keeper says nothing more: what it ends from then on ends with sluice. */
bool request_is_over(int keeper);

#endif
