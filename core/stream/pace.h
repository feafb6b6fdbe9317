/* SPDX-License-Identifier: MIT */
#ifndef STREAM_PACE_H
#define STREAM_PACE_H

#include "loop/loop.h"

/*
 * A download that comes in many small pieces, as from servers that send a record for
 * each 2 KB, would cost for every one of them a wake-up, a packet to the application and
 * its acknowledgement.  Who reads so fast, and has nothing to say meanwhile, waits for no
 * answer: such a stream is steady, and is woken once there are PACE_LOW_WATER bytes, or
 * after one to two milliseconds.  What is slower than PACE_RATE is not, nor is any
 * conversation.
 */
enum {
	PACE_LOW_WATER = 128 * 1024, /* bytes */
	PACE_PROOF = 256 * 1024,     /* that come before a stream counts as steady */
	PACE_PIECE = 16 * 1024,      /* what comes in more at a time needs no pace */
	PACE_RATE = 16 * 1024,       /* bytes a millisecond */
	PACE_TICK = 2,               /* ms, of which the clock may have passed one */
	PACE_MOST = 64,              /* streams at a time; others go without */
};

/* Of one stream; zero at first. */
struct pace {
	uint16_t units;  /* of 64 bytes, since `since` */
	uint16_t since;  /* ms, the low bits */
	uint8_t pieces;  /* the socket was empty again so often */
	bool steady : 1; /* woken at PACE_LOW_WATER */
	bool held : 1;   /* in the pacer's list */
};

/* n bytes were read. */
void pace_read(struct pace *p, size_t n);
/* The socket is empty: whether it is a steady one's, by what has come until now. */
bool pace_is_steady(struct pace *p, uint64_t now);
/* Something was sent: what comes next may be its answer. */
void pace_restart(struct pace *p);

/* The steady streams of a loop which wait. Zero at first. */
struct pacer {
	struct timer tick;
	struct {
		struct pace *pace;
		struct watch *watch;
	} held[PACE_MOST];
	size_t count;
};

/* Makes the owner of w, which wants to read, ask the kernel at the next tick.  False: there
 * is no room.  Until then, or pacer_leave, both stay where they are. */
bool pacer_hold(struct pacer *r, struct pace *p, struct watch *w);
void pacer_leave(struct pacer *r, struct pace *p);

#endif
