/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * tunfwd SPACE DEVICE SPACE DEVICE: a TUN device in either network namespace, and what
 * one gives is written to the other as it is. It is the yardstick for packets, as relay
 * is for bytes: what any program behind a TUN device could reach on this machine.
 */
enum { BATCH = 64, PACKET = 10 + 65536 }; /* with what the kernel says of it */

static int
device_new(const char *space, const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", space);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return -1;
	close(fd);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	/* 0x60: USO4 and USO6, since Linux 6.2. */
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 ||
		ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | 0x60) < 0)
		return -1;
	return fd;
}

static void
forward(int from, int to)
{
	static char packet[PACKET];
	ssize_t n;
	int i;

	for (i = 0; i < BATCH; i++) {
		n = read(from, packet, sizeof(packet));
		/* A device that is down takes nothing; so would a cable. */
		if (n <= 0 || write(to, packet, (size_t)n) < 0)
			return;
	}
}

int
main(int argc, char **argv)
{
	struct pollfd on[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int i;

	if (argc != 5)
		return 2;
	for (i = 0; i < 2; i++) {
		on[i].fd = device_new(argv[1 + 2 * i], argv[2 + 2 * i]);
		if (on[i].fd < 0) {
			perror(argv[2 + 2 * i]);
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(on, 2, -1);
		for (i = 0; i < 2; i++)
			if (on[i].revents)
				forward(on[i].fd, on[1 - i].fd);
	}
}
