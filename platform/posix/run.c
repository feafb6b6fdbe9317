/* SPDX-License-Identifier: MIT */
#include "platform/sys.h"

#include "base/log.h"
#include "platform/posix/sys_os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SAID_MAX = 400, /* bytes of a program's output that are worth a sentence */
	REAP_SOON = 8,  /* looks, a millisecond apart: what closed its output has
			   nearly ended */
	REAP_EVERY = 5, /* ms; from then on */
	NOT_RUN = 127,  /* the exit status that shells use for it as well */
};

/* One program while it runs. */
struct run {
	const char *name;
	pid_t pid;
	int in, out; /* our ends: to its standard input, from its output; -1 once closed */
	const char *input;
	size_t left; /* of input */
	char said[SAID_MAX];
	size_t nsaid;
	uint64_t deadline;
};

static void
end_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* In the child; nothing but async-signal-safe calls, and it does not return. */
static void
child_exec(const char *const *argv, int in, int out)
{
	static char *const environment[] = {
		(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)"LC_ALL=C",
		NULL,
	};
	sigset_t none;

	/* Out of reach of the terminal's Ctrl-C: a half-made change helps nobody. */
	(void)setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || dup2(out, 2) == -1)
		_exit(NOT_RUN);
	sys_os_close_from(3);
	execve(argv[0], (char *const *)argv, environment);
	_exit(NOT_RUN);
}

/* A pipe whose two ends are neither 0, 1 nor 2, so that dup2 in the child is safe. */
static int
pipe_open(int fd[2])
{
	int i, high;

	if (pipe(fd) == -1)
		return -errno;
	for (i = 0; i < 2; i++) {
		high = fcntl(fd[i], F_DUPFD_CLOEXEC, 3);
		close(fd[i]);
		fd[i] = high;
	}
	if (fd[0] >= 0 && fd[1] >= 0)
		return 0;
	end_close(&fd[0]);
	end_close(&fd[1]);
	return -EMFILE;
}

static int
run_start(struct run *r, const char *const *argv)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, why;

	why = pipe_open(in);
	if (why == 0)
		why = pipe_open(out);
	if (why == 0) {
		r->pid = fork();
		if (r->pid == 0)
			child_exec(argv, in[0], out[1]);
		if (r->pid == -1)
			why = -errno;
	}
	end_close(&in[0]);
	end_close(&out[1]);
	if (why < 0) {
		end_close(&in[1]);
		end_close(&out[0]);
		return why;
	}
	r->in = in[1];
	r->out = out[0];
	(void)fcntl(r->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(r->out, F_SETFL, O_NONBLOCK);
	return 0;
}

static int
run_left(const struct run *r)
{
	uint64_t now = sys_monotonic();

	return now >= r->deadline ? 0 : (int)(r->deadline - now);
}

static void
run_feed(struct run *r)
{
	ssize_t n = 0;

	if (r->left > 0)
		n = write(r->in, r->input, r->left);
	if (n > 0) {
		r->input += n;
		r->left -= (size_t)n;
	}
	if (r->left == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		end_close(&r->in);
}

static void
run_listen(struct run *r)
{
	char more[1024];
	size_t room = sizeof r->said - r->nsaid;
	ssize_t n;

	n = read(r->out, more, sizeof more);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		end_close(&r->out);
	if (n <= 0)
		return;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(r->said + r->nsaid, more, room);
	r->nsaid += room;
}

/* Until it closes its output, or time is up. */
static void
run_talk(struct run *r)
{
	int left;

	while (r->out >= 0 && (left = run_left(r)) > 0) {
		struct pollfd p[2] = {
			{ .fd = r->out, .events = POLLIN },
			{ .fd = r->in, .events = POLLOUT },
		};

		if (poll(p, 2, left) <= 0)
			continue;
		if (p[1].revents)
			run_feed(r);
		if (p[0].revents)
			run_listen(r);
	}
}

/* Its exit status; killed when time is up. False when it had to be killed. */
static bool
run_reap(struct run *r, int *status)
{
	pid_t got;

	for (int looks = 0;; looks++) {
		got = waitpid(r->pid, status, WNOHANG);
		if (got == r->pid)
			return true;
		if (got == -1 && errno != EINTR)
			return false;
		if (run_left(r) == 0)
			break;
		(void)poll(NULL, 0, looks < REAP_SOON ? 1 : REAP_EVERY);
	}
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, status, 0) == -1 && errno == EINTR)
		;
	return false;
}

/* What it said on one line, without what a terminal would act on. */
static const char *
run_said(struct run *r, char line[static SAID_MAX + 1])
{
	size_t i, n = 0;

	while (r->nsaid > 0 && (unsigned char)r->said[r->nsaid - 1] <= ' ')
		r->nsaid--;
	for (i = 0; i < r->nsaid; i++)
		line[n++] = (unsigned char)r->said[i] < ' ' ? ' ' : r->said[i];
	line[n] = '\0';
	return line;
}

int
sys_run(const char *const *argv, const char *input, int timeout_ms, struct err *e)
{
	struct run r = { .name = argv[0], .in = -1, .out = -1, .input = input };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;
	char line[SAID_MAX + 1];
	uint64_t began = sys_monotonic();
	int status = 0, why;
	bool ended;

	r.left = input ? strlen(input) : 0;
	r.deadline = began + (uint64_t)timeout_ms;
	why = run_start(&r, argv);
	if (why < 0)
		return err_set(e, "%s cannot be run: %s", r.name, strerror(-why));
	if (r.left == 0)
		end_close(&r.in);
	/* It need not read what it is given. */
	sigaction(SIGPIPE, &ignore, &before);
	run_talk(&r);
	sigaction(SIGPIPE, &before, NULL);
	end_close(&r.in);
	end_close(&r.out);
	ended = run_reap(&r, &status);
	log_debug("%s took %u ms", r.name, (unsigned)(sys_monotonic() - began));
	if (!ended)
		return err_set(e, "%s did not end within %d s and was stopped", r.name,
			(timeout_ms + 999) / 1000);
	if (!WIFEXITED(status))
		return err_set(e, "%s was ended by signal %d", r.name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		(void)err_set(e, "%s failed (exit status %d): %s", r.name,
			WEXITSTATUS(status), run_said(&r, line));
	return WEXITSTATUS(status);
}
