/* SPDX-License-Identifier: MIT */
#include "now.h"
#include "place.h"

#include <errno.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

/*
 * One stream of bytes, for a server that takes or makes as many as anybody likes; writes
 * one line of JSON.
 *
 *	bulk up ADDRESS PORT SECONDS      writes; what was acknowledged counts
 *	bulk down ADDRESS PORT SECONDS    sends a byte, and reads
 */
enum { PIECE = 256 * 1024, PATIENCE = 10 };

static uint8_t piece[PIECE];

/* Less than 0: it is broken, or stands still. */
static double
up(int fd, double end)
{
	double bytes = 0;
	int waiting;
	ssize_t n;

	while (now() < end) {
		n = send(fd, piece, sizeof(piece), 0);
		if (n < 0)
			return -1;
		bytes += (double)n;
	}
	return ioctl(fd, SIOCOUTQ, &waiting) < 0 ? -1 : bytes - waiting;
}

static double
down(int fd, double end)
{
	double bytes = 0;
	ssize_t n;

	while (now() < end) {
		n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0)
			return -1;
		bytes += (double)n;
	}
	return bytes;
}

int
main(int argc, char **argv)
{
	struct timeval patience = { .tv_sec = PATIENCE };
	double began, bytes;
	int fd;

	if (argc != 5)
		return 2;
	at_set(argv[2], argv[3]);
	signal(SIGPIPE, SIG_IGN);
	fd = socket(at.any.sa_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	/* Whoever makes bytes begins with this one; it is there before they count. */
	if (connect(fd, &at.any, at_len) || send(fd, piece, 1, 0) != 1) {
		fprintf(stderr, "bulk: %s\n", strerror(errno));
		return 1;
	}
	began = now();
	bytes = (strcmp(argv[1], "up") == 0 ? up : down)(fd, began + atof(argv[4]));
	if (bytes < 0) {
		fprintf(stderr, "bulk: broken, or nothing in %d s\n", PATIENCE);
		return 1;
	}
	printf("{\"bytes\": %.0f, \"gbit_s\": %.4f}\n", bytes,
		bytes * 8e-9 / (now() - began));
	return 0;
}
