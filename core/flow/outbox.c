/* SPDX-License-Identifier: MIT */
#include "flow/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
outbox_init(struct outbox *o)
{
	o->n = o->nparts = o->gone = 0;
	o->bytes = malloc(sizeof(*o->bytes) * OUTBOX_MAX);
	return o->bytes == NULL ? -ENOMEM : 0;
}

void
outbox_fini(struct outbox *o)
{
	free(o->bytes);
	o->bytes = NULL;
}

uint8_t *
outbox_next(struct outbox *o)
{
	while (o->gone < o->nparts && o->part[o->gone].place == NULL)
		o->gone++;
	return o->gone < o->nparts ? o->part[o->gone].place : NULL;
}

static void
part_extend(struct outbox *o, struct outbox_part *part, uint8_t at)
{
	if (part->n == 0)
		part->first = at;
	else
		o->next[part->last] = at;
	part->last = at;
	part->n++;
}

bool
outbox_put(struct outbox *o, uint8_t *place, const struct dgram_out *d)
{
	uint8_t at;

	if (outbox_next(o) == NULL)
		o->n = o->nparts = o->gone = 0;
	if (o->n == OUTBOX_MAX)
		return false;
	at = o->n++;
	memcpy(o->bytes[at], d->p, d->len);
	o->post[at] = *d;
	o->post[at].p = o->bytes[at];
	if (*place == 0) {
		o->part[o->nparts] = (struct outbox_part){ .place = place };
		*place = ++o->nparts;
	}
	part_extend(o, &o->part[*place - 1], at);
	return true;
}

int
outbox_take(struct outbox *o, uint8_t *place, struct dgram_out d[static OUTBOX_MAX])
{
	const struct outbox_part *part = &o->part[*place - 1];
	uint8_t at = part->first;
	int i;

	for (i = 0; i < part->n; i++) {
		d[i] = o->post[at];
		at = o->next[at];
	}
	return outbox_drop(o, place);
}

int
outbox_drop(struct outbox *o, uint8_t *place)
{
	struct outbox_part *part;

	if (*place == 0)
		return 0;
	part = &o->part[*place - 1];
	part->place = NULL;
	*place = 0;
	return part->n;
}
