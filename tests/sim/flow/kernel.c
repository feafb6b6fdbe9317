/* SPDX-License-Identifier: MIT */
#include "platform/direct.h"
#include "sim/flow/sides.h"

#include <errno.h>
#include <string.h>

/* The kernel, to which flows are handed back: it takes packets, and tells of ends. */

struct kernel kernel;

void
kernel_begin(void)
{
	memset(&kernel, 0, sizeof(kernel));
}

void
kernel_tells(const struct net_direct_end *end)
{
	kernel.end = *end;
	kernel.ended = true;
	script_ready(SIM_ENDS, WATCH_READ);
}

static bool
is_reset(const struct iovec *header)
{
	const uint8_t *p = header->iov_base;

	return header->iov_len >= 40 && p[9] == 6 && (p[33] & 4) != 0;
}

int
net_direct_send(int fd, const struct ip *to, const struct iovec *v, int n)
{
	size_t len = 0;

	assert_int_equal(fd, SIM_DIRECT4);
	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	if (kernel.mtu > 0 && len > (size_t)kernel.mtu)
		return -EMSGSIZE;
	if (kernel.answer == 0) {
		kernel.sent++;
		kernel.resets += is_reset(v);
		kernel.to = *to;
	}
	return kernel.answer;
}

int
net_direct_mtu(int fd, const struct ip *to)
{
	(void)to;
	assert_int_equal(fd, SIM_DIRECT4);
	return kernel.mtu;
}

int
net_direct_withdraw(int fd, enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	(void)network;
	assert_int_equal(fd, SIM_DIRECT4);
	assert_int_equal(source->ip.family, 4);
	assert_int_equal(target->ip.family, 4);
	if (kernel.withdraws == 0)
		kernel.withdrawn++;
	return kernel.withdraws;
}

int
net_direct_listed(
	int fd, void (*each)(const struct net_direct_end *, void *arg), void *arg)
{
	(void)fd;
	(void)each;
	(void)arg;
	return 0;
}

int
net_direct_ended(int fd, struct net_direct_end *end)
{
	assert_int_equal(fd, SIM_ENDS);
	if (!kernel.ended) {
		script_unready(SIM_ENDS, WATCH_READ);
		return -EAGAIN;
	}
	kernel.ended = false;
	*end = kernel.end;
	return 0;
}
