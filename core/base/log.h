/* SPDX-License-Identifier: MIT */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The logger: one line a message to a descriptor that the daemon chose
 * (standard error until then).  The line is built in one buffer and leaves in
 * one write, alone or with others, so that two processes may share the descriptor.  A message names
 * things for people; it never holds an id, a key or a payload.
 *
 * This is one of the few mutable globals: its level and its descriptor.
 */
enum log_level { LOG_NONE, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* `who` (borrowed for ever, "keeper" or "engine"; may be NULL) stands in every line. */
void log_open(int fd, enum log_level level, const char *who);
bool log_wants(enum log_level level);
/*
 * From now on lines below a warning may wait for log_flush, and leave together:
 * a line for each flow would cost it a system call.  False: no longer.
 */
void log_gather(bool gathers);
void log_flush(void);
bool log_level_parse(enum log_level *level,
	const char *s); /* Xray's names: debug info warning error none */

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What whoever started the program waits for ("ready"): said at every level but none. */
void log_news(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what a stranger can repeat: at most one message in `every` milliseconds;
 * the next one that passes says how many were left out.  Zero-initialise, set
 * `every`.  `now` is loop_now(), in milliseconds.
 */
struct log_limit {
	uint64_t every;
	uint64_t last;
	unsigned long left_out;
	bool used;
};

void log_limited(struct log_limit *limit, uint64_t now, enum log_level level,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
