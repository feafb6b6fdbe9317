/* SPDX-License-Identifier: MIT */
#ifndef LINK_LINE_H
#define LINK_LINE_H

#include "piece.h"

#include <stdbool.h>

/* How a line is; the same for both directions. */
struct line_spec {
	uint64_t delay; /* ns, one way */
	double loss;    /* the share of packets on the wire that do not arrive */
	double rate;    /* bytes a ns; 0: as fast as it goes */
	uint64_t queue; /* bytes that may wait for a line of a rate */
	uint64_t seed;
};

/* What became of the packets; in packets on the wire where nothing else is said. */
struct line_counts {
	uint64_t reads;   /* of the device: rows of packets */
	uint64_t packets; /* that came */
	uint64_t bytes;
	uint64_t lost;    /* by `loss` */
	uint64_t dropped; /* the queue was full */
	uint64_t overrun; /* the memory for what is under way was full: a fault of ours */
	uint64_t refused; /* the other device would not have it: it was down */
	uint64_t left;    /* arrived */
	uint64_t late_sum, late_max, late_n; /* ns after their time, by rows */
};

/*
 * One direction: what came in, each with the time when it comes out, in the order of
 * these times. The memory is that of the delay times the rate, at most LINE_BYTES.
 */
struct line {
	struct line_spec spec;
	struct line_counts n;
	uint8_t *mem;         /* owned, for the life of the program */
	size_t put, got, end; /* a ring of records; `end`: where the upper part ends */
	uint64_t free_at;     /* when the line has sent what waits for it */
	uint64_t until_loss;  /* packets that arrive before the next that does not */
	uint64_t random;
};

enum { LINE_BYTES = 256 << 20 };

/* 0, or -1 without memory. */
int line_init(struct line *l, const struct line_spec *spec, uint64_t salt);

/* Room for a packet to be read into; NULL: there is none, and line_overrun counts it. */
struct packet *line_room(struct line *l);

/* A packet of `len` bytes has come, and lies in line_room. */
void line_take(struct line *l, struct packet *p, size_t len, uint64_t now);

void line_overrun(struct line *l, const struct packet *p, size_t len);

/* When the next one is due, in ns; UINT64_MAX: nothing is under way. */
uint64_t line_due(const struct line *l);

/* The next one, which line_leave then takes out. Valid while line_due is not UINT64_MAX. */
struct packet *line_first(struct line *l, size_t *len);
void line_leave(struct line *l, uint64_t now, bool arrived);

#endif
