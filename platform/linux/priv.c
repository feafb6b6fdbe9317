/* SPDX-License-Identifier: MIT */
#include "platform/priv.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The range that systemd uses for dynamic users; it belongs to no package's accounts. */
enum { DYNAMIC_FIRST = 61184, DYNAMIC_LAST = 65519 };

int
priv_is_root(void)
{
	return geteuid() == 0;
}

/* The ids of a process, from /proc/PID/status: its owner by stat() would be root for one
 * that is not dumpable, as our engines are. */
static bool
process_has(const char *pid, unsigned long uid)
{
	char path[64], line[256];
	unsigned long ids[4];
	bool has = false;
	FILE *f;

	if (pid[0] < '0' || pid[0] > '9')
		return false;
	snprintf(path, sizeof path, "/proc/%.20s/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false; /* it has ended */
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "Uid: %lu %lu %lu %lu", &ids[0], &ids[1], &ids[2],
			    &ids[3]) != 4)
			continue;
		has = ids[0] == uid || ids[1] == uid || ids[2] == uid || ids[3] == uid;
		break;
	}
	fclose(f);
	return has;
}

static bool
is_running(uid_t uid)
{
	struct dirent *d;
	bool found = false;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return false;
	while (!found && (d = readdir(dir)) != NULL)
		found = process_has(d->d_name, uid);
	closedir(dir);
	return found;
}

int
priv_engine_ids(uid_t *uid, gid_t *gid, struct err *e)
{
	const struct passwd *account;
	unsigned id;

	account = getpwnam("sluice");
	if (account && (account->pw_uid == 0 || account->pw_gid == 0))
		return err_set(e,
			"the account `sluice` must not be root: give it a uid and gid of its own");
	if (account) {
		*uid = account->pw_uid;
		*gid = account->pw_gid;
		return 0;
	}
	for (id = DYNAMIC_FIRST; id <= DYNAMIC_LAST; id++) {
		if (getpwuid(id) || getgrgid(id) || is_running(id))
			continue;
		*uid = id;
		*gid = id;
		return 0;
	}
	return err_set(e,
		"there is no account `sluice`, and no uid from %d to %d is free",
		DYNAMIC_FIRST, DYNAMIC_LAST);
}

int
priv_open_as(uid_t uid, gid_t gid, const char *path)
{
	gid_t groups[NGROUPS_MAX], own = getegid();
	uid_t self = geteuid();
	int n, fd;

	n = getgroups(NGROUPS_MAX, groups);
	if (n == -1)
		return -errno;
	if (setgroups(0, NULL) == -1)
		return -errno;
	fd = setegid(gid) == -1 || seteuid(uid) == -1
		? -1
		: open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	fd = fd == -1 ? -errno : fd;
	/* A keeper that cannot become itself again must not go on as somebody else. */
	if (seteuid(self) == -1 || setegid(own) == -1 ||
		setgroups((size_t)n, groups) == -1)
		abort();
	return fd;
}

/* What the kernel says that we still hold. */
static int
verify(uid_t uid, gid_t gid, struct err *e)
{
	uid_t ids[3];
	gid_t gids[3];

	if (getresuid(&ids[0], &ids[1], &ids[2]) == -1 ||
		getresgid(&gids[0], &gids[1], &gids[2]) == -1 || ids[0] != uid ||
		ids[1] != uid || ids[2] != uid || gids[0] != gid || gids[1] != gid ||
		gids[2] != gid || getgroups(0, NULL) != 0)
		return err_set(e, "the engine could not change to uid %u", (unsigned)uid);
	if (setresuid((uid_t)-1, 0, (uid_t)-1) != -1)
		return err_set(e, "the engine could become root again");
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() == -1 ||
		capng_have_capabilities(CAPNG_SELECT_ALL) != CAPNG_NONE)
		return err_set(e, "the engine still has capabilities");
	return 0;
}

int
priv_drop(uid_t uid, gid_t gid, struct err *e)
{
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1)
		return err_set(e, "gid %u: %s", (unsigned)gid, strerror(errno));
	/* The bounding set goes while we still may; the others then go with the uid. */
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return err_set(e, "the capability bounding set cannot be cleared: %s",
			strerror(errno));
	if (setresuid(uid, uid, uid) == -1)
		return err_set(e, "uid %u: %s", (unsigned)uid, strerror(errno));
	if (capng_apply(CAPNG_SELECT_CAPS) < 0 || capng_apply(CAPNG_SELECT_AMBIENT) < 0)
		return err_set(
			e, "the capabilities cannot be cleared: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return err_set(e, "no-new-privs: %s", strerror(errno));
	return verify(uid, gid, e);
}

int
priv_die_with(pid_t parent, struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		return err_set(e, "the engine cannot be tied to its keeper: %s",
			strerror(errno));
	/* It may have died before we asked. */
	if (getppid() != parent)
		return err_set(e, "the keeper has ended");
	return 0;
}
