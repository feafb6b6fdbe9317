/* SPDX-License-Identifier: MIT */
#include "stream/tls_pem.h"

#include "base/text.h"
#include "stream/tls.h"

#include <string.h>

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool
white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

long
base64_decode(uint8_t *out, size_t cap, const char *text, size_t len)
{
	size_t i, n = 0, padding = 0;
	uint32_t bits = 0;
	int have = 0, digit;

	for (i = 0; i < len; i++) {
		if (white(text[i]))
			continue;
		if (text[i] == '=' && ++padding <= 2)
			continue;
		digit = base64_digit(text[i]);
		if (digit < 0 || padding)
			return -1;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have < 8)
			continue;
		if (n == cap)
			return -1;
		have -= 8;
		out[n++] = (uint8_t)(bits >> have);
	}
	return have == 6 ? -1 : (long)n;
}

/* Where `what` stands in the text; NULL: nowhere. */
static const char *
find(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what));
}

long
pem_certificate_next(const char **text, size_t *len, uint8_t *out, size_t cap)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	static const char end[] = "-----END CERTIFICATE-----";
	const char *from, *to, *all = *text + *len;

	from = find(*text, *len, begin);
	if (!from)
		return 0;
	from += strlen(begin);
	to = find(from, (size_t)(all - from), end);
	if (!to)
		return -1;
	*text = to + strlen(end);
	*len = (size_t)(all - *text);
	return base64_decode(out, cap, from, (size_t)(to - from));
}

bool
tls_pin_parse(struct tls_pin *pin, const char *text)
{
	char hex[2 * TLS_PIN + 1];
	uint8_t room[TLS_PIN];
	size_t n = 0;
	const char *s;

	for (s = text; *s && n < sizeof(hex) - 1; s++)
		if (*s != ':')
			hex[n++] = *s;
	hex[n] = '\0';
	if (!*s && hex_parse(pin->hash, TLS_PIN, hex))
		return true;
	if (base64_decode(room, sizeof(room), text, strlen(text)) != TLS_PIN)
		return false;
	memcpy(pin->hash, room, TLS_PIN);
	return true;
}
