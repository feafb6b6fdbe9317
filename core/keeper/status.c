/* SPDX-License-Identifier: MIT */
#include "keeper/status.h"

#include "base/log.h"
#include "platform/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { AGAIN_MS = 1000 };

int
status_path(char path[static STATUS_PATH], const char *state_dir)
{
	int n = snprintf(path, STATUS_PATH, "%s/status", state_dir);

	return n < 0 || n >= STATUS_PATH ? -ENAMETOOLONG : 0;
}

void
status_open(struct status *s, const char *state_dir)
{
	int r = status_path(s->path, state_dir);

	s->again = 0;
	if (r == 0 && unlink(s->path) == -1 && errno != ENOENT)
		r = -errno;
	s->fd = r == 0 ? sys_message_listen(s->path, STATUS_WAITING) : r;
	if (s->fd < 0)
		log_warn("%s/status: %s: `sluice status` will find nobody", state_dir,
			strerror(-s->fd));
}

void
status_shed(struct status *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void
status_close(struct status *s)
{
	if (s->fd >= 0)
		(void)unlink(s->path);
	status_shed(s);
}

void
status_remove(const char *state_dir)
{
	char path[STATUS_PATH];

	if (status_path(path, state_dir) == 0)
		(void)unlink(path);
}

bool
status_rests(const struct status *s)
{
	return s->again != 0 && sys_monotonic() < s->again;
}

/* The folder is closed to others already; this holds where somebody opened it. */
static bool
may_ask(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

void
status_answer(struct status *s, struct keeper_report *r, int engine, int list)
{
	uint8_t bytes[REPORT_MAX];
	uid_t uid;
	int fd = sys_message_accept(s->fd, &uid), both[2] = { fd, list };

	if (fd == -EAGAIN)
		return;
	if (fd < 0) {
		/* Without descriptors or memory it would be asked again at once. */
		s->again = sys_monotonic() + AGAIN_MS;
		return;
	}
	if (may_ask(uid)) {
		/* One who goes away before that is no trouble of ours; the engine, which
		 * takes nothing while it hangs, is not waited for. */
		r->asked = engine >= 0;
		(void)sys_message_send(fd, bytes, keeper_report_write(r, bytes), NULL, 0);
		if (engine >= 0)
			(void)sys_message_send(engine, "", 1, both, list >= 0 ? 2 : 1);
	}
	close(fd);
}
