/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_STDIO_STREAM_H
#define DAEMON_STDIO_STREAM_H

#include "loop/loop.h"
#include "stream/stream.h"

/*
 * Standard input and standard output as one stream, for `sluice connect`: what
 * is read from `in` is what comes, what is sent goes to `out`.  Both are made
 * non-blocking for the stream's life and put back as they were; they stay open.
 * shut closes nothing: standard output ends with the program.
 */
struct stream *stdio_stream_new(struct loop *l, int in, int out, struct task *owner);

#endif
