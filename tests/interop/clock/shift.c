/* SPDX-License-Identifier: MIT */
/* Preloaded, it moves the time of day of one process by CLOCK_SHIFT seconds. The clocks
 * that do not tell the time of day are as they were. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t
shift(void)
{
	const char *s = getenv("CLOCK_SHIFT");

	return s ? (time_t)strtol(s, NULL, 10) : 0;
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	long r = syscall(SYS_clock_gettime, clock, t);

	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		t->tv_sec += shift();
	return (int)r;
}

int
gettimeofday(struct timeval *t, void *zone)
{
	struct timespec now;
	int r = clock_gettime(CLOCK_REALTIME, &now);

	(void)zone;
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return r;
}

time_t
time(time_t *t)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
