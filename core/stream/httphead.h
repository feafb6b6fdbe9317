/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTPHEAD_H
#define STREAM_HTTPHEAD_H

#include "base/err.h"
#include "base/random.h"
#include "stream/http_head.h"
#include "stream/stream.h"

/*
 * The `header: http` of raw TCP: the first bytes each way have the head of an HTTP
 * message in front of them, and everything behind it is as it was (vmess.md 13.1).  Ours
 * leaves in one write with the first payload.  Of the server's, anything up to its empty
 * line will do: it is decoration, and may say whatever its configuration wants.
 */
enum {
	HTTPHEAD_REQUEST_MAX = 8192, /* what V2Ray reads */
	HTTPHEAD_ANSWER_MAX = 8192,
	HTTPHEAD_LIST_MAX = 64, /* paths, fields, and values of each */
};

/* Texts of which one is drawn for each connection. */
struct httphead_list {
	const char *const *text;
	size_t n;
};

struct httphead_field {
	const char *name;
	struct httphead_list values; /* none: the field is left out */
};

/* Borrowed by every stream made from it. */
struct httphead_spec {
	const char *version;        /* "1.1" */
	const char *method;         /* "GET" */
	struct httphead_list paths; /* none: "/" */
	const struct httphead_field *fields;
	size_t nfields;
};

/* What V2Ray sends where the configuration says nothing. */
extern const struct httphead_spec httphead_default;

/* 0, or -1 and what is wrong with it. The longest request that it can make fits. */
int httphead_check(const struct httphead_spec *spec, struct err *e);

/*
 * Takes `lower`, also on failure. `spec` was checked, and outlives the stream; `rng` is
 * used here only. NULL without memory.
 */
struct stream *httphead_new(const struct httphead_spec *spec, struct stream *lower,
	struct rng *rng, int64_t (*unix_time)(void));

/* What the server's head has told so far. `s` is of httphead_new. */
const struct http_facts *httphead_facts(const struct stream *s);
/* The server's clock in it (Unix time), or 0. */
int64_t httphead_date(const struct stream *s);

#endif
