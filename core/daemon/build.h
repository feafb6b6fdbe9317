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

/*
 * Rules and outbounds, as flows hold them.  Takes `rules`, also when it fails, and
 * the loaded list of sniffing out of `c`.  The caller holds one count.  Strings of
 * `c` are borrowed: the configuration must outlive the last setup_drop.  NULL and
 * why.
 */
struct setup *build_setup(struct config *c, struct rules *rules,
	const struct outbound_env *env, struct err *e);

enum { BUILD_LINE = 1024 };
/* An interface that an outbound is bound to may come later; until then all that it carries
 * fails.  True: it is not there, and the line says so. */
bool
build_interface_lacks(const struct outbound_spec *spec, char line[static BUILD_LINE]);

/*
 * The time servers of the configuration, which must outlive them, into env->times; and
 * whether headers may have their time.  Nobody is asked before times_open.  -1: no memory.
 */
int build_times(const struct config *c, struct outbound_env *env);

/* The bootstrap resolver: hosts of the configuration, and the machine's resolvers. */
struct names *
build_names(const struct config *c, struct loop *l, const struct net_resolvers *machine);

/*
 * What applications ask: the configuration's servers, else the machine's.  Those of
 * the machine that are private or on its link are local; one line says so where the
 * rules of `s` would lead all else into a tunnel.
 */
struct dns *build_dns(const struct config *c, struct loop *l,
	const struct net_resolvers *machine, const struct setup *s);

#endif
