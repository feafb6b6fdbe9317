/* SPDX-License-Identifier: MIT */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * A ring holds the bytes that we owe to the application behind the TUN.  The
 * TCP/IP stack sends straight from it, so a byte leaves in two steps: "sent"
 * when the stack has been told of it, "done" when the application has
 * acknowledged it.
 */
struct ring {
	uint32_t cap;             /* a power of two */
	uint32_t put, sent, done; /* ever-growing, round; put >= sent >= done */
	uint8_t mem[];
};

enum { RING_CAP_MAX = 1 << 30 };

/* cap is rounded up to a power of two. NULL without memory, or above RING_CAP_MAX. */
struct ring *ring_new(size_t cap);
void ring_free(struct ring *r); /* NULL is fine */
/* The longest piece that can be written at once, at *p; 0 when full. */
size_t ring_room(struct ring *r, uint8_t **p);
void ring_put(struct ring *r, size_t n);
/* The longest piece that was put and not yet sent, at *p. */
size_t ring_unsent(struct ring *r, uint8_t **p);
void ring_sent(struct ring *r, size_t n);
void ring_done(struct ring *r, size_t n);
size_t ring_held(const struct ring *r); /* put - done */

#endif
