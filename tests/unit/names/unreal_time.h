/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNREAL_TIME_H
#define TESTS_UNREAL_TIME_H

/*
 * A backend of the loop with real sockets and unreal time: where no socket is
 * ready, the clock jumps to the next timer.  Loopback delivers while it sends,
 * so what was sent is always there before time passes, and no test waits.
 */

/* Called before the sockets are looked at; the test's servers work there. */
extern void (*unreal_time_serve)(void);

#endif
