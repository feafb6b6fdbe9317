/* SPDX-License-Identifier: MIT */
#include "flow/sniff.h"

#include "base/bytes.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

/* What looking at one piece gave. */
enum look {
	LOOK_DONE, /* there is nothing more to learn */
	LOOK_MORE, /* the next bytes may tell */
};

/* TLS (RFC 8446, 4.1.2 and 5.1; RFC 6066, 3). */
enum {
	TLS_HANDSHAKE = 22,
	TLS_CLIENT_HELLO = 1,
	TLS_RECORD_MAX = 16384,
	TLS_RANDOM = 32,
	TLS_SERVER_NAME = 0,
	TLS_HOST_NAME = 0,
};

/* Letters, digits, hyphens, and the underscores that exist in spite of RFC 1123. */
static bool
name_byte_fits(uint8_t b)
{
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
		(b >= '0' && b <= '9') || b == '-' || b == '_' || b == '.';
}

/* A name that a stranger wrote: kept only when it is one, and not an address. */
static void
name_keep(struct sniffed *s, const uint8_t *p, size_t len)
{
	struct ip ip;

	if (len == 0 || len > NAME_MAX_LEN + 1)
		return;
	for (size_t i = 0; i < len; i++)
		if (!name_byte_fits(p[i]))
			return;
	if (!name_normal(s->name, sizeof(s->name), (const char *)p, len) ||
		ip_parse(&ip, s->name))
		s->name[0] = '\0';
}

static bool
prefix_fits(const char *want, size_t wantlen, const uint8_t *p, size_t len)
{
	return memcmp(want, p, len < wantlen ? len : wantlen) == 0;
}

static enum look
bittorrent_look(struct sniffed *s, const uint8_t *p, size_t len)
{
	static const char hello[] = "\x13"
				    "BitTorrent protocol";
	const size_t n = sizeof(hello) - 1;

	if (!prefix_fits(hello, n, p, len))
		return LOOK_DONE;
	if (len < n)
		return LOOK_MORE;
	s->protocol = PROTOCOL_BITTORRENT;
	return LOOK_DONE;
}

/* The next line without its end; NULL when its end has not come. */
static const uint8_t *
line_read(struct reader *r, size_t *len)
{
	const uint8_t *end = r->len == 0 ? NULL : memchr(r->p, '\n', r->len);
	const uint8_t *line;

	if (end == NULL)
		return NULL;
	*len = (size_t)(end - r->p);
	line = reader_bytes(r, *len + 1);
	if (*len > 0 && line[*len - 1] == '\r')
		(*len)--;
	return line;
}

/* The value of a Host field: a name, perhaps with a port behind it (RFC 9110, 7.2). */
static void
host_keep(struct sniffed *s, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	while (n < len && p[n] != ':' && p[n] != ' ' && p[n] != '\t')
		n++;
	name_keep(s, p, n);
}

static bool
request_line_fits(const uint8_t *line, size_t len)
{
	static const char version[] = " HTTP/1.";
	const size_t n = sizeof(version) - 1;

	/* The minor version is one digit. */
	return len > n && memcmp(line + len - n - 1, version, n) == 0;
}

static enum look
headers_look(struct sniffed *s, struct reader *r)
{
	static const char host[] = "host:";
	const size_t n = sizeof(host) - 1;
	const uint8_t *line;
	size_t len;

	while ((line = line_read(r, &len)) != NULL) {
		if (len == 0)
			return LOOK_DONE;
		if (len >= n && strncasecmp((const char *)line, host, n) == 0) {
			host_keep(s, line + n, len - n);
			return LOOK_DONE;
		}
	}
	return LOOK_MORE;
}

/* Whether the bytes begin with a method of HTTP and a space, as far as they go. */
static bool
method_fits(const uint8_t *p, size_t len)
{
	static const char *const methods[] = { "GET ", "POST ", "HEAD ", "PUT ",
		"DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "TRACE " };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (prefix_fits(methods[i], strlen(methods[i]), p, len))
			return true;
	return false;
}

static enum look
http_look(struct sniffed *s, const uint8_t *p, size_t len)
{
	struct reader r;
	const uint8_t *line;
	size_t n;

	if (!method_fits(p, len))
		return LOOK_DONE;
	reader_init(&r, p, len);
	line = line_read(&r, &n);
	if (line == NULL)
		return LOOK_MORE;
	if (!request_line_fits(line, n))
		return LOOK_DONE;
	s->protocol = PROTOCOL_HTTP;
	return headers_look(s, &r);
}

/*
 * Puts the handshake bytes of all records so far one after the other.  False
 * where what comes is not a record of a handshake.
 */
static bool
records_join(struct reader *r, struct writer *hello)
{
	while (r->len >= 5) {
		uint8_t type = reader_u8(r);
		uint8_t major = reader_u8(r);
		size_t len, n;

		reader_skip(r, 1);
		len = reader_be16(r);
		if (type != TLS_HANDSHAKE || major != 3 || len == 0 ||
			len > TLS_RECORD_MAX)
			return false;
		n = len < r->len ? len : r->len;
		writer_bytes(hello, reader_bytes(r, n), n);
		if (n < len)
			return true;
	}
	/* The header of the next record has not come whole. */
	return true;
}

/* server_name (RFC 6066, 3): the first name of the type that exists. */
static void
server_name_read(struct sniffed *s, struct reader *ext)
{
	struct reader names;

	reader_part(ext, reader_be16(ext), &names);
	while (names.len > 0 && !names.bad) {
		uint8_t type = reader_u8(&names);
		size_t len = reader_be16(&names);
		const uint8_t *p = reader_bytes(&names, len);

		if (p != NULL && type == TLS_HOST_NAME) {
			name_keep(s, p, len);
			return;
		}
	}
}

/* Walks the extensions as far as they have come. True: the name, or their end, is found.
 */
static bool
extensions_walk(struct sniffed *s, struct reader *r)
{
	size_t left = reader_be16(r);

	while (!r->bad && left >= 4) {
		uint16_t type = reader_be16(r);
		size_t len = reader_be16(r);
		struct reader ext;

		left -= 4;
		if (len > left)
			return true;
		left -= len;
		reader_part(r, len, &ext);
		if (!r->bad && type == TLS_SERVER_NAME) {
			server_name_read(s, &ext);
			return true;
		}
	}
	return !r->bad;
}

static enum look
hello_look(struct sniffed *s, struct reader *r)
{
	size_t len;
	bool whole;

	if (reader_u8(r) != TLS_CLIENT_HELLO)
		return r->bad ? LOOK_MORE : LOOK_DONE;
	len = (size_t)reader_u8(r) << 16;
	len |= reader_be16(r);
	if (r->bad)
		return LOOK_MORE;
	s->protocol = PROTOCOL_TLS;
	whole = r->len >= len;
	if (whole)
		r->len = len;
	reader_skip(r, 2 + TLS_RANDOM);
	reader_skip(r, reader_u8(r));   /* session id */
	reader_skip(r, reader_be16(r)); /* cipher suites */
	reader_skip(r, reader_u8(r));   /* compression methods */
	/* A hello may end here, without any extension. */
	if (whole && (r->bad || r->len == 0))
		return LOOK_DONE;
	return extensions_walk(s, r) || whole ? LOOK_DONE : LOOK_MORE;
}

static enum look
tls_look(struct sniffed *s, const uint8_t *p, size_t len)
{
	uint8_t joined[SNIFF_MAX];
	struct writer hello;
	struct reader r;
	bool fits;

	if (len < 5)
		return len < 2 || p[1] == 3 ? LOOK_MORE : LOOK_DONE;
	writer_init(&hello, joined, sizeof(joined));
	reader_init(&r, p, len);
	fits = records_join(&r, &hello);
	if (hello.len == 0)
		return fits ? LOOK_MORE : LOOK_DONE;
	reader_init(&r, joined, hello.len);
	return hello_look(s, &r) == LOOK_MORE && fits ? LOOK_MORE : LOOK_DONE;
}

static enum look
first_byte_look(struct sniffed *s, const uint8_t *p, size_t len)
{
	switch (p[0]) {
	case 0x13:
		return bittorrent_look(s, p, len);
	case TLS_HANDSHAKE:
		return tls_look(s, p, len);
	default:
		return http_look(s, p, len);
	}
}

bool
sniff(struct sniffed *s, const uint8_t *p, size_t len)
{
	size_t n = len < SNIFF_MAX ? len : SNIFF_MAX;

	s->protocol = PROTOCOL_UNKNOWN;
	s->name[0] = '\0';
	if (n == 0)
		return false;
	return first_byte_look(s, p, n) == LOOK_DONE || n == SNIFF_MAX;
}
