/* SPDX-License-Identifier: MIT */
#include "keeper/leftovers.h"

#include "keeper/keeper.h"
#include "keeper/state.h"
#include "keeper/status.h"
#include "platform/net.h"
#include "platform/priv.h"

#include <unistd.h>

/* Their device has gone with the engine. */
static void
connections_end(const struct journal *j)
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
	connections_end(j);
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
