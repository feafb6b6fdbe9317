/* SPDX-License-Identifier: MIT */
#include "stream/http_head.h"

#include "base/text.h"
#include "stream/http_date.h"
#include "stream/stream.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

void
http_head_init(struct http_head *h, size_t max, int64_t (*unix_time)(void))
{
	memset(h, 0, sizeof(*h));
	h->max = max;
	h->unix_time = unix_time;
}

/* -EPROTO once something was found to be wrong. */
static int
wrong(const struct http_head *h)
{
	return h->err.text[0] ? -EPROTO : 0;
}

/* The server's own words for people: they cannot end a line or steer a terminal. */
static void
quote(char *out, size_t cap, const char *s)
{
	size_t n = strlen(s);

	if (n >= cap)
		n = cap - 1;
	memcpy(out, s, n);
	out[n] = '\0';
	text_clean(out);
}

/* Three digits, or -1. */
static int
status_parse(const char *s)
{
	if (strspn(s, "0123456789") < 3)
		return -1;
	return (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
}

static int
status_line(struct http_head *h)
{
	const char *s = h->line;
	char said[48];
	int status = -1;

	/* "HTTP/1.1 101" and then a space or nothing (RFC 9112, 4). */
	if (h->len >= 12 && memcmp(s, "HTTP/", 5) == 0 && s[6] == '.' && s[8] == ' ')
		status = status_parse(s + 9);
	if (status < 100 || (h->len > 12 && s[12] != ' ')) {
		quote(said, sizeof(said), s);
		return err_set(
			&h->err, "the server's answer is not HTTP/1.1: \"%s\"", said);
	}
	h->facts.status = status;
	h->place = HTTP_FIELDS;
	return 0;
}

/* Whether the comma-separated list has this word, in any case. */
static bool
has_word(const char *list, const char *word)
{
	size_t n, len = strlen(word);

	for (; *list; list += n + (list[n] == ',')) {
		list += strspn(list, " \t");
		n = strcspn(list, ",");
		if (n >= len && strncasecmp(list, word, len) == 0 &&
			strspn(list + len, " \t") == n - len)
			return true;
	}
	return false;
}

/* The value of the field, without the space around it, or NULL: the line is another's. */
static char *
field(struct http_head *h, const char *name)
{
	size_t n = strlen(name), end;
	char *value = h->line + n + 1;

	if (strncasecmp(h->line, name, n) != 0 || h->line[n] != ':')
		return NULL;
	value += strspn(value, " \t");
	end = strlen(value);
	while (end && (value[end - 1] == ' ' || value[end - 1] == '\t'))
		end--;
	value[end] = '\0';
	return value;
}

static void
field_line(struct http_head *h)
{
	const char *v;

	v = field(h, "Upgrade");
	if (v)
		h->upgrade = h->upgrade || has_word(v, "websocket");
	v = field(h, "Connection");
	if (v)
		h->connects = h->connects || has_word(v, "upgrade");
	v = field(h, "Sec-WebSocket-Accept");
	if (v)
		quote(h->accept, sizeof(h->accept), v);
	v = field(h, "Location");
	if (v)
		quote(h->location, sizeof(h->location), v);
	h->protocol = h->protocol || field(h, "Sec-WebSocket-Protocol");
	h->extensions = h->extensions || field(h, "Sec-WebSocket-Extensions");
	v = field(h, "Date");
	if (v && h->facts.date == 0) {
		h->facts.date = http_date_parse(v);
		h->facts.date_at = h->unix_time();
	}
}

/* An empty line ends the head; that of an interim answer is followed by another one. */
static void
last_line(struct http_head *h)
{
	int status = h->facts.status;

	h->place = status < 200 && status != 101 ? HTTP_STATUS_LINE : HTTP_BEHIND;
}

static int
line_over(struct http_head *h)
{
	size_t kept = h->len < HTTP_LINE_MAX ? h->len : HTTP_LINE_MAX - 1;
	int r = 0;

	if (kept && kept == h->len && h->line[kept - 1] == '\r')
		kept = --h->len;
	h->line[kept] = '\0';
	if (h->place == HTTP_STATUS_LINE)
		r = status_line(h);
	else if (h->len == 0)
		last_line(h);
	else
		field_line(h);
	h->len = 0;
	return r;
}

/* What is not HTTP is known by its first bytes, and often goes on without a line's end. */
static int
first_bytes(struct http_head *h)
{
	static const char begin[] = "HTTP/";
	size_t n = h->len < sizeof(begin) - 1 ? h->len : sizeof(begin) - 1;

	if (h->place != HTTP_STATUS_LINE || n == 0 || memcmp(h->line, begin, n) == 0)
		return 0;
	/* An alert of TLS (RFC 8446, 6): a plain request came to where TLS is spoken. */
	if (h->line[0] == 0x15)
		return err_set(&h->err,
			"the server speaks TLS here, and this outbound "
			"does not (streamSettings.security)");
	return err_set(&h->err,
		"the server does not answer in HTTP: something else listens there");
}

/* How far the line goes in these bytes, its LF included; *whole once it has that. */
static size_t
line_part(const uint8_t *p, size_t len, bool *whole)
{
	const uint8_t *end = memchr(p, '\n', len);

	*whole = end != NULL;
	return end ? (size_t)(end - p) + 1 : len;
}

static void
line_keep(struct http_head *h, const uint8_t *p, size_t n)
{
	size_t room = h->len < HTTP_LINE_MAX ? HTTP_LINE_MAX - h->len : 0;

	memcpy(h->line + h->len, p, n < room ? n : room);
	h->len += n < room ? n : room;
}

static int
endless(struct http_head *h)
{
	err_set(&h->err, "the head of the server's answer has more than %zu bytes",
		h->max);
	return wrong(h);
}

int
http_head_read(struct http_head *h, const uint8_t *p, size_t len, size_t *used)
{
	bool whole;
	size_t n;

	*used = 0;
	while (*used < len && h->place != HTTP_BEHIND) {
		if (wrong(h))
			return wrong(h);
		n = line_part(p + *used, len - *used, &whole);
		if (n > h->max - h->seen)
			return endless(h);
		line_keep(h, p + *used, n - whole);
		h->seen += n;
		*used += n;
		if (first_bytes(h) < 0 || (whole && line_over(h) < 0))
			return wrong(h);
	}
	return h->place == HTTP_BEHIND ? STREAM_OK : STREAM_AGAIN;
}

int
http_head_cut(struct http_head *h)
{
	if (h->seen == 0)
		err_set(&h->err,
			"the server closed the connection instead of answering: "
			"the path or the host may be wrong");
	else
		err_set(&h->err, "the server closed in the middle of its answer");
	return wrong(h);
}

/* What people may do about an answer that is not the wanted one. */
static const char *
hint(int status)
{
	switch (status) {
	case 200:
		return "that is a web page; the path or the host may be wrong";
	case 400:
		return "it may want TLS, another path or another transport";
	case 401:
	case 403:
		return "it does not let this host, path or client in";
	case 404:
		return "the path may be wrong";
	case 405:
	case 426:
		return "there is no WebSocket at this path";
	case 421:
		return "it does not serve this host";
	case 429:
		return "it takes no more requests for now";
	case 502:
	case 503:
	case 504:
		return "the proxy in front does not reach the server behind it";
	}
	if (status >= 520 && status <= 530)
		return "the CDN does not reach the server behind it";
	return "this is not a server for this transport, or not at this path";
}

static int
refused(struct http_head *h)
{
	int status = h->facts.status;

	if (status >= 300 && status < 400 && h->location[0])
		return err_set(&h->err,
			"the server answered %d and points to %s: the address, the host, the "
			"path or TLS may be wrong",
			status, h->location);
	return err_set(&h->err, "the server answered %d: %s", status, hint(status));
}

int
http_head_upgraded(struct http_head *h)
{
	if (h->facts.status != 101)
		refused(h);
	else if (!h->upgrade)
		err_set(&h->err, "the server's 101 does not say \"Upgrade: websocket\"");
	else if (!h->connects)
		err_set(&h->err, "the server's 101 does not say \"Connection: Upgrade\"");
	return wrong(h);
}
