/* SPDX-License-Identifier: MIT */
#include "keeper/status.h"

#include "platform/sys.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* The next message, waited for. Its length, 0 at the end, -ETIMEDOUT or -errno. */
static ssize_t
message_wait(int fd, uint8_t p[static REPORT_MAX], int patience)
{
	uint64_t now = sys_monotonic(), until = now + (uint64_t)patience;
	struct pollfd one = { .fd = fd, .events = POLLIN };

	for (; now < until; now = sys_monotonic())
		if (poll(&one, 1, (int)(until - now)) > 0)
			return sys_message_recv(fd, p, REPORT_MAX, NULL, NULL);
	return -ETIMEDOUT;
}

static enum asked
failed(struct err *e, const char *state_dir, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED) {
		err_set(e, "sluice does not run (nobody answers in %s)", state_dir);
		return ASKED_NOBODY;
	}
	if (error == -EACCES || error == -EPERM)
		err_set(e, "%s is root's: ask as root (sudo sluice status)", state_dir);
	else if (error == -ETIMEDOUT || error == -EAGAIN)
		err_set(e,
			"sluice runs, but its keeper does not answer: it may be changing "
			"the system, ask again; if that lasts, stop it, and see its log");
	else
		err_set(e, "%s/status: %s", state_dir, strerror(-error));
	return ASKED_FAILED;
}

/* A descriptor, or -errno. Only root, or ourselves, may tell us anything. */
static int
open_there(const char *state_dir)
{
	char path[STATUS_PATH];
	int fd = status_path(path, state_dir);
	uid_t uid = (uid_t)-1;

	if (fd == 0)
		fd = sys_message_connect(path, &uid);
	if (fd < 0 || uid == 0 || uid == geteuid())
		return fd;
	close(fd);
	return -EPERM;
}

static enum asked
keeper_hear(int fd, const char *state_dir, int patience, struct keeper_report *k,
	struct err *e)
{
	uint8_t bytes[REPORT_MAX];
	ssize_t n = message_wait(fd, bytes, patience);
	int r;

	/* It would not have us, or has just ended. */
	if (n == 0 || n == -ECONNRESET)
		n = geteuid() != 0 ? -EPERM : -ECONNREFUSED;
	if (n < 0)
		return failed(e, state_dir, (int)n);
	r = keeper_report_read(k, bytes, (size_t)n);
	if (r == 0)
		return ASKED_WHOLE;
	if (r == -EPROTO && k->version[0])
		err_set(e,
			"sluice runs, but as another version (%s), which this program "
			"does not understand: ask with that one, or start sluice again",
			k->version);
	else
		err_set(e, "%s/status: what answers there is not sluice", state_dir);
	return ASKED_FAILED;
}

static enum asked
engine_hear(int fd, int patience, struct engine_report *g)
{
	uint8_t bytes[REPORT_MAX];
	ssize_t n = message_wait(fd, bytes, patience);

	if (n == -ETIMEDOUT)
		return ASKED_SILENT;
	if (n <= 0 || engine_report_read(g, bytes, (size_t)n) < 0)
		return ASKED_PART;
	return ASKED_WHOLE;
}

enum asked
status_ask(const char *state_dir, const struct status_patience *p,
	struct keeper_report *k, struct engine_report *g, struct err *e)
{
	int fd = open_there(state_dir);
	enum asked found;

	if (fd < 0)
		return failed(e, state_dir, fd);
	found = keeper_hear(fd, state_dir, p->keeper, k, e);
	if (found == ASKED_WHOLE)
		found = engine_hear(fd, p->engine, g);
	close(fd);
	return found;
}
