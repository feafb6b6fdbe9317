/* SPDX-License-Identifier: MIT */
#include "names/wire.h"

#include <string.h>

enum {
	HEADER = 12, /* of a message; no name begins there */
	LABEL_MAX = 63,
	JUMPS_MAX = 64, /* compression pointers in one name */
};

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool
wire_same(const struct wire *a, const struct wire *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

struct reader
wire_at(const struct reader *all, size_t offset)
{
	struct reader r = *all;

	reader_skip(&r, offset);
	return r;
}

/* One label whose length byte has been read; the root's is empty. */
static bool
wire_label(struct wire *w, uint8_t len, struct reader *r)
{
	const uint8_t *p = reader_bytes(r, len);
	uint8_t i;

	if (!p || w->len + 1 + len > WIRE_MAX)
		return false;
	w->b[w->len++] = len;
	for (i = 0; i < len; i++)
		w->b[w->len++] = lower(p[i]);
	return true;
}

/*
 * A name at r, which is a reader into `all`, and leaves r behind it.  A pointer
 * may only lead to before the piece that it ends, and not into the header, so
 * that no message makes us go in circles.
 */
bool
wire_read(struct wire *w, const struct reader *all, struct reader *r)
{
	size_t piece = all->len - r->len, to;
	struct reader at = *r;
	int jumps = 0;
	uint8_t c;

	w->len = 0;
	for (;;) {
		c = reader_u8(&at);
		if (at.bad)
			return false;
		if (c <= LABEL_MAX) {
			if (!wire_label(w, c, &at))
				return false;
			if (c > 0)
				continue;
			if (jumps == 0)
				*r = at;
			return true;
		}
		to = (size_t)(c & 0x3f) << 8 | reader_u8(&at);
		if (c < 0xc0 || at.bad || to < HEADER || to >= piece)
			return false;
		if (jumps == 0)
			*r = at;
		if (++jumps > JUMPS_MAX)
			return false;
		piece = to;
		at = wire_at(all, to);
	}
}

/* One byte of a label as text: what is not plain is written \DDD (RFC 1035 5.1). */
static size_t
byte_text(char out[4], uint8_t c)
{
	if (c > ' ' && c < 0x7f && c != '.' && c != '\\') {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = (char)('0' + c / 100);
	out[2] = (char)('0' + c / 10 % 10);
	out[3] = (char)('0' + c % 10);
	return 4;
}

/* False when the escapes make it too long. */
bool
wire_text(char text[static DNS_NAME_TEXT], const struct wire *w)
{
	size_t i = 0, n = 0, k, end;
	char piece[4];

	while (w->b[i] > 0) {
		if (n + 1 >= DNS_NAME_TEXT)
			return false;
		if (i > 0)
			text[n++] = '.';
		for (end = i + 1 + w->b[i], i++; i < end; i++) {
			k = byte_text(piece, w->b[i]);
			if (n + k >= DNS_NAME_TEXT)
				return false;
			memcpy(text + n, piece, k);
			n += k;
		}
	}
	text[n] = '\0';
	return true;
}

/* The byte that stands at *s, a letter or \DDD, and moves behind it. -1: neither. */
static int
text_byte(const char **s)
{
	const char *p = *s;
	int i, c = 0;

	if (*p != '\\') {
		*s = p + 1;
		return (uint8_t)*p;
	}
	for (i = 1; i <= 3; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		c = c * 10 + (p[i] - '0');
	}
	*s = p + 4;
	return c <= 255 ? c : -1;
}

/* The label at *s, up to its dot or the end of the text. */
static bool
wire_add_text(struct wire *w, const char **s)
{
	size_t length_at = w->len++;
	int c;

	while (**s && **s != '.') {
		c = text_byte(s);
		if (c < 0 || w->len >= WIRE_MAX)
			return false;
		w->b[w->len++] = (uint8_t)c;
	}
	if (w->len == length_at + 1 || w->len - length_at - 1 > LABEL_MAX)
		return false;
	w->b[length_at] = (uint8_t)(w->len - length_at - 1);
	return true;
}

/* Text to wire; a final dot is allowed, and "" and "." are the root. */
bool
wire_from_text(struct wire *w, const char *s)
{
	w->len = 0;
	if (s[0] == '.' && !s[1])
		s++;
	while (*s) {
		if (w->len >= WIRE_MAX || !wire_add_text(w, &s))
			return false;
		if (*s == '.')
			s++;
	}
	if (w->len >= WIRE_MAX)
		return false;
	w->b[w->len++] = 0;
	return true;
}
