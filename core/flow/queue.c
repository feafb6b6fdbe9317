/* SPDX-License-Identifier: MIT */
#include "flow/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct queued {
	struct queued *next;
	struct endpoint to;
	size_t len;
	uint8_t bytes[];
};

bool
queue_empty(const struct queue *q)
{
	return q->last == NULL;
}

static size_t
count(const struct queue *q)
{
	const struct queued *d = q->last;
	size_t n = 0;

	if (d == NULL)
		return 0;
	do {
		d = d->next;
		n++;
	} while (d != q->last);
	return n;
}

static void
append(struct queue *q, struct queued *d)
{
	d->next = d;
	if (q->last != NULL) {
		d->next = q->last->next;
		q->last->next = d;
	}
	q->last = d;
}

static bool
put_one(struct queue *q, struct queued_total *all, const struct endpoint *to,
	const uint8_t *p, size_t len)
{
	struct queued *d = NULL;

	if (count(q) < QUEUE_MAX && all->bytes + sizeof(*d) + len <= all->most)
		d = malloc(sizeof(*d) + len);
	if (d == NULL)
		return false;
	d->to = *to;
	d->len = len;
	memcpy(d->bytes, p, len);
	append(q, d);
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
	struct queued *d = q->last->next;

	q->last->next = d->next;
	if (d == q->last)
		q->last = NULL;
	all->bytes -= sizeof(*d) + d->len;
	free(d);
}

int
queue_send(struct queue *q, struct queued_total *all, struct packets *k)
{
	struct queued *d;
	struct target to;
	int r;

	while (!queue_empty(q)) {
		d = q->last->next;
		to = (struct target){ .ip = d->to.ip, .port = d->to.port };
		r = packets_send(k, &to, d->bytes, d->len);
		if (r == STREAM_AGAIN)
			return STREAM_OK;
		if (r < 0 && r != -EMSGSIZE)
			return r;
		all->lost += r == -EMSGSIZE;
		drop_first(q, all);
	}
	return STREAM_OK;
}

void
queue_drop(struct queue *q, struct queued_total *all)
{
	for (; !queue_empty(q); all->lost++)
		drop_first(q, all);
}
