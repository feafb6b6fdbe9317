/* SPDX-License-Identifier: MIT */
/* Preloaded, it makes of this kernel's TUN one that lacks what TUN_LACKS names, and all
 * that came after it: "uso", "tso", "sums" or "headers". */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { UDP_L4 = 5 };

static bool
lacks(const char *what)
{
	const char *s = getenv("TUN_LACKS");

	return s && strcmp(s, what) == 0;
}

static bool
refuses(unsigned long what, unsigned long arg)
{
	if (what == TUNSETIFF && lacks("headers"))
		return ((const struct ifreq *)arg)->ifr_flags & IFF_VNET_HDR;
	if (what != TUNSETOFFLOAD)
		return false;
	if (lacks("uso"))
		return arg & ~(unsigned long)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	if (lacks("tso"))
		return arg & ~(unsigned long)TUN_F_CSUM;
	return lacks("headers") || (lacks("sums") && arg != 0);
}

int
ioctl(int fd, unsigned long what, ...)
{
	unsigned long arg;
	va_list v;
	long r;

	va_start(v, what);
	arg = va_arg(v, unsigned long);
	va_end(v);
	if (refuses(what, arg)) {
		errno = EINVAL;
		return -1;
	}
	r = syscall(SYS_ioctl, fd, what, arg);
	if (r == 0 && what == TUNGETFEATURES && lacks("headers"))
		*(unsigned *)arg &= ~(unsigned)IFF_VNET_HDR;
	return (int)r;
}

/* Whoever cannot cut datagrams does not know of such packets either. */
ssize_t
writev(int fd, const struct iovec *v, int n)
{
	const struct virtio_net_hdr *h = v->iov_base;

	if (getenv("TUN_LACKS") && *getenv("TUN_LACKS") && v->iov_len == sizeof *h &&
		h->gso_type == UDP_L4) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_writev, fd, v, n);
}
