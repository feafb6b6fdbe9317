/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TCP_H
#define STREAM_TCP_H

#include "base/addr.h"
#include "loop/loop.h"
#include "platform/sock.h"
#include "stream/blocks.h"
#include "stream/stream.h"

/*
 * The bottom of most pipes: a TCP connection of the kernel.  Memory for bytes in
 * flight is taken from the blocks that all streams of a loop share (struct
 * tcp_memory) and goes back in park when nothing is held, so an idle connection
 * costs its struct and the kernel's socket.  What is sent through windows is
 * gathered until flush, or until a block is full.
 */
struct tcp_memory; /* one a loop */

struct tcp_memory *tcp_memory_new(void);
/* At most so many bytes for all that connections hold, 4 MB at least; beyond, streams wait
 * for each other, and new ones are not made. */
void tcp_memory_limit(struct tcp_memory *m, size_t bytes);
/* What these blocks draw on, for others who hold memory of connections. */
struct budget *tcp_memory_budget(struct tcp_memory *m);
/* Bytes that are in use for the structs of sockets, which the budget does not know of. */
size_t tcp_memory_structs(const struct tcp_memory *m);
/* For udp_open. */
struct pool *tcp_memory_packets(struct tcp_memory *m);
/* All streams that used it are gone by then, and so is their loop, which frees them late.
 * Logs an error when a block is missing. */
void tcp_memory_free(struct tcp_memory *m);

/*
 * The same memory for the layers above: blocks of TCP_BLOCK bytes for what is in
 * flight, and a few of TCP_LARGE bytes for a record that does not fit in one.
 */
enum { TCP_BLOCK = 33 * 1024, TCP_LARGE = 64 * 1024 };

struct blocks *tcp_memory_blocks(struct tcp_memory *m);
struct blocks *tcp_memory_large(struct tcp_memory *m);

/*
 * Begins to connect to `to`; `owner` is made ready when there is something to
 * do.  NULL only when there is no memory; every other failure is told by open
 * (-ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -ETIMEDOUT, -EMFILE ...).
 */
struct stream *tcp_dial(struct loop *l, struct tcp_memory *m, const struct endpoint *to,
	const struct sock_options *options, struct task *owner);
/*
 * With SOCK_FAST_DATA in its options a stream may be open before anything was sent: its
 * SYN takes the first bytes along, and that nobody is there is told by what is called
 * after that, with the errors and in the words of open.  True: so it is, and until now no
 * answer has come.
 */
bool tcp_is_unproven(struct stream *s);
/* Such a stream has proved true, but its SYN had to be sent again, without the bytes. */
bool tcp_fast_lost(const struct stream *s);
/* The kernel has nothing to be read, no end and no error; it is asked now. */
bool tcp_is_silent(const struct stream *s);
/* Where a stream of tcp_dial leads. */
const struct endpoint *tcp_peer(const struct stream *s);
/* Where it comes from, once connected. 0, or -errno. */
int tcp_local(const struct stream *s, struct endpoint *e);
/* Takes over a descriptor that is connected and non-blocking: pipes, socket pairs, tests.
 */
struct stream *
tcp_adopt(struct loop *l, struct tcp_memory *m, int fd, struct task *owner);

#endif
