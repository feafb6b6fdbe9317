/* SPDX-License-Identifier: MIT */
#include "keeper/signals.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const int ends[] = { SIGTERM, SIGINT, SIGQUIT };
static const int useless[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
	SIGPOLL, SIGXCPU };

enum { ENDS = sizeof ends / sizeof *ends, USELESS = sizeof useless / sizeof *useless };

/* The handler's way to the loop. */
static int wake[2] = { -1, -1 };
static volatile sig_atomic_t stop_wanted;
static volatile sig_atomic_t came[USELESS];

static void
on_signal(int signo)
{
	int saved = errno;

	for (size_t i = 0; i < ENDS; i++)
		if (signo == ends[i])
			stop_wanted++;
	for (size_t i = 0; i < USELESS; i++)
		if (signo == useless[i])
			came[i] = 1;
	(void)!write(wake[1], "", 1);
	errno = saved;
}

static void
signals_set(void (*how)(int), void (*broken_pipe)(int))
{
	struct sigaction act = { .sa_handler = how };

	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < ENDS; i++)
		sigaction(ends[i], &act, NULL);
	for (size_t i = 0; i < USELESS; i++)
		sigaction(useless[i], &act, NULL);
	sigaction(SIGCHLD, &act, NULL);
	act.sa_handler = broken_pipe;
	sigaction(SIGPIPE, &act, NULL);
}

int
signals_open(struct err *e)
{
	if (pipe(wake) == -1)
		return err_set(e, "pipe: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		(void)fcntl(wake[i], F_SETFD, FD_CLOEXEC);
		(void)fcntl(wake[i], F_SETFL, O_NONBLOCK);
	}
	stop_wanted = 0;
	signals_set(on_signal, SIG_IGN);
	return wake[0];
}

void
signals_default(void)
{
	signals_set(SIG_DFL, SIG_DFL);
}

void
signals_close(void)
{
	for (int i = 0; i < 2; i++) {
		if (wake[i] >= 0)
			close(wake[i]);
		wake[i] = -1;
	}
}

int
signals_read(void)
{
	char bytes[64];

	while (read(wake[0], bytes, sizeof bytes) > 0)
		;
	for (size_t i = 0; i < USELESS; i++) {
		if (!came[i])
			continue;
		came[i] = 0;
		if (useless[i] == SIGHUP)
			log_news(
				"SIGHUP changes nothing: the configuration is read at the "
				"start alone; for another one end sluice (SIGTERM) and start "
				"it again");
		else
			log_news("signal %d (%s) changes nothing; SIGTERM ends sluice",
				useless[i], strsignal(useless[i]));
	}
	return (int)stop_wanted;
}
