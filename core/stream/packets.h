/* SPDX-License-Identifier: MIT */
#ifndef STREAM_PACKETS_H
#define STREAM_PACKETS_H

#include "base/addr.h"
#include "platform/dgram.h"
#include "stream/stream.h"

/*
 * The second face: for what has borders and addresses.  The same rules hold as
 * for streams (nothing waits, nothing calls upward, errors are final), with
 * two additions: a datagram that cannot go now is not kept, the caller drops
 * it or keeps it; and an error that concerns one destination only (refused,
 * unreachable) is not final, see recv.
 */
struct packets;

struct packets_ops {
	const char *name;
	size_t most; /* bytes of a datagram that passes; 0: any number */
	int (*open)(struct packets *);
	/* OK: it has gone or will. AGAIN: not taken. -EMSGSIZE: never will, not final. */
	int (*send)(
		struct packets *, const struct target *to, const uint8_t *p, size_t len);
	/*
	 * The next datagram, copied into p; *n its length, *from its source.
	 * PACKETS_REFUSED (port unreachable), PACKETS_UNREACHABLE and PACKETS_PROHIBITED (by
	 * a firewall, this machine's too): an error about what was sent to *from; not final.
	 */
	int (*recv)(struct packets *, struct endpoint *from, uint8_t *p, size_t cap,
		size_t *n);
	/*
	 * Several at once, up to DGRAM_BATCH, where that is cheaper; NULL: one after the
	 * other.  How many have gone, will go or were lost on the way: the others were not
	 * taken, and the first of them, if it stands for several, is without those that were.
	 * -EMSGSIZE is about the first.
	 */
	int (*send_many)(struct packets *, struct dgram_out *d, int n);
	/* The next ones, up to `cap`, *n of them on OK. Otherwise as `recv`, with its `from`
	 * in that of the first. */
	int (*recv_many)(struct packets *, struct dgram_in *d, int cap, int *n);
	const char *(*reason)(const struct packets *);
	void (*free)(struct packets *);
};

enum { PACKETS_REFUSED = 16, PACKETS_UNREACHABLE = 17, PACKETS_PROHIBITED = 18 };

struct packets {
	const struct packets_ops *ops;
};

int packets_open(struct packets *k);
int
packets_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len);
int
packets_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n);
int packets_send_many(struct packets *k, struct dgram_out *d, int n);
int packets_recv_many(struct packets *k, struct dgram_in *d, int cap, int *n);
/* The longest datagram that passes, in bytes; that the system takes it is not said. */
size_t packets_most(const struct packets *k);
const char *packets_reason(const struct packets *k);
void packets_free(struct packets *k); /* NULL is fine */

#endif
