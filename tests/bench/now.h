/* SPDX-License-Identifier: MIT */
#ifndef SLUICE_BENCH_NOW_H
#define SLUICE_BENCH_NOW_H

#include <time.h>

/* Seconds of a clock that nobody sets. */
static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
