/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <errno.h>
#include <stdbool.h>

static char
letter(unsigned six, unsigned how)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if (six == 62)
		return how & BASE64_URL ? '-' : '+';
	if (six == 63)
		return how & BASE64_URL ? '_' : '/';
	return letters[six];
}

/* Three bytes, or the one or two that are left, as four characters. */
static void
group_write(char out[static 4], const uint8_t *b, size_t n, unsigned how)
{
	unsigned bits = (unsigned)b[0] << 16;

	if (n > 1)
		bits |= (unsigned)b[1] << 8;
	if (n > 2)
		bits |= b[2];
	out[0] = letter(bits >> 18, how);
	out[1] = letter(bits >> 12 & 63, how);
	out[2] = n > 1 ? letter(bits >> 6 & 63, how) : '=';
	out[3] = n > 2 ? letter(bits & 63, how) : '=';
}

int
base64_encode(char *out, size_t cap, const void *p, size_t len, unsigned how)
{
	const uint8_t *b = p;
	char group[4];
	size_t n = 0, i, written;

	if (cap)
		*out = '\0';
	written = how & BASE64_BARE ? (len * 4 + 2) / 3 : BASE64_TEXT(len) - 1;
	if (written >= cap)
		return -ENOSPC;
	while (n < written) {
		group_write(group, b, len, how);
		for (i = 0; i < 4 && n < written; i++)
			out[n++] = group[i];
		b += len < 3 ? len : 3;
		len -= len < 3 ? len : 3;
	}
	out[n] = '\0';
	return 0;
}

/* The six bits of c, or -1. */
static int
value(char c, unsigned how)
{
	bool standard = how & BASE64_LENIENT || !(how & BASE64_URL);
	bool url = how & (BASE64_LENIENT | BASE64_URL);

	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if ((standard && c == '+') || (url && c == '-'))
		return 62;
	if ((standard && c == '/') || (url && c == '_'))
		return 63;
	return -1;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether padding, `pads` of them after `count` characters, is as it must be. */
static bool
padding_fits(size_t count, size_t pads, unsigned how)
{
	if (count % 4 == 1)
		return false;
	if (how & BASE64_LENIENT)
		return pads <= 2;
	if (pads == 0 && how & BASE64_BARE)
		return true;
	return pads <= 2 && (count + pads) % 4 == 0;
}

int
base64_parse(uint8_t *out, size_t cap, size_t *n, const char *s, size_t len, unsigned how)
{
	size_t i, count = 0, pads = 0, put = 0;
	unsigned bits = 0, held = 0;
	int six;

	for (i = 0; i < len; i++) {
		if (how & BASE64_LENIENT && is_space(s[i]))
			continue;
		if (s[i] == '=') {
			pads++;
			continue;
		}
		six = value(s[i], how);
		if (six < 0 || pads)
			return -EBADMSG;
		count++;
		bits = (bits << 6 | (unsigned)six) & 0xfff;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (put == cap)
			return -ENOSPC;
		out[put++] = (uint8_t)(bits >> held);
	}
	if (!padding_fits(count, pads, how))
		return -EBADMSG;
	/* RFC 4648, 3.5: the bits behind the last byte must be zero. */
	if (!(how & BASE64_LENIENT) && bits & ((1u << held) - 1))
		return -EBADMSG;
	*n = put;
	return 0;
}
