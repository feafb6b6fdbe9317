/* SPDX-License-Identifier: MIT */
#ifndef LINK_PIECE_H
#define LINK_PIECE_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKET = 65536 + 64 }; /* the longest one, with its headers */

/*
 * A packet as a TUN device with IFF_VNET_HDR gives it: one, or many in a row that differ
 * in what a network card would count on by itself. On a wire it is `segments` packets.
 */
struct packet {
	struct virtio_net_hdr h;
	uint8_t b[PACKET];
};

/* How many packets `len` bytes are on the wire; 1 for all that is not such a row. */
size_t packet_segments(const struct packet *p, size_t len);

/* How many bytes the segments [from, to) are on the wire, IP headers and all. */
size_t packet_wire(const struct packet *p, size_t len, size_t from, size_t to);

/*
 * Makes `to` the segments [from, end) of `p`: the same headers with length, number,
 * flags and sums of this part. Returns its length.
 */
size_t packet_cut(
	struct packet *to, const struct packet *p, size_t len, size_t from, size_t end);

#endif
