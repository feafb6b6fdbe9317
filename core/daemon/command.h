/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_COMMAND_H
#define DAEMON_COMMAND_H

#include "base/err.h"
#include "daemon/config.h"
#include "daemon/data_files.h"

#include <stddef.h>

/*
 * The words after `sluice`.  Each gets its own arguments with its name at
 * argv[0], and returns the exit status: 0 success, 1 for what was found wrong,
 * 2 for usage.
 */
int command_run(int argc, char **argv);
int command_recover(int argc, char **argv);
int command_status(int argc, char **argv);
int command_connect(int argc, char **argv);
int command_check(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_test(int argc, char **argv);
int command_geo(int argc, char **argv);
int command_import(int argc, char **argv);
int command_export(int argc, char **argv);
int command_uuid(int argc, char **argv);
int command_version(int argc, char **argv);
int command_help(int argc, char **argv);

enum { STATUS_OK = 0, STATUS_WRONG = 1, STATUS_USAGE = 2 };

/* Where --state names no other folder. */
extern const char command_state_dir[];

/* After getopt's own sentence about an option: where all of them are named. Returns
 * STATUS_USAGE. */
int command_usage(const char *command);
/* Takes the file that -c names. STATUS_OK, or STATUS_USAGE for a second one, which is said:
 * none of them is dropped in silence. */
int command_file_take(const char **file, const char *word);
/* Takes the folder of --data, if it is one. STATUS_OK, or STATUS_USAGE and it is said. */
int command_data_take(const char **dir, const char *word);

/* A configuration as the commands without a keeper have it: read, its warnings printed
 * to standard error and counted, its rules loaded from the files of this machine. */
struct command_setup {
	struct config *config;
	struct rules *rules;
	struct data_files files;
	unsigned warnings;
	bool every_error; /* set by the caller: all are printed but the last, which is told */
	bool silent;      /* set by the caller: no warnings are printed */
	/* Set by the caller: another place for data files, or NULL. */
	const char *data_dir;
};

/* `path` "-" is standard input. 0, or -1 and why; then there is nothing to free. */
int command_setup_load(struct command_setup *s, const char *path, struct err *e);
void command_setup_fini(struct command_setup *s);
/* A line about what was loaded, printed and counted as the configuration's are. */
void command_setup_warn(struct command_setup *s, const char *line);

#endif
