/* SPDX-License-Identifier: MIT */
#include "unit/stream/way.h"

#include "base/list.h"
#include "unit/stream/check.h"

#include <string.h>

static int
way_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	struct way *w = container_of(k, struct way, k);

	assert_int_equal(to->port, w->port);
	if (w->room-- <= 0)
		return w->answer;
	assert_true(w->n + len < sizeof(w->sent));
	memcpy(w->sent + w->n, p, len);
	w->n += len;
	return STREAM_OK;
}

const struct packets_ops way_ops = { .name = "test", .send = way_send };
