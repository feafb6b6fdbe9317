/* SPDX-License-Identifier: MIT */
#include "stream/packets.h"

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
