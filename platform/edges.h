/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_EDGES_H
#define PLATFORM_EDGES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Waiting for many descriptors, each of which is told to the kernel once: it
 * then says when the descriptor becomes readable or writable, and not that it
 * still is.  A descriptor that is closed is forgotten by itself only where
 * nobody else has it open.
 */
enum {
	EDGE_READ = 1,
	EDGE_WRITE = 2,
	EDGE_ENDED = 4,  /* the other side sends nothing more: it stays readable */
	EDGE_FAILED = 8, /* an error, or a hang-up both ways: it stays both */
};

struct edge {
	void *owner;
	unsigned events;
};

/* A descriptor that is readable while there are events, close-on-exec; or -errno. */
int edges_open(void);
/* `events` (EDGE_READ, EDGE_WRITE) of `fd`, from now on; what it is ready for already is an
 * event too. 0, or -errno: -EPERM for what is always ready (a regular file). */
int edges_add(int edges, int fd, void *owner, unsigned events);
/* The same for one that was added: these events from now on. */
int edges_change(int edges, int fd, void *owner, unsigned events);
/* The same for a descriptor that is reported for as long as it is readable. */
int edges_add_level(int edges, int fd, void *owner);
void edges_remove(int edges, int fd);
/* Waits at most `ms` (-1: for ever). How many of the `cap` there are. */
size_t edges_wait(int edges, struct edge *e, size_t cap, int64_t ms);

#endif
