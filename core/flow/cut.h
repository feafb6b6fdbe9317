/* SPDX-License-Identifier: MIT */
#ifndef FLOW_CUT_H
#define FLOW_CUT_H

#include "stack/stack.h"

/*
 * A packet of the device's as the packets that it stands for: cut where the
 * device left the cutting to us, with checksums where it left those.  Each is a
 * header and a piece of the payload, in v[0] and v[1].
 */
enum {
	CUT_HEADER = 40 + 256 + 60
}; /* bytes: IPv6 with some extensions, TCP with options */

struct cut {
	const struct stack_packet *whole; /* borrowed */
	enum network network;
	size_t header, segment; /* bytes */
	size_t done;            /* payload so far */
	size_t len, left;       /* payload of the last one, and not in a fragment yet */
	unsigned n;             /* packets so far */
	uint8_t mem[CUT_HEADER];
	struct iovec v[2];
};

/* `k` is sound, as the stack's are. False: its headers are too long. */
bool cut_begin(struct cut *c, const struct stack_packet *k, enum network network);
/* The next one is in c->v. False: there is none. */
bool cut_next(struct cut *c);
/* The last one is too long for its way: it and what is behind it once more, in packets of
 * at most `max` bytes. False: that cannot be, since it is no TCP, a SYN, or short enough. */
bool cut_again(struct cut *c, size_t max);
/* The same of a datagram of IPv4 that may be cut: its next fragment is in c->v, whose
 * length and checksum the system writes.  One without a number gets the next after *id, by
 * which its fragments find together and others do not (RFC 791, 3.2).  False: that cannot
 * be, or there is none left. */
bool cut_fragment(struct cut *c, size_t max, uint16_t *id);
/* Instead of a segment, after cut_begin: a reset with its number and nothing else is in
 * c->v. */
void cut_reset(struct cut *c);

#endif
