/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_CERTIFICATE_H
#define STREAM_TLS_CERTIFICATE_H

#include "base/addr.h"
#include "base/bytes.h"

#include <stdbool.h>

/*
 * What sluice itself reads of an X.509 certificate (RFC 5280): enough to put a chain in
 * order, to check names and dates, and to say what is wrong with it.  Signatures are
 * the TLS library's to check.
 */
struct span {
	const uint8_t *p; /* NULL: absent */
	size_t len;
};

enum certificate_key {
	KEY_OTHER, /* neither of these: Ed25519, DSA, a curve of one's own */
	KEY_RSA,
	KEY_EC,
};

struct certificate {
	struct span der;
	struct span issuer, subject; /* the names, as DER */
	struct span serial;
	struct span alt_names; /* what is in the GeneralNames of the server */
	struct span key_id, issuer_key_id;
	struct span modulus, exponent; /* KEY_RSA, without leading zeros */
	struct span point;             /* KEY_EC */
	enum certificate_key key;
	int curve;                     /* KEY_EC: the number that TLS has for it */
	int64_t not_before, not_after; /* Unix time */
	bool old;                      /* version 1: it cannot say what it is for */
	bool authority;                /* may sign others */
	bool for_servers; /* its uses are not limited, or this is one of them */
};

enum { CERTIFICATE_MAX = 16 * 1024, CERTIFICATE_NAME_TEXT = 128, UNIX_TIME_TEXT = 24 };

/* Spans point into `der`. 0, or -EBADMSG. */
int certificate_read(struct certificate *c, const uint8_t *der, size_t len);

bool span_equal(struct span a, struct span b);
/* The certificate's issuer is its subject. */
bool certificate_signs_itself(const struct certificate *c);

/* The name stands in the certificate, as itself or under a wildcard that stands for one
 * whole label (RFC 6125, 6.4.3). `name` is lower case, without a final dot. */
bool certificate_has_name(const struct certificate *c, const char *name);
bool certificate_has_ip(const struct certificate *c, const struct ip *ip);
/* All of them, for people: "a.example, *.b.example and 192.0.2.1"; "" when there are
 * none. Returns `out`. */
const char *certificate_names(const struct certificate *c, char *out, size_t cap);

/* The part of a DER name that people know it by: "R3 of Let's Encrypt". Returns `out`. */
const char *
certificate_name_text(struct span name, char out[static CERTIFICATE_NAME_TEXT]);
/* "2031-05-06 07:08:09 UTC". Returns `out`. */
const char *unix_time_text(int64_t t, char out[static UNIX_TIME_TEXT]);

#endif
