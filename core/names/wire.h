/* SPDX-License-Identifier: MIT */
#ifndef NAMES_WIRE_H
#define NAMES_WIRE_H

#include "base/bytes.h"
#include "names/message.h"

/* Names as they are on the wire (RFC 1035 3.1, 4.1.4), and as text. */

enum { WIRE_MAX = 255 }; /* RFC 1035 2.3.4, with the root's zero */

/* Without compression. In lower case where it was read from a message. */
struct wire {
	size_t len;
	uint8_t b[WIRE_MAX];
};

bool wire_same(const struct wire *a, const struct wire *b);
/* A reader of the message `all` from an offset on. */
struct reader wire_at(const struct reader *all, size_t offset);
/* The name at r, which is a reader into `all`, and moves r behind it. False: malformed. */
bool wire_read(struct wire *w, const struct reader *all, struct reader *r);
/* False when it does not fit, which only escapes can do. */
bool wire_text(char text[static DNS_NAME_TEXT], const struct wire *w);
/* From text; a final dot is allowed, and "" and "." are the root. False: no name. */
bool wire_from_text(struct wire *w, const char *s);

#endif
