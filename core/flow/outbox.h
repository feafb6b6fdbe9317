/* SPDX-License-Identifier: MIT */
#ifndef FLOW_OUTBOX_H
#define FLOW_OUTBOX_H

#include "base/list.h"
#include "stream/packets.h"

/*
 * Datagrams that were read from the device at one go.  Those of one leg leave
 * together, by one call, when all has been read; those of different legs in the
 * order in which the legs' first ones came.
 */
enum {
	OUTBOX_MAX = DGRAM_BATCH,
	OUTBOX_COPIED = 1500, /* bytes; what is longer leaves by itself, uncopied */
};

struct leg;
struct flows;

/* A leg's part of it: numbers of its first and last datagram there. */
struct outbox_part {
	struct list node; /* in outbox.parts; alone: nothing of it is there */
	uint8_t first, last, n;
};

struct outbox {
	struct list parts;
	uint8_t (*bytes)[OUTBOX_COPIED]; /* owned */
	struct dgram_out post[OUTBOX_MAX];
	uint8_t next[OUTBOX_MAX]; /* of the same leg */
	int n;
};

/* 0, or -ENOMEM. */
int outbox_init(struct outbox *o);
void outbox_fini(struct outbox *o);
void outbox_part_init(struct outbox_part *part);
/* d has at most OUTBOX_COPIED bytes. False: it is full. */
bool outbox_put(struct outbox *o, struct outbox_part *part, const struct dgram_out *d);
/* Takes the part of the leg whose turn it is, or NULL. */
struct outbox_part *outbox_next(struct outbox *o);
/* Takes a part away: its datagrams, in their order, at `d`, OUTBOX_MAX of them at most.
 * How many. Their bytes last until something is put again. */
int outbox_take(struct outbox *o, struct outbox_part *part,
	struct dgram_out d[static OUTBOX_MAX]);

#endif
