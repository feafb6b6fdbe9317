/* SPDX-License-Identifier: MIT */
#ifndef INTEROP_ECHO_H
#define INTEROP_ECHO_H

#include "loop/loop.h"
#include "stream/stream.h"

#include <stdbool.h>

/* Bytes that are sent through a stream, and wanted back. */
struct echo {
	struct stream *s;
	struct loop *loop;
	struct task *task; /* made ready where a turn was too short */
	uint64_t bytes;    /* to be sent */
	uint64_t seed;     /* streams with different ones send different bytes */
	uint64_t sent, got;
	bool counts; /* what comes is not compared */
};

uint8_t echo_byte(const struct echo *e, uint64_t i); /* the i-th */

/* As much as goes now, in one turn at most, and a flush, whose answer it gives. */
int echo_send(struct echo *e);
/* The same for what has come: what recv_buf said last, or -EILSEQ for another byte. */
int echo_take(struct echo *e);

#endif
