/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_WAY_H
#define UNIT_STREAM_WAY_H

#include "stream/packets.h"

/* A way out that takes `room` datagrams, one by one, and then says `answer`. */
struct way {
	struct packets k;
	int room, answer;
	uint16_t port; /* that all are for */
	char sent[64];
	size_t n;
};

extern const struct packets_ops way_ops; /* of k */

#endif
