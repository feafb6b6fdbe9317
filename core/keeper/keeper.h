/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "base/err.h"

/*
 * Root's half.  It forks the engine before anything foreign is read, does what
 * the engine asks for by the table of requests, writes every change of the
 * system into the journal before it makes it, undoes all of them at the end,
 * and starts a dead engine again while the device stays and holds the packets.
 * It parses nothing that came from the network and nothing of the
 * configuration.
 */
struct keeper_config {
	const char *version;       /* of the program, for who asks how things are */
	const char *config_path;   /* of `-c`, opened by the keeper for the engine */
	const char *data_dir;      /* where geosite.dat and databases are by default */
	const char *state_dir;     /* "/run/sluice": journal, lock */
	unsigned long descriptors; /* that the engine wants to have; 0: what there are */
	/* The engine: runs in the child, without privileges, with the socket to the
	 * keeper. What it returns is its exit status. */
	int (*engine)(int keeper, void *arg);
	void *arg;
};

/*
 * Runs until SIGTERM, SIGINT or SIGQUIT (0, with everything undone; the status of an engine that
 * found something wrong with itself at its end; or 1, with everything undone as well, when
 * the engine had to be killed: a second signal does that at once), or until an engine ends
 * before any was ready (its status). Returns in the keeper's process, and as well in the
 * child, once the engine has returned, with its status: the caller then ends as always.
 * The caller must not have read anything foreign, nor have started a thread.
 */
int keeper_run(const struct keeper_config *c);

/* Undoes what a killed keeper left (class `session`). The number of entries undone, or -1
 * and why (a live instance holds the lock, not root, lines that could not be read). */
int keeper_recover(const char *state_dir, struct err *e);

/* Where data files are looked for after the configuration's own folder and data_dir,
 * ended by NULL; the same in every command. */
extern const char *const keeper_data_dirs[];

#endif
