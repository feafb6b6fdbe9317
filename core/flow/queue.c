/* SPDX-License-Identifier: MIT */
#include "flow/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct queued {
	struct list node;
	struct endpoint to;
	size_t len;
	uint8_t bytes[];
};

void
queue_init(struct queue *q)
{
	list_init(&q->list);
	q->n = 0;
}

static bool
put_one(struct queue *q, struct queued_total *all, const struct endpoint *to,
	const uint8_t *p, size_t len)
{
	struct queued *d = NULL;

	if (q->n < QUEUE_MAX && all->bytes + sizeof(*d) + len <= all->most)
		d = malloc(sizeof(*d) + len);
	if (d == NULL)
		return false;
	list_init(&d->node);
	d->to = *to;
	d->len = len;
	memcpy(d->bytes, p, len);
	list_append(&q->list, &d->node);
	q->n++;
	all->bytes += sizeof(*d) + len;
	return true;
}

size_t
queue_put(struct queue *q, struct queued_total *all, const struct dgram_out *d)
{
	size_t most = d->segment > 0 ? d->segment : d->len, at = 0, len, lost = 0;

	do {
		len = d->len - at < most ? d->len - at : most;
		lost += !put_one(q, all, &d->to, d->p + at, len);
		at += len;
	} while (at < d->len);
	return lost;
}

static void
drop_first(struct queue *q, struct queued_total *all)
{
	struct queued *d = container_of(list_take(&q->list), struct queued, node);

	q->n--;
	all->bytes -= sizeof(*d) + d->len;
	free(d);
}

int
queue_send(struct queue *q, struct queued_total *all, struct packets *k)
{
	struct queued *d;
	struct target to;
	int r;

	while (!list_empty(&q->list)) {
		d = container_of(q->list.next, struct queued, node);
		to = (struct target){ .ip = d->to.ip, .port = d->to.port };
		r = packets_send(k, &to, d->bytes, d->len);
		if (r == STREAM_AGAIN)
			return STREAM_OK;
		if (r < 0 && r != -EMSGSIZE)
			return r;
		drop_first(q, all);
	}
	return STREAM_OK;
}

void
queue_drop(struct queue *q, struct queued_total *all)
{
	while (!list_empty(&q->list))
		drop_first(q, all);
}
