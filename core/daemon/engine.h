/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_ENGINE_H
#define DAEMON_ENGINE_H

/*
 * The engine: everything that touches the network, in one process without
 * privileges, one thread, one loop.  It builds itself in order, each step from
 * those before, says that it is ready, runs until the keeper lets go of the
 * socket, and ends in reverse order.
 */
struct engine_options {
	const char *config_path; /* for messages; the keeper opens it */
	int level;               /* enum log_level, or -1: the configuration's */
};

/* How many descriptors it needs for as many flows as it can have. */
unsigned long engine_descriptors(void);
/* For keeper_config.engine; `options` is a struct engine_options. The exit status: 0, or
 * 1 when something that it was given is wrong (it has said what). */
int engine_run(int keeper, void *options);

#endif
