/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_BUILD_H
#define DAEMON_BUILD_H

#include "base/err.h"
#include "daemon/config.h"
#include "flow/flow.h"
#include "outbound/outbound.h"
#include "platform/net.h"
#include "rules/rules.h"

/*
 * From the typed configuration to the things that work.  What is built here
 * never changes afterwards; a reload builds anew and swaps.
 */

/* Rules and outbounds, as flows hold them. The caller holds one count. NULL and why. Of
 * `c` only strings that setup_drop outlives are used: keep the config until then. */
struct setup *build_setup(const struct config *c, struct rules_files *files,
	const struct outbound_env *env, struct err *e);

/* The bootstrap resolver: hosts of the configuration, and the machine's resolvers. */
struct names *
build_names(const struct config *c, struct loop *l, const struct net_resolvers *machine);

/* What applications ask: the configuration's servers, else the machine's. */
struct dns *
build_dns(const struct config *c, struct loop *l, const struct net_resolvers *machine);

#endif
