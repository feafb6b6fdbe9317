/* SPDX-License-Identifier: MIT */
#include "stream/packets.h"

#include <stdint.h>

int
packets_open(struct packets *k)
{
	return k->ops->open(k);
}

int
packets_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	return k->ops->send(k, to, p, len);
}

int
packets_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	return k->ops->recv(k, from, p, cap, n);
}

/* One, or the several that it stands for; where not OK, d is those that have not gone. */
static int
send_each(struct packets *k, struct dgram_out *d)
{
	struct target to = { .ip = d->to.ip, .port = d->to.port };
	size_t most = d->segment > 0 ? d->segment : d->len, at = 0, len;
	int r;

	do {
		len = d->len - at < most ? d->len - at : most;
		r = k->ops->send(k, &to, d->p + at, len);
		if (r != STREAM_OK) {
			d->p += at;
			d->len -= at;
			return r;
		}
		at += len;
	} while (at < d->len);
	return STREAM_OK;
}

int
packets_send_many(struct packets *k, struct dgram_out *d, int n)
{
	int i, r;

	if (k->ops->send_many != NULL)
		return k->ops->send_many(k, d, n);
	for (i = 0; i < n; i++) {
		r = send_each(k, &d[i]);
		if (r != STREAM_OK)
			return i > 0 || r == STREAM_AGAIN ? i : r;
	}
	return n;
}

int
packets_recv_many(struct packets *k, struct dgram_in *d, int cap, int *n)
{
	if (k->ops->recv_many != NULL)
		return k->ops->recv_many(k, d, cap, n);
	d[0].segment = 0;
	*n = 1;
	return k->ops->recv(k, &d[0].from, d[0].p, d[0].cap, &d[0].len);
}

size_t
packets_most(const struct packets *k)
{
	return k->ops->most > 0 ? k->ops->most : SIZE_MAX;
}

const char *
packets_reason(const struct packets *k)
{
	return k->ops->reason(k);
}

void
packets_free(struct packets *k)
{
	if (k)
		k->ops->free(k);
}
