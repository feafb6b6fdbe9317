/* SPDX-License-Identifier: MIT */
#include "stream/tls_pem.h"

#include "base/base64.h"
#include "base/text.h"
#include "stream/tls.h"

#include <string.h>

/* The number of bytes, or -1. */
static long
bytes_decode(uint8_t *out, size_t cap, const char *text, size_t len)
{
	size_t n;

	return base64_parse(out, cap, &n, text, len, BASE64_LENIENT) < 0 ? -1 : (long)n;
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
	return bytes_decode(out, cap, from, (size_t)(to - from));
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
	if (bytes_decode(room, sizeof(room), text, strlen(text)) != TLS_PIN)
		return false;
	memcpy(pin->hash, room, TLS_PIN);
	return true;
}
