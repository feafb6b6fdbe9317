/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STATUS_PRINT_H
#define DAEMON_STATUS_PRINT_H

#include "keeper/report.h"

/* What was heard of a running sluice. */
struct status_heard {
	struct keeper_report keeper;
	struct engine_report engine;
	bool whole;  /* the engine's is there */
	bool silent; /* it did not come in time */
};

/* How it is, in a word that stands in --json: "running", "starting", "restarting",
 * "ending", "not answering". */
const char *status_state(const struct status_heard *s);
/* For people. */
void status_print(const struct status_heard *s);
/* For programs; the keys are in the command's help. */
void status_print_json(const struct status_heard *s);
/* The same where there is nothing to tell: a state alone, and why. */
void status_print_json_state(const char *state, const char *why);

#endif
