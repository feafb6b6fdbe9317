/* SPDX-License-Identifier: MIT */
#ifndef SIM_TEST_SCRIPT_H
#define SIM_TEST_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"

/* What ran, a letter each, in its order; some 250 at most, the others are dropped. */
void note(char letter);
/* The letters since the last call. */
const char *noted(void);

/* The scripted loop of the test that runs. */
extern struct loop *loop;

int loop_setup(void **state);
int loop_teardown(void **state);

/* The group of test_script_timer.c. */
int timer_tests(void);

#endif
