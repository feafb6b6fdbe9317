/* SPDX-License-Identifier: MIT */
#include "stream/http_head_request.h"

#include "base/bytes.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* The lines that sluice writes itself, but for host, path, key and early data. */
enum { FIXED_MAX = 512 };

static bool
is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A token of RFC 9110, 5.6.2. */
static bool
is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!is_letter_or_digit(*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	return true;
}

/* No control characters; a tab is none here. */
static bool
is_line(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

static bool
is_host(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr("/?#@\\", *s))
			return false;
	return true;
}

/* Fields that would be there twice, or would say that a body follows. */
static bool
is_ours(const char *name)
{
	static const char *const ours[] = { "Host", "Upgrade", "Connection",
		"Content-Length", "Transfer-Encoding", "Expect", "TE", "Trailer" };
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (strcasecmp(name, ours[i]) == 0)
			return true;
	return strncasecmp(name, "Sec-WebSocket-", 14) == 0;
}

int
http_field_check(const struct http_field *f, struct err *e)
{
	if (!is_token(f->name))
		return err_set(e, "a header's name has letters, digits and '-' only");
	if (is_ours(f->name))
		return err_set(e, "%s: sluice writes this header itself", f->name);
	if (!is_line(f->value))
		return err_set(e, "%s: the value has control characters", f->name);
	return 0;
}

static int
fields_check(const struct http_request *q, struct err *e)
{
	size_t i, all = 0;

	if (q->nfields > HTTP_FIELDS_MAX)
		return err_set(e, "more than %d headers", HTTP_FIELDS_MAX);
	for (i = 0; i < q->nfields; i++) {
		if (http_field_check(&q->fields[i], e) < 0)
			return -1;
		all += strlen(q->fields[i].name) + strlen(q->fields[i].value) + 4;
	}
	if (all > HTTP_FIELDS_BYTES)
		return err_set(e, "headers of more than %d bytes", HTTP_FIELDS_BYTES);
	return 0;
}

/* Early data may take the place of Sec-WebSocket-Protocol, and of no other of ours. */
static int
early_check(const struct http_request *q, struct err *e)
{
	const char *name = q->early_name;

	if (q->early_max == 0)
		return 0;
	if (q->early_max > HTTP_EARLY_MAX)
		return err_set(e, "early data of more than %d bytes is not sent",
			HTTP_EARLY_MAX);
	if (!*name)
		return 0;
	if (!is_token(name) || strlen(name) > HTTP_EARLY_NAME_MAX)
		return err_set(e, "earlyDataHeaderName is not the name of a header");
	if (is_ours(name) && strcasecmp(name, "Sec-WebSocket-Protocol") != 0)
		return err_set(
			e, "earlyDataHeaderName: %s has a meaning of its own", name);
	return 0;
}

int
http_request_check(const struct http_request *q, struct err *e)
{
	if (q->path[0] != '/')
		return err_set(e, "a path begins with '/'");
	if (strlen(q->path) > HTTP_PATH_MAX)
		return err_set(e, "a path of more than %d bytes", HTTP_PATH_MAX);
	if (!is_host(q->host) || strlen(q->host) > HTTP_HOST_MAX)
		return err_set(e, "the host is not the name of a server");
	return fields_check(q, e) < 0 ? -1 : early_check(q, e);
}

static void
text(struct writer *w, const char *s)
{
	writer_bytes(w, s, strlen(s));
}

static void
field(struct writer *w, const char *name, const char *value)
{
	text(w, name);
	text(w, ": ");
	text(w, value);
	text(w, "\r\n");
}

/* What may not stand in a request target (RFC 3986, 2) is escaped; what is escaped
 * already stays as it is. */
static void
path(struct writer *w, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c;

	for (; *s; s++) {
		c = (unsigned char)*s;
		if (c > ' ' && c < 0x7f && !strchr("\"#<>\\^`{|}", c)) {
			writer_u8(w, c);
			continue;
		}
		writer_u8(w, '%');
		writer_u8(w, (uint8_t)hex[c >> 4]);
		writer_u8(w, (uint8_t)hex[c & 15]);
	}
}

static bool
has_field(const struct http_request *q, const char *name)
{
	size_t i;

	for (i = 0; i < q->nfields; i++)
		if (strcasecmp(q->fields[i].name, name) == 0)
			return true;
	return false;
}

size_t
http_request_size(const struct http_request *q, const struct http_request_more *m)
{
	return FIXED_MAX + 3 * strlen(q->path) + strlen(q->host) + HTTP_EARLY_NAME_MAX +
		(m->early ? strlen(m->early) : 0) + HTTP_FIELDS_BYTES;
}

size_t
http_request_write(const struct http_request *q, const struct http_request_more *m,
	uint8_t *p, size_t cap)
{
	struct writer w;
	size_t i;

	writer_init(&w, p, cap);
	text(&w, "GET ");
	path(&w, q->path);
	if (m->early && !*q->early_name)
		text(&w, m->early);
	text(&w, " HTTP/1.1\r\n");
	field(&w, "Host", q->host);
	/* What V2Ray and sing-box send, too: some CDNs turn away who says nothing. */
	if (!has_field(q, "User-Agent"))
		field(&w, "User-Agent", "Go-http-client/1.1");
	field(&w, "Connection", "Upgrade");
	field(&w, "Upgrade", "websocket");
	if (m->key) {
		field(&w, "Sec-WebSocket-Key", m->key);
		field(&w, "Sec-WebSocket-Version", "13");
	}
	for (i = 0; i < q->nfields; i++)
		field(&w, q->fields[i].name, q->fields[i].value);
	if (m->early && *q->early_name)
		field(&w, q->early_name, m->early);
	text(&w, "\r\n");
	assert(!w.bad);
	return w.len;
}
