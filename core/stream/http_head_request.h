/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTP_HEAD_REQUEST_H
#define STREAM_HTTP_HEAD_REQUEST_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The head of an HTTP/1.1 request that asks for an upgrade, as the configuration wants
 * it.  It is checked once, when it is loaded; what is written is bounded by that.
 */
struct http_field {
	const char *name, *value;
};

enum {
	HTTP_PATH_MAX = 2048,      /* bytes */
	HTTP_HOST_MAX = 261,       /* a name of 255, and a port */
	HTTP_FIELDS_MAX = 64,      /* extra ones */
	HTTP_FIELDS_BYTES = 8192,  /* of all of them */
	HTTP_EARLY_MAX = 8192,     /* bytes before Base64: servers read heads of 16 KB */
	HTTP_EARLY_NAME_MAX = 128, /* bytes */
};

/* How the first bytes may leave in the request, before the server has answered. */
enum http_early_rule {
	HTTP_EARLY_PART,  /* the first `max` bytes (V2Ray, sing-box) */
	HTTP_EARLY_WHOLE, /* all of the first write, or none of it (Xray) */
};

/* Texts are borrowed, and outlive every stream that is made from them. */
struct http_request {
	const char *host; /* with its port, where that must be sent */
	const char *path; /* with its query; what may not stand in a request is escaped */
	const struct http_field *fields;
	size_t nfields;
	size_t early_max; /* bytes; 0: no early data */
	/* The field that carries it; "": it is appended to the path. */
	const char *early_name;
	enum http_early_rule early_rule;
};

/* 0, or -1 and what is wrong with it, in the words of the configuration. */
int http_request_check(const struct http_request *q, struct err *e);
/* Whether this may be a field besides those that sluice writes: the name is a token, the
 * value has no control characters (RFC 9110, 5.5), and it is none of ours. */
int http_field_check(const struct http_field *f, struct err *e);

/* What one upgrade adds. */
struct http_request_more {
	const char *key;   /* Sec-WebSocket-Key; NULL: no Sec-WebSocket- fields at all */
	const char *early; /* Base64; NULL: none */
};

/* At most this many bytes for a request that was checked. */
size_t http_request_size(const struct http_request *q, const struct http_request_more *m);
/* Answers how many bytes were written. */
size_t http_request_write(const struct http_request *q, const struct http_request_more *m,
	uint8_t *p, size_t cap);

#endif
