/* SPDX-License-Identifier: MIT */
#include "rules/geodat.h"

#include <errno.h>

static int
network_read(struct reader r, struct cidr *c)
{
	struct wire_field f;
	uint64_t bits = 0;
	int family = 0, got;

	while ((got = wire_next(&r, &f)) > 0) {
		if (f.number == 1 && f.type == WIRE_BYTES) {
			family = f.bytes.len == 4 ? 4 : f.bytes.len == 16 ? 6 : 0;
			if (family)
				c->ip = ip_make(family, f.bytes.p);
		}
		if (f.number == 2 && f.type == WIRE_VARINT)
			bits = f.value;
	}
	if (got < 0 || !family || bits > (family == 4 ? 32u : 128u))
		return -EBADMSG;
	c->bits = (uint8_t)bits;
	return 1;
}

int
geoipdat_next(struct reader *list, struct cidr *c)
{
	struct wire_field f;
	int r;

	while ((r = wire_next(list, &f)) > 0) {
		if (f.number == 3 && f.type == WIRE_VARINT && f.value)
			return -ENOTSUP;
		if (f.number == 2 && f.type == WIRE_BYTES)
			return network_read(f.bytes, c);
	}
	return r;
}
