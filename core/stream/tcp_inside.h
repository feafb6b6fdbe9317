/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TCP_INSIDE_H
#define STREAM_TCP_INSIDE_H

#include "stream/pace.h"
#include "stream/tcp.h"

/* What the files of the streams of TCP share. */

struct tcp_memory {
	struct budget budget;
	struct blocks blocks, large;
	struct pool streams; /* struct tcp */
	struct pool packets; /* of udp_open */
	struct pacer pacer;
	char text[128]; /* the last reason that was asked for */
};

/* A block with bytes that wait: at <= end <= TCP_BLOCK. mem is NULL while there are none.
 */
struct piece {
	uint8_t *mem;
	uint16_t at, end;
};

_Static_assert(TCP_BLOCK <= UINT16_MAX, "a piece counts in 16 bits");

/* There are many: each idle flow has one. */
struct tcp {
	struct stream s;
	struct tcp_memory *m;
	union {
		struct {
			struct piece in, out; /* owned */
		};
		struct deferred gone; /* from its free on */
	};
	struct watch w; /* and the descriptor, which is owned; below 0: none */
	struct block_wait wait;
	struct endpoint to; /* family 0: adopted */
	struct pace pace;
	int16_t error;  /* -errno: final */
	bool asked : 1; /* whether the SYN has failed at once */
	bool connected : 1;
	/* The SYN has waited for the first bytes; no answer was seen yet. */
	bool unproven : 1;
	bool dry : 1;   /* the kernel had no more to read, and has not said otherwise */
	bool ended : 1; /* the other side's FIN was read */
	bool shut : 1;  /* ours is out */
};

_Static_assert(sizeof(struct tcp) <= 168, "there are tens of thousands");

#endif
