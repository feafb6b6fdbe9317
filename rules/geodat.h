/* SPDX-License-Identifier: MIT */
#ifndef RULES_GEODAT_H
#define RULES_GEODAT_H

#include "base/addr.h"
#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The list files of V2Ray and Xray: geosite.dat (lists of domains) and
 * geoip.dat (lists of networks).  Both are one protocol buffer: a repeated
 * entry (field 1) that begins with the name of a list (field 1) and repeats its
 * values (field 2).  They come from the network, so nothing in them is
 * believed: every length is checked by a reader, and nothing is allocated here.
 *
 * All answers borrow from the bytes that are read.
 */

/* One field of a protocol buffer. */
struct wire_field {
	uint32_t number;
	uint8_t type;        /* one of the four below */
	uint64_t value;      /* of a WIRE_VARINT */
	struct reader bytes; /* of a WIRE_BYTES */
};

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* 1 and the next field, 0 at the end, or -EBADMSG. */
int wire_next(struct reader *r, struct wire_field *f);

/* Finds the list `name` (in any case) in a whole file and sets `list` to its fields. 0,
 * -ENOENT, or -EBADMSG when the file is damaged before the list is found. */
int geodat_find(const void *p, size_t len, const char *name, struct reader *list);
enum { GEODAT_NAME = 64 };
/* For "did you mean": the list of the file that is written most like `name`, or "". */
const char *
geodat_nearest(const void *p, size_t len, const char *name, char out[static GEODAT_NAME]);

/* In the order of the file format's numbers. */
enum geosite_type {
	GEOSITE_KEYWORD, /* anywhere in the name */
	GEOSITE_REGEXP,
	GEOSITE_SUFFIX, /* the name or anything under it */
	GEOSITE_FULL,   /* exactly the name */
};

struct geosite_domain {
	enum geosite_type type;
	const char *value; /* not terminated */
	size_t len;
};

/* The next domain that has all of `attrs` ("ads", "ads@cn", in any case; "" asks for
 * none): 1, 0 at the end, or -EBADMSG. */
int geosite_next(struct reader *list, const char *attrs, struct geosite_domain *d);

/* The next network of a list of geoip.dat: 1, 0 at the end, -EBADMSG, or -ENOTSUP for a
 * list that says of itself that it means everything else. */
int geoipdat_next(struct reader *list, struct cidr *c);

#endif
