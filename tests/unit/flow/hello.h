/* SPDX-License-Identifier: MIT */
#ifndef UNIT_FLOW_HELLO_H
#define UNIT_FLOW_HELLO_H

#include <stddef.h>
#include <stdint.h>

/*
 * A ClientHello as browsers send it: GREASE, a name, and behind or before it
 * `padding` bytes of other extensions.  `name` NULL: none.  It comes in TLS
 * records of at most `record` bytes.  Returns the length at `out`.
 */
struct hello {
	const char *name;
	size_t padding;
	size_t record;
};

size_t hello_write(const struct hello *h, uint8_t *out, size_t cap);

#endif
