/* SPDX-License-Identifier: MIT */
#include "rules/geodat.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool
key_is(struct reader attribute, const char *word, size_t len)
{
	struct wire_field f;

	while (wire_next(&attribute, &f) > 0)
		if (f.number == 1 && f.type == WIRE_BYTES)
			return f.bytes.len == len &&
				strncasecmp((const char *)f.bytes.p, word, len) == 0;
	return false;
}

static bool
domain_has(struct reader domain, const char *word, size_t len)
{
	struct wire_field f;

	while (wire_next(&domain, &f) > 0)
		if (f.number == 3 && f.type == WIRE_BYTES && key_is(f.bytes, word, len))
			return true;
	return false;
}

static bool
domain_has_all(const struct reader *domain, const char *attrs)
{
	size_t len;

	for (; *attrs; attrs += len + (attrs[len] == '@')) {
		len = strcspn(attrs, "@");
		if (!domain_has(*domain, attrs, len))
			return false;
	}
	return true;
}

/* An absent type is 0 by protocol buffers' rules, and that is a keyword. */
static int
domain_read(struct reader r, struct geosite_domain *d)
{
	struct wire_field f;
	uint64_t type = GEOSITE_KEYWORD;
	int got;

	d->value = NULL;
	d->len = 0;
	while ((got = wire_next(&r, &f)) > 0) {
		if (f.number == 1 && f.type == WIRE_VARINT)
			type = f.value;
		if (f.number == 2 && f.type == WIRE_BYTES) {
			d->value = (const char *)f.bytes.p;
			d->len = f.bytes.len;
		}
	}
	if (got < 0 || type > GEOSITE_FULL || d->len == 0)
		return -EBADMSG;
	d->type = (enum geosite_type)type;
	return 0;
}

int
geosite_next(struct reader *list, const char *attrs, struct geosite_domain *d)
{
	struct wire_field f;
	int r;

	while ((r = wire_next(list, &f)) > 0) {
		if (f.number != 2 || f.type != WIRE_BYTES)
			continue;
		r = domain_read(f.bytes, d);
		if (r < 0)
			return r;
		if (domain_has_all(&f.bytes, attrs))
			return 1;
	}
	return r;
}
