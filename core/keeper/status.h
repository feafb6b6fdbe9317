/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_STATUS_H
#define KEEPER_STATUS_H

#include "base/err.h"
#include "keeper/report.h"

/*
 * Where `sluice status` asks: a socket in the state folder.  To connect is the
 * whole question; nothing is read from who asks.  The keeper answers with what
 * it knows, gives the connection to the engine, which does the same and closes
 * it, and forgets it: it never waits for either, and nobody has a place in it
 * that others could want.
 */
enum { STATUS_PATH = 256, STATUS_WAITING = 16 /* who may wait to be answered */ };

struct status {
	char path[STATUS_PATH];
	int fd;         /* listens; -1: nobody can ask */
	uint64_t again; /* ms; where it failed, it is not asked before */
};

/* With the lock held, so whatever is at the place was left by a killed instance, and is
 * removed.  Where it fails a warning says so, and nobody can ask. */
void status_open(struct status *s, const char *state_dir);
/* In a process that is not the keeper. */
void status_shed(struct status *s);
void status_close(struct status *s);
/* What a killed keeper left, removed. */
void status_remove(const char *state_dir);

/* It failed, and is not to be listened to for a moment. */
bool status_rests(const struct status *s);
/* Answers somebody who has connected, if there is one. `engine` is the channel of an
 * engine that is ready, or -1; r->asked is set here.  `list` (net_direct_list; -1: none) is
 * for the engine, and stays the caller's. */
void status_answer(struct status *s, struct keeper_report *r, int engine, int list);

/* 0, or -ENAMETOOLONG. */
int status_path(char path[static STATUS_PATH], const char *state_dir);

/* The asking side. */
enum asked {
	ASKED_WHOLE,  /* both reports */
	ASKED_SILENT, /* the keeper's; the engine did not answer in time */
	ASKED_PART,   /* the keeper's, which says why there is no more */
	ASKED_NOBODY, /* no sluice runs with this state folder */
	ASKED_FAILED, /* it could not be asked, and why */
};

struct status_patience {
	int keeper, engine; /* ms */
};

enum asked status_ask(const char *state_dir, const struct status_patience *p,
	struct keeper_report *k, struct engine_report *g, struct err *e);

#endif
