/* SPDX-License-Identifier: MIT */
#include "flow/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
outbox_init(struct outbox *o)
{
	list_init(&o->parts);
	o->n = 0;
	o->bytes = malloc(sizeof(*o->bytes) * OUTBOX_MAX);
	return o->bytes == NULL ? -ENOMEM : 0;
}

void
outbox_fini(struct outbox *o)
{
	free(o->bytes);
	o->bytes = NULL;
}

void
outbox_part_init(struct outbox_part *part)
{
	list_init(&part->node);
	part->n = 0;
}

bool
outbox_put(struct outbox *o, struct outbox_part *part, const struct dgram_out *d)
{
	uint8_t at;

	if (list_empty(&o->parts))
		o->n = 0;
	if (o->n == OUTBOX_MAX)
		return false;
	at = (uint8_t)o->n++;
	memcpy(o->bytes[at], d->p, d->len);
	o->post[at] = *d;
	o->post[at].p = o->bytes[at];
	if (part->n == 0) {
		part->first = at;
		list_append(&o->parts, &part->node);
	} else {
		o->next[part->last] = at;
	}
	part->last = at;
	part->n++;
	return true;
}

struct outbox_part *
outbox_next(struct outbox *o)
{
	if (list_empty(&o->parts))
		return NULL;
	return container_of(o->parts.next, struct outbox_part, node);
}

int
outbox_take(
	struct outbox *o, struct outbox_part *part, struct dgram_out d[static OUTBOX_MAX])
{
	uint8_t at = part->first;
	int i, n = part->n;

	for (i = 0; i < n; i++) {
		d[i] = o->post[at];
		at = o->next[at];
	}
	list_remove(&part->node);
	part->n = 0;
	return n;
}
