/* SPDX-License-Identifier: MIT */
#include "keeper/leftovers.h"

#include "base/log.h"
#include "keeper/keeper.h"
#include "keeper/serve.h"
#include "keeper/state.h"
#include "keeper/status.h"
#include "platform/claim.h"
#include "platform/net.h"
#include "platform/priv.h"
#include "platform/sys.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
	DEVICE_WAIT = 5000, /* ms; a killed engine's device goes with it, */
	DEVICE_LOOK = 20,   /* and is looked for so often */
};

/* Nothing is undone under an instance that runs, whatever journal it has.  Only the device
 * of one that was killed is waited for, as this journal shows. */
static int
others_refuse(const struct journal *j, const char *state_dir, struct err *e)
{
	uint64_t until = sys_monotonic();
	char dev[TUN_NAME];
	int r;

	if (j->n > 0 || j->unread > 0)
		until += DEVICE_WAIT;
	while ((r = net_claim_find(OUR_TABLE, dev)) == 1 && sys_monotonic() < until)
		(void)poll(NULL, 0, DEVICE_LOOK);
	if (r == 0)
		return 0;
	if (r < 0)
		return err_set(
			e, "the network devices cannot be listed: %s", strerror(-r));
	return err_set(e,
		"another instance of sluice runs already (device %s) with another --state "
		"than %s; end it first, only one at a time can have this machine's traffic",
		dev, state_dir);
}

void
leftovers_connections_end(const struct journal *j)
{
	for (int i = 0; i < j->n; i++)
		if (j->change[i].kind == CHANGE_ADDRESS)
			net_connections_end(&j->change[i].u.address.cidr.ip);
}

/* What no journal here knows of, and no instance that runs: one had another --state and was
 * killed, or its journal is lost.  How many parts, or -1 and why. */
static int
remains_undo(const char *state_dir, struct err *e)
{
	struct net_routes routes = {
		.mark = OUR_MARK, .table = OUR_TABLE, .pref = OUR_RULES
	};
	unsigned found = net_remains_find(&routes);
	bool walled = (found & NET_REMAINS_FIREWALL) != 0;
	bool routed = (found & NET_REMAINS_ROUTES) != 0;

	if (found == 0)
		return 0;
	log_warn(
		"a sluice of which %s knows nothing was killed, with another --state it may "
		"be: its firewall, routes and rules are removed as they are known by their "
		"names and numbers; its settings (net.ipv4.conf.all.src_valid_mark, "
		"net.ipv4.tcp_fwmark_accept) only `sluice recover` with that --state puts "
		"back",
		state_dir);
	if (walled &&
		(net_direct_del(4, OUR_KEPT, e) < 0 ||
			net_direct_del(6, OUR_KEPT, e) < 0))
		return -1;
	if (routed && net_routes_del(&routes, e) < 0)
		return -1;
	if (walled && net_firewall_del(e) < 0)
		return -1;
	return walled + routed;
}

int
leftovers_undo(struct journal *j, const char *state_dir, struct err *e)
{
	int remains;
	int undone, rescued;

	if (journal_open(j, state_dir, e) < 0)
		return -1;
	if (others_refuse(j, state_dir, e) < 0)
		return -1;
	leftovers_connections_end(j);
	undone = journal_undo(j, 0);
	rescued = net_resolver_rescue(e);
	if (rescued < 0)
		return -1;
	if (journal_has_session(j))
		return err_set(e,
			"not everything that an earlier instance left could be undone; "
			"what remains is in %s",
			j->path);
	remains = remains_undo(state_dir, e);
	return remains < 0 ? -1 : undone + rescued + remains;
}

enum leftovers
leftovers_look(char dev[static TUN_NAME])
{
	struct net_routes routes = { .mark = OUR_MARK, .pref = OUR_RULES };

	if (net_claim_find(OUR_TABLE, dev) == 1)
		return LEFTOVERS_RUNNING;
	return net_resolver_is_ours() || net_remains_find(&routes) != 0 ? LEFTOVERS_REMAIN
									: LEFTOVERS_NONE;
}

int
keeper_recover(const char *state_dir, struct err *e)
{
	struct journal j;
	int lock = -1, n;

	if (!priv_is_root())
		return err_set(e, "what was changed is root's: run this as root (sudo)");
	/* One that is not there holds nothing, and is not made for that. */
	if (access(state_dir, F_OK) == 0) {
		if (state_prepare(state_dir, e) < 0)
			return -1;
		lock = state_lock(state_dir, e);
		if (lock < 0)
			return -1;
	}
	n = leftovers_undo(&j, state_dir, e);
	status_remove(state_dir);
	if (lock >= 0)
		close(lock);
	if (n >= 0 && j.unread)
		return err_set(e,
			"%d lines of %s could not be read, and what they stand for was "
			"not put back; the file is kept as %s.damaged",
			j.unread, j.path, j.path);
	return n;
}
