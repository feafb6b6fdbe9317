/* SPDX-License-Identifier: MIT */
#include "platform/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	TUN_IOV = 64,         /* pieces that a packet to be written may come in */
	TCP_CSUM_OFFSET = 16, /* RFC 9293 section 3.1 */
	UDP_CSUM_OFFSET = 6,  /* RFC 768 */
	GSO_UDP_L4 =
		5, /* of the virtio specification; headers before Linux 6.2 lack it */
};

static int
open_error(struct err *e)
{
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return err_set(e,
			"/dev/net/tun: no such device; load the kernel module "
			"`tun` (modprobe tun), or give this container the device");
	if (errno == EACCES || errno == EPERM)
		return err_set(e, "/dev/net/tun: not allowed; run as root");
	return err_set(e, "/dev/net/tun: %s", strerror(errno));
}

static int
create_error(const char *name, struct err *e)
{
	if (errno == EBUSY)
		return err_set(e,
			"TUN %s: an interface of this name exists already; end the program "
			"that it belongs to, or choose another name",
			name);
	if (errno == EPERM)
		return err_set(e,
			"TUN %s: not allowed: it takes root with the capability "
			"CAP_NET_ADMIN (containers often have none)",
			name);
	if (errno == ENOTTY)
		return err_set(e,
			"TUN %s: /dev/net/tun is not the device that it should be "
			"(mknod /dev/net/tun c 10 200)",
			name);
	return err_set(e, "TUN %s: %s", name, strerror(errno));
}

/* IFF_VNET_HDR, where this kernel has it. */
static short
headers_of(int fd)
{
	unsigned features = 0;

	return ioctl(fd, TUNGETFEATURES, &features) == 0
		? (short)(features & IFF_VNET_HDR)
		: 0;
}

int
tun_open(const struct tun_config *c, char name[static TUN_NAME], struct err *e)
{
	const char *wanted = c->name[0] != '\0' ? c->name : "tun%d";
	struct ifreq ifr;
	short headers;
	int fd;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return open_error(e);
	headers = headers_of(fd);
	memset(&ifr, 0, sizeof ifr);
	memcpy(ifr.ifr_name, wanted, strnlen(wanted, TUN_NAME - 1));
	/* Exclusive: a device that somebody made persistent is theirs. */
	ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL | headers);
	if (ioctl(fd, TUNSETIFF, &ifr) == -1) {
		(void)create_error(wanted, e);
		goto fail;
	}
	/* The kernel completes checksums and cuts segments until tun_offload. */
	if (headers && ioctl(fd, TUNSETOFFLOAD, 0ul) == -1) {
		(void)err_set(e, "TUN %s: offload: %s", ifr.ifr_name, strerror(errno));
		goto fail;
	}
	memcpy(name, ifr.ifr_name, TUN_NAME);
	name[TUN_NAME - 1] = '\0';
	return fd;
fail:
	close(fd);
	return -1;
}

/* Linux 6.2; headers before it lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

bool
tun_is_bare(int fd)
{
	struct ifreq ifr = { 0 };

	return ioctl(fd, TUNGETIFF, &ifr) == 0 && !(ifr.ifr_flags & IFF_VNET_HDR);
}

unsigned
tun_offload(int fd, unsigned wanted)
{
	/* The kernel takes no segmentation without checksums. */
	static const struct {
		unsigned what;
		unsigned long asked;
	} steps[] = {
		{ TUN_SUMS | TUN_TCP | TUN_UDP,
			TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6 },
		{ TUN_SUMS | TUN_TCP, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 },
		{ TUN_SUMS, TUN_F_CSUM },
		{ 0, 0 },
	};

	/* It would be without a word of what is undone. */
	if (tun_is_bare(fd))
		return 0;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if ((steps[i].what & ~wanted) == 0 &&
			ioctl(fd, TUNSETOFFLOAD, steps[i].asked) == 0)
			return steps[i].what;
	return 0;
}

/* What the kernel said about a packet, in our words. False for what was never asked
 * for: nobody here can cut up UDP fragments. */
static bool
offload_get(struct offload *o, const struct virtio_net_hdr *h)
{
	memset(o, 0, sizeof *o);
	o->partial = (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	o->checked = (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0;
	if (o->partial)
		o->csum_start = h->csum_start;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		o->gso = OFFLOAD_TCP;
		break;
	case GSO_UDP_L4:
		o->gso = OFFLOAD_UDP;
		break;
	default:
		return false;
	}
	o->segment = h->gso_size;
	o->hdr_len = h->hdr_len;
	return o->segment > 0;
}

ssize_t
tun_read(int fd, void *p, size_t cap, struct offload *o)
{
	struct virtio_net_hdr h;
	struct iovec v[2] = { { &h, sizeof h }, { p, cap } };
	ssize_t n;

	n = o ? readv(fd, v, 2) : read(fd, p, cap);
	if (n == -1)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!o)
		return n;
	if (n <= (ssize_t)sizeof h || !offload_get(o, &h))
		return 0;
	return n - (ssize_t)sizeof h;
}

/* Where in its header the transport protocol of the packet keeps its checksum; -1: not
 * known. Packets of ours have no IPv6 extension headers before TCP and UDP. */
static int
csum_offset(const struct iovec *v, int n, const struct offload *o)
{
	const uint8_t *p = v->iov_base;
	int protocol = -1;

	if (o->gso == OFFLOAD_TCP)
		return TCP_CSUM_OFFSET;
	if (o->gso == OFFLOAD_UDP)
		return UDP_CSUM_OFFSET;
	if (n > 0 && v->iov_len >= 20 && p[0] >> 4 == 4)
		protocol = p[9];
	else if (n > 0 && v->iov_len >= 40 && p[0] >> 4 == 6)
		protocol = p[6];
	if (protocol == IPPROTO_TCP)
		return TCP_CSUM_OFFSET;
	return protocol == IPPROTO_UDP ? UDP_CSUM_OFFSET : -1;
}

static uint8_t
gso_type(const struct iovec *v, const struct offload *o)
{
	const uint8_t *p = v->iov_base;

	switch (o->gso) {
	case OFFLOAD_NONE:
		break;
	case OFFLOAD_UDP:
		return GSO_UDP_L4;
	case OFFLOAD_TCP:
		return p[0] >> 4 == 6 ? VIRTIO_NET_HDR_GSO_TCPV6
				      : VIRTIO_NET_HDR_GSO_TCPV4;
	}
	return VIRTIO_NET_HDR_GSO_NONE;
}

/* The same the other way. 0, or -EINVAL for what cannot be said to the kernel. */
static int
offload_put(
	struct virtio_net_hdr *h, const struct iovec *v, int n, const struct offload *o)
{
	int offset;

	memset(h, 0, sizeof *h);
	if (o->gso != OFFLOAD_NONE && (!o->partial || o->segment == 0))
		return -EINVAL; /* each segment gets a checksum of its own */
	if (o->partial) {
		offset = csum_offset(v, n, o);
		if (offset < 0)
			return -EINVAL;
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = o->csum_start;
		h->csum_offset = (uint16_t)offset;
	} else if (o->checked) {
		h->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	h->gso_type = gso_type(v, o);
	if (o->gso != OFFLOAD_NONE) {
		h->gso_size = o->segment;
		h->hdr_len = o->hdr_len;
	}
	return 0;
}

static int
written(ssize_t n)
{
	if (n == -1)
		return errno == EINTR ? -EAGAIN : -errno;
	return 0;
}

int
tun_write(int fd, const struct iovec *v, int n, const struct offload *o)
{
	struct virtio_net_hdr h;
	struct iovec all[TUN_IOV + 1];
	int r;

	if (n < 1 || n > TUN_IOV || v->iov_len < 1)
		return -EINVAL;
	if (!o)
		return written(writev(fd, v, n));
	r = offload_put(&h, v, n, o);
	if (r < 0)
		return r;
	all[0].iov_base = &h;
	all[0].iov_len = sizeof h;
	memcpy(all + 1, v, (size_t)n * sizeof *v);
	return written(writev(fd, all, n + 1));
}
