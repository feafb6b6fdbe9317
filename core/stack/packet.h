/* SPDX-License-Identifier: MIT */
#ifndef STACK_PACKET_H
#define STACK_PACKET_H

#include "base/addr.h"
#include "platform/tun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Packets as they come from a stranger, taken apart.  What passes here is well
 * formed: every length lies inside the packet, addresses are such that two
 * hosts can talk by them, and checksums hold where the device has not vouched
 * for them.  Pointers point into the packet and live as long as it does.
 */

/* Protocol numbers (IANA) that this room speaks. */
enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };

/* Header sizes in bytes, without options. */
enum {
	IP4_HEADER = 20,
	IP6_HEADER = 40,
	IP6_FRAGMENT = 8,
	TCP_HEADER = 20,
	TCP_HEADER_MAX = 60,
	TCP_STAMP = 12, /* the option of timestamps, padded (RFC 7323 appendix A) */
	UDP_HEADER = 8,
	ICMP_HEADER = 8,
};

struct packet {
	struct ip source, target;
	uint8_t proto; /* of what p begins with */
	bool verified; /* nobody needs to check the transport checksum */
	bool part;     /* a fragment, of which id, offset (bytes) and more tell */
	bool more;
	bool uncut; /* nobody may make fragments of it, and it is none */
	uint16_t offset;
	uint32_t id;
	const uint8_t *p; /* after the last IP header */
	size_t len;
};

/* 0; -EBADMSG: malformed; -EPROTONOSUPPORT: sound, but nobody here takes it. */
int packet_read(struct packet *k, const uint8_t *p, size_t len, const struct offload *o);

/* The sum over the pseudo header (RFC 9293 3.1, RFC 8200 8.1) of `len` bytes, unfolded. */
uint32_t packet_pseudo(
	const struct ip *source, const struct ip *target, uint8_t proto, size_t len);

struct segment {
	struct endpoint app, target;
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	const uint8_t *options;
	size_t optlen;
	const uint8_t *p; /* payload */
	size_t len;
};

enum {
	SEGMENT_FIN = 1,
	SEGMENT_SYN = 2,
	SEGMENT_RST = 4,
	SEGMENT_PSH = 8,
	SEGMENT_ACK = 16,
	SEGMENT_URG = 32,
};

/* A whole TCP segment with flags that make sense. 0 or -EBADMSG. */
int segment_read(struct segment *g, const struct packet *k);
/* How many sequence numbers it takes. */
uint32_t segment_span(const struct segment *g);

/* The options of a SYN that we take; the others are passed over. */
struct syn_options {
	uint16_t mss; /* 0: not given */
	int scale;    /* -1: not given; at most 14 */
	bool sack;
	bool stamped;
	uint32_t stamp; /* TSval (RFC 7323 3.2), where it is `stamped` */
};

void syn_options_read(struct syn_options *o, const uint8_t *p, size_t len);
/* The TSval of any segment. False: it has none. */
bool segment_stamp(const struct segment *g, uint32_t *stamp);

struct datagram {
	struct endpoint app, target;
	const uint8_t *p;
	size_t len;
};

/* A whole UDP datagram. 0 or -EBADMSG. */
int datagram_read(struct datagram *d, const struct packet *k);

struct ping {
	uint16_t id, seq;
	const uint8_t *p;
	size_t len;
};

/* An echo request. 0; -EBADMSG; -EPROTONOSUPPORT: another ICMP message. */
int ping_read(struct ping *g, const struct packet *k);

/* A packet on its way was longer than `mtu` bytes (RFC 4443 3.2). Of a segment the ports
 * and the sequence number are known, too. */
struct too_big {
	struct endpoint from, to;
	uint32_t mtu, seq;
	uint8_t proto;
};

/* Of ICMPv6: the packet had come from k's target. 0; -EBADMSG; -EPROTONOSUPPORT: another
 * message. */
int too_big_read(struct too_big *t, const struct packet *k);

#endif
