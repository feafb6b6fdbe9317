/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_LEFTOVERS_H
#define KEEPER_LEFTOVERS_H

#include "base/err.h"
#include "keeper/journal.h"

/* Opens the journal and undoes what a killed keeper left. The number of changes undone, or
 * -1 and why. */
int leftovers_undo(struct journal *j, const char *state_dir, struct err *e);
/* Ends the TCP connections from the device's addresses, once the device has gone and before
 * anything is undone: while the routes still let nothing of them out. */
void leftovers_connections_end(const struct journal *j);

/* What is seen of sluice by whom nobody answers. */
enum leftovers {
	LEFTOVERS_NONE,
	LEFTOVERS_REMAIN, /* nobody has this machine's traffic; not all is put back */
	LEFTOVERS_RUNNING /* an instance runs; `dev` is its device */
};
enum leftovers leftovers_look(char dev[static TUN_NAME]);

#endif
