/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_JOURNAL_H
#define KEEPER_JOURNAL_H

#include "keeper/change.h"

/*
 * What was changed on the system and how to undo it, in the file
 * `state_dir`/journal: one line each, oldest first, each line on the disk
 * before its change is made.  The file is replaced as a whole every time, so
 * that no moment leaves half a line; it is gone when it would be empty.
 */
enum { JOURNAL_MAX = 64, JOURNAL_PATH = 256 };

struct journal {
	char path[JOURNAL_PATH];
	struct change change[JOURNAL_MAX];
	int n;
	int unread; /* lines that were not understood */
};

/* Reads what is there. Lines that are not understood are left out, with an error in the
 * log: the others are worth undoing; the whole file is then kept as `journal.damaged`
 * beside it, for people. 0, or -1 and why. */
int journal_open(struct journal *j, const char *state_dir, struct err *e);
/* Writes a change down before it is made. 0, or -1 and why: it must not be made then. */
int journal_add(struct journal *j, const struct change *c, struct err *e);
/* The newest entry was not made after all. */
void journal_drop(struct journal *j);
/* Undoes the entries of class `session` from the newest down to number `from`, and goes on
 * after a failure, which is logged; that entry stays. How many were undone. */
int journal_undo(struct journal *j, int from);
/* Entry i alone, whatever was changed after it. False: it stays, which is logged. */
bool journal_undo_one(struct journal *j, int i);
/* Whether the last journal_undo left something of the session. */
bool journal_has_session(const struct journal *j);

#endif
