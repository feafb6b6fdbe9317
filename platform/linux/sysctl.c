/* SPDX-License-Identifier: MIT */
#include "platform/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { SYSCTL_PATH = 256 };

/* net.ipv4.conf.eth0/100.x -> /proc/sys/net/ipv4/conf/eth0.100/x. The names are our own or
 * the journal's. */
static int
sysctl_path(char path[static SYSCTL_PATH], const char *name)
{
	static const char all[] = "/proc/sys/";
	char *p;
	int n;

	n = snprintf(path, SYSCTL_PATH, "%s%s", all, name);
	if (n < 0 || n >= SYSCTL_PATH)
		return -EINVAL;
	for (p = path + strlen(all); *p; p++) {
		if (*p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
	return strstr(path, "/../") ? -EINVAL : 0;
}

static int
sysctl_open(const char *name, int flags)
{
	char path[SYSCTL_PATH];
	int n = sysctl_path(path, name);

	if (n < 0)
		return n;
	n = open(path, flags | O_CLOEXEC);
	return n == -1 ? -errno : n;
}

int
net_sysctl_get(const char *name, char *value, size_t cap, struct err *e)
{
	ssize_t n;
	int fd;

	fd = sysctl_open(name, O_RDONLY);
	if (fd < 0)
		return err_set(e, "sysctl %s: %s", name, strerror(-fd));
	n = read(fd, value, cap - 1);
	if (n == -1)
		(void)err_set(e, "sysctl %s: %s", name, strerror(errno));
	close(fd);
	if (n == -1)
		return -1;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

int
net_sysctl_set(const char *name, const char *value, struct err *e)
{
	size_t len = strlen(value);
	int fd, why = 0;

	fd = sysctl_open(name, O_WRONLY);
	if (fd < 0)
		return err_set(e, "sysctl %s: %s", name, strerror(-fd));
	if (write(fd, value, len) != (ssize_t)len)
		why = errno;
	close(fd);
	if (why != 0)
		return err_set(e, "sysctl %s cannot be set to %s: %s", name, value,
			strerror(why));
	return 0;
}

int
net_sysctl_watch(const char *const *names, size_t n)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[SYSCTL_PATH];
	size_t i;

	if (fd == -1)
		return -errno;
	for (i = 0; i < n; i++)
		if (sysctl_path(path, names[i]) == 0)
			(void)inotify_add_watch(fd, path, IN_MODIFY);
	return fd;
}

void
net_sysctl_seen(int fd)
{
	_Alignas(struct inotify_event) char events[4096];

	while (read(fd, events, sizeof events) > 0)
		;
}
