/* SPDX-License-Identifier: MIT */
#ifndef FLOW_QUEUE_H
#define FLOW_QUEUE_H

#include "stream/packets.h"

/* Datagrams that cannot go yet. The newest gives way: what is queued is older, and its
 * answer is waited for longer. */
enum {
	QUEUE_MAX = 16,         /* datagrams of one way out */
	QUEUED_BYTES = 4 << 20, /* of all queues, at most */
};

struct queued;

struct queued_total {
	size_t bytes, most; /* that all queues hold, and may hold; structs and all */
	size_t lost;        /* datagrams that were queued and never left */
};

/* All zero: empty. */
struct queue {
	struct queued *last; /* owned; the first is next to it, round; NULL: empty */
};

bool queue_empty(const struct queue *q);
/* Copies d, or each of those that it stands for. How many found no room. */
size_t queue_put(struct queue *q, struct queued_total *all, const struct dgram_out *d);
/* Sends what can be sent. STREAM_OK, or -errno: the way out has failed. */
int queue_send(struct queue *q, struct queued_total *all, struct packets *k);
void queue_drop(struct queue *q, struct queued_total *all);

#endif
