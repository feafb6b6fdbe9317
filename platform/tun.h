/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_TUN_H
#define PLATFORM_TUN_H

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum {
	TUN_NAME = 16,
	TUN_ADDRS = 8,
	TUN_MTU_MIN = 1280,
	TUN_MTU_MAX = 65535,
	TUN_PACKET = 65535,
	TUN_QUEUE_MIN = 500,
	TUN_QUEUE_MAX = 10000
};

struct tun_config {
	char name[TUN_NAME]; /* "": the system chooses */
	int mtu;
	int queue; /* packets that may wait for the engine */
	struct cidr addrs[TUN_ADDRS];
	int naddrs;
};

/*
 * What the device says about a packet beside its bytes.  All zero: a plain
 * packet whose checksums are whole.
 */
struct offload {
	enum { OFFLOAD_NONE, OFFLOAD_TCP, OFFLOAD_UDP } gso;
	uint16_t segment;    /* payload bytes of each packet that this one stands for; 0
				without gso */
	uint16_t hdr_len;    /* bytes before the payload */
	uint16_t csum_start; /* where the transport header begins, when `partial` */
	bool partial; /* the transport checksum holds the pseudo-header's sum only */
	bool checked; /* somebody has verified it already */
};

/* The keeper's side. Creates the device (no addresses yet). A descriptor, non-blocking
 * and close-on-exec, or -1 and why. `name` gets the name that it has. */
int tun_open(const struct tun_config *c, char name[static TUN_NAME], struct err *e);

/* What a device may hand over undone. */
enum {
	TUN_SUMS = 1, /* transport checksums */
	TUN_TCP = 2,  /* the cutting into TCP segments of the right size */
	TUN_UDP = 4,  /* the same for datagrams */
};

/* The engine's side. Asks the device for as much offload as `wanted` names, and for less
 * where the system has not all of it. What it is from now on; 0: none. */
unsigned tun_offload(int fd, unsigned wanted);
/* The engine's side. Whether packets have nothing in front that tells of their offload,
 * as the kernel knows no such header: then `o` is NULL below, and all packets are plain. */
bool tun_is_bare(int fd);
/* The engine's side. One packet; its length, 0 for none that makes sense, -EAGAIN, or
 * -errno. */
ssize_t tun_read(int fd, void *p, size_t cap, struct offload *o);
/* 0, -EAGAIN or -ENOBUFS when the device is full, -errno. */
int tun_write(int fd, const struct iovec *v, int n, const struct offload *o);

#endif
