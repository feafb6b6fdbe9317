/* SPDX-License-Identifier: MIT */
#ifndef FLOW_OUTBOX_H
#define FLOW_OUTBOX_H

#include "stream/packets.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Datagrams that were read from the device at one go.  Those of one leg leave
 * together, by one call, when all has been read; those of different legs in the
 * order in which the legs' first ones came.  A leg itself keeps a byte for it, its
 * place, which says which part of the outbox is the leg's, from 1 on; 0: none.
 */
enum {
	OUTBOX_MAX = DGRAM_BATCH,
	OUTBOX_COPIED = 1500, /* bytes; what is longer leaves by itself, uncopied */
};

_Static_assert(OUTBOX_MAX < UINT8_MAX, "places are bytes");

struct leg;
struct flows;

struct outbox_part {
	uint8_t *place;      /* its leg's; NULL: it was taken */
	uint8_t first, last; /* numbers of datagrams */
	uint8_t n;
};

struct outbox {
	uint8_t (*bytes)[OUTBOX_COPIED]; /* owned */
	struct dgram_out post[OUTBOX_MAX];
	uint8_t next[OUTBOX_MAX];            /* of the same part */
	struct outbox_part part[OUTBOX_MAX]; /* in the order in which they leave */
	uint8_t n, nparts;
	uint8_t gone; /* of the parts, from the first on, those that were taken */
};

/* 0, or -ENOMEM. */
int outbox_init(struct outbox *o);
void outbox_fini(struct outbox *o);
/* d has at most OUTBOX_COPIED bytes. False: it is full. */
bool outbox_put(struct outbox *o, uint8_t *place, const struct dgram_out *d);
/* The place whose turn it is, or NULL. */
uint8_t *outbox_next(struct outbox *o);
/* Takes a part away: its datagrams, in their order, at `d`, OUTBOX_MAX of them at most.
 * How many. Their bytes last until something is put again. */
int outbox_take(struct outbox *o, uint8_t *place, struct dgram_out d[static OUTBOX_MAX]);
/* The part of this place, if it has one, does not leave: how many datagrams. */
int outbox_drop(struct outbox *o, uint8_t *place);

#endif
