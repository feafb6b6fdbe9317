/* SPDX-License-Identifier: MIT */
#ifndef STREAM_PACKETS_H
#define STREAM_PACKETS_H

#include "base/addr.h"
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
	int (*open)(struct packets *);
	/* OK: it has gone or will. AGAIN: not taken. -EMSGSIZE: never will, not final. */
	int (*send)(
		struct packets *, const struct target *to, const uint8_t *p, size_t len);
	/*
	 * The next datagram, copied into p; *n its length, *from its source.
	 * PACKETS_REFUSED (port unreachable) and PACKETS_UNREACHABLE: an ICMP error about
	 * what was sent to *from; not final.
	 */
	int (*recv)(struct packets *, struct endpoint *from, uint8_t *p, size_t cap,
		size_t *n);
	const char *(*reason)(const struct packets *);
	void (*free)(struct packets *);
};

enum { PACKETS_REFUSED = 16, PACKETS_UNREACHABLE = 17 };

struct packets {
	const struct packets_ops *ops;
};

int packets_open(struct packets *k);
int
packets_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len);
int
packets_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n);
const char *packets_reason(const struct packets *k);
void packets_free(struct packets *k); /* NULL is fine */

#endif
