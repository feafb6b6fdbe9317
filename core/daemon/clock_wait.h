/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CLOCK_WAIT_H
#define DAEMON_CLOCK_WAIT_H

#include "outbound/times.h"

/*
 * For commands, which have nothing else to do: asks what this clock is worth and turns
 * the loop until that is known, or nobody is left to ask; at most for so many
 * milliseconds.  False: an answer may still come.  env->times may be NULL.
 */
bool clock_wait(const struct outbound_env *env, unsigned ms);

#endif
