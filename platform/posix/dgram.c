/* SPDX-License-Identifier: MIT */
#include "platform/posix/dgram_each.h"

#include "platform/sock.h"

#include <errno.h>

/* One of them, each of its segments by a call of its own. 0, or -errno: d is what has not
 * gone. */
static int
send_one(int fd, struct dgram_out *d)
{
	size_t most = d->segment > 0 ? d->segment : d->len, at = 0, len;
	ssize_t r;

	do {
		len = d->len - at < most ? d->len - at : most;
		r = sock_send_to(fd, &d->to, d->p + at, len);
		if (r < 0) {
			d->p += at;
			d->len -= at;
			return (int)r;
		}
		at += len;
	} while (at < d->len);
	return 0;
}

int
dgram_send_each(int fd, struct dgram_out *d, int n)
{
	int i, r;

	for (i = 0; i < n; i++) {
		r = send_one(fd, &d[i]);
		if (r < 0)
			return i > 0 ? i : r;
	}
	return n;
}

int
dgram_recv_each(int fd, struct dgram_in *d, int n)
{
	ssize_t r;
	int i;

	for (i = 0; i < n; i++) {
		r = sock_recv_from(fd, &d[i].from, d[i].p, d[i].cap);
		if (r < 0)
			return i > 0 ? i : (int)r;
		d[i].len = (size_t)r;
		d[i].segment = 0;
	}
	return n;
}
