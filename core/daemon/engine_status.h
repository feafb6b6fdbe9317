/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_ENGINE_STATUS_H
#define DAEMON_ENGINE_STATUS_H

#include "daemon/config.h"
#include "flow/flow.h"
#include "keeper/report.h"
#include "loop/loop.h"
#include "stream/tcp.h"

/* What the engine tells of itself. All is borrowed. */
struct engine_status {
	const struct loop *loop;
	const struct config *config;
	const struct setup *setup; /* made of `config`: the outbounds in its order */
	struct flows *flows;
	struct tcp_memory *memory;
	struct direct_report direct[2]; /* IPv4, IPv6 */
};

/* Why sluice carries the direct flows of an outbound itself, for what the configuration
 * says, also where the kernel carries others; NULL: it does not, or has none. */
const char *engine_status_kept(const struct setup *s, const struct outbound *o);
void engine_status_fill(const struct engine_status *s, struct engine_report *r);
/* Sends it to who asked, who is not waited for, and closes that; `list` (of flows_see)
 * too. */
void engine_status_tell(const struct engine_status *s, int client, int list);

#endif
