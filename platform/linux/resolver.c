/* SPDX-License-Identifier: MIT */
#include "platform/net.h"

#include "platform/posix/resolvconf.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Two ways to be asked by applications.  Where resolv.conf leads to the stub
 * of systemd-resolved, and that runs, it is told that every name is a matter of
 * our device (`resolved DEV` is the plan); otherwise resolv.conf is replaced.
 * That resolved merely runs is not enough: applications that read resolv.conf
 * would go on asking whoever stands there.
 */
enum { RESOLVECTL_WAIT = 5000 /* ms */ };

static const char conf[] = "/etc/resolv.conf", folder[] = "/etc";
static const char uplinks[] = "/run/systemd/resolve/resolv.conf";

int
resolvconf_exchange(const char *a, const char *b)
{
	char third[256];

	if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* A file system that cannot: there is a moment without `a`. */
	if ((size_t)snprintf(third, sizeof third, "%s.old", b) >= sizeof third)
		return -ENAMETOOLONG;
	if (rename(a, third) == -1)
		return -errno;
	if (rename(b, a) == -1 || rename(third, b) == -1)
		return -errno;
	return 0;
}

bool
resolvconf_is_mounted(const char *path)
{
	char line[1024], at[512];
	bool found = false;
	FILE *f;

	f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof line, f)) {
		/* proc(5): the fifth field is the mount point. */
		if (sscanf(line, "%*s %*s %*s %*s %511s", at) == 1)
			found = strcmp(at, path) == 0;
	}
	fclose(f);
	return found;
}

static bool
is_stub(const struct net_resolvers *r)
{
	int i;

	for (i = 0; i < r->n; i++) {
		const uint8_t *b = r->at[i].ip.b;

		if (r->at[i].ip.family != 4 || b[0] != 127 || b[1] != 0 || b[2] != 0 ||
			(b[3] != 53 && b[3] != 54))
			return false;
	}
	return r->n > 0;
}

static const char *
resolvectl_path(void)
{
	if (access("/usr/bin/resolvectl", X_OK) == 0)
		return "/usr/bin/resolvectl";
	return access("/bin/resolvectl", X_OK) == 0 ? "/bin/resolvectl" : NULL;
}

static bool
resolved_runs(void)
{
	const char *argv[] = { resolvectl_path(), "dns", NULL };
	struct net_resolvers now;
	struct err unused;

	if (!argv[0] || access("/run/systemd/resolve", F_OK) == -1)
		return false;
	if (resolvconf_read(conf, &now) < 0 || !is_stub(&now))
		return false;
	return sys_run(argv, NULL, RESOLVECTL_WAIT, &unused) == 0;
}

/* Behind the stub of systemd-resolved are those that it asks.  Somebody else may listen at
 * such an address too, and is asked there. */
int
net_resolver_read(struct net_resolvers *r)
{
	int error = resolvconf_read(conf, r);
	struct net_resolvers behind;

	if (error == 0 && is_stub(r) && resolvconf_read(uplinks, &behind) == 0 &&
		behind.n > 0)
		*r = behind;
	return error;
}

int
net_resolver_plan(
	const char *dev, const char *state_dir, char plan[static NET_PLAN], struct err *e)
{
	if (!resolved_runs())
		return resolvconf_plan(conf, state_dir, plan, e);
	snprintf(plan, NET_PLAN, "resolved %.15s", dev);
	return 0;
}

static const char *
resolved_device(const char *plan)
{
	return strncmp(plan, "resolved ", 9) == 0 ? plan + 9 : NULL;
}

static int
resolved_take(const char *dev, const struct ip *servers, int n, struct err *e)
{
	char text[NET_RESOLVERS][IP_TEXT];
	const char *dns[NET_RESOLVERS + 4] = { resolvectl_path(), "dns", dev };
	const char *domain[] = { resolvectl_path(), "domain", dev, "~.", NULL };
	const char *route[] = { resolvectl_path(), "default-route", dev, "yes", NULL };
	int i;

	if (n < 1 || n > NET_RESOLVERS || !dns[0])
		return err_set(e, "resolver: %d servers", n);
	for (i = 0; i < n; i++)
		dns[3 + i] = ip_format(&servers[i], text[i]);
	if (sys_run(dns, NULL, RESOLVECTL_WAIT, e) != 0 ||
		sys_run(domain, NULL, RESOLVECTL_WAIT, e) != 0 ||
		sys_run(route, NULL, RESOLVECTL_WAIT, e) != 0)
		return -1;
	return 0;
}

int
net_resolver_take(const char *plan, const struct ip *servers, int n, struct err *e)
{
	const char *dev = resolved_device(plan);

	if (dev)
		return resolved_take(dev, servers, n, e);
	return resolvconf_take(plan, servers, n, e);
}

int
net_resolver_restore(const char *plan, struct err *e)
{
	const char *dev = resolved_device(plan);
	const char *argv[] = { resolvectl_path(), "revert", dev, NULL };
	char path[64];

	if (!dev)
		return resolvconf_restore(plan, e);
	/* It forgets by itself what it knew of a device that is gone. */
	snprintf(path, sizeof path, "/sys/class/net/%.15s", dev);
	if (!argv[0] || access(path, F_OK) == -1)
		return 0;
	return sys_run(argv, NULL, RESOLVECTL_WAIT, e) == 0 ? 0 : -1;
}

int
net_resolver_rescue(struct err *e)
{
	return resolvconf_rescue(conf, e);
}

bool
net_resolver_is_ours(void)
{
	return resolvconf_is_ours(conf);
}

int
net_resolver_watch(void)
{
	const uint32_t put = IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
	int r, fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd == -1)
		return -errno;
	/* The folder, since most write another file and give it the name; where this one is
	 * a mount, it alone. */
	if (inotify_add_watch(fd, folder, put | IN_CLOSE_WRITE) != -1 &&
		(!resolvconf_is_mounted(conf) ||
			inotify_add_watch(fd, conf, IN_CLOSE_WRITE) != -1))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

void
net_resolver_seen(int fd)
{
	_Alignas(struct inotify_event) char events[4096];

	while (read(fd, events, sizeof events) > 0)
		;
}
