/* SPDX-License-Identifier: MIT */
#include "keeper/leftovers.h"

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

int
leftovers_undo(struct journal *j, const char *state_dir, struct err *e)
{
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
	return undone + rescued;
}

int
keeper_recover(const char *state_dir, struct err *e)
{
	struct journal j;
	int lock, n;

	if (!priv_is_root())
		return err_set(e, "what was changed is root's: run this as root (sudo)");
	if (state_prepare(state_dir, e) < 0)
		return -1;
	lock = state_lock(state_dir, e);
	if (lock < 0)
		return -1;
	n = leftovers_undo(&j, state_dir, e);
	status_remove(state_dir);
	close(lock);
	if (n >= 0 && j.unread)
		return err_set(e,
			"%d lines of %s could not be read, and what they stand for was "
			"not put back; the file is kept as %s.damaged",
			j.unread, j.path, j.path);
	return n;
}
