/* SPDX-License-Identifier: MIT */
#include "stream/tls_certificate.h"

#include <errno.h>
#include <string.h>

/* The elements of DER that certificates are made of (X.690). */
enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BITS = 0x03,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_UTC_TIME = 0x17,
	DER_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	TBS_VERSION = 0xa0,
	TBS_EXTENSIONS = 0xa3,
	AUTHORITY_KEY_ID = 0x80,
};

static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const uint8_t oid_p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };
static const uint8_t oid_server_use[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03,
	0x01 };
static const uint8_t oid_any_use[] = { 0x55, 0x1d, 0x25, 0x00 };

/* All extensions of RFC 5280 that are read are id-ce (2.5.29) and a number. */
enum {
	ID_CE_SUBJECT_KEY_ID = 14,
	ID_CE_ALT_NAMES = 17,
	ID_CE_BASIC_CONSTRAINTS = 19,
	ID_CE_ISSUER_KEY_ID = 35,
	ID_CE_USES = 37,
};

/* Definite and shortest lengths only, as DER wants it; nothing here is above 64 KiB. */
static size_t
der_length(struct reader *r)
{
	size_t n = reader_u8(r);

	if (n < 0x80)
		return n;
	if (n == 0x81) {
		n = reader_u8(r);
		r->bad |= n < 0x80;
	} else if (n == 0x82) {
		n = reader_be16(r);
		r->bad |= n < 0x100;
	} else {
		r->bad = true;
	}
	return n;
}

static bool
der_next_is(const struct reader *r, uint8_t tag)
{
	return !r->bad && r->len && r->p[0] == tag;
}

/* The next element must have this tag; what is in it goes to `inside`. */
static void
der_enter(struct reader *r, uint8_t tag, struct reader *inside)
{
	if (!der_next_is(r, tag))
		r->bad = true;
	reader_skip(r, 1);
	reader_part(r, der_length(r), inside);
	if (r->bad)
		*inside = (struct reader){ .bad = true };
}

static struct span
span_of(const struct reader *r)
{
	return r->bad ? (struct span){ 0 } : (struct span){ r->p, r->len };
}

static struct span
der_inside(struct reader *r, uint8_t tag)
{
	struct reader inside;

	der_enter(r, tag, &inside);
	return span_of(&inside);
}

/* The next element with its tag and length. */
static struct span
der_whole(struct reader *r, uint8_t tag)
{
	const uint8_t *p = r->p;
	struct reader inside;

	der_enter(r, tag, &inside);
	return r->bad ? (struct span){ 0 } : (struct span){ p, (size_t)(r->p - p) };
}

bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

#define span_is(s, bytes) span_equal((s), (struct span){ (bytes), sizeof(bytes) })

static struct span
without_zeros(struct span s)
{
	for (; s.len && s.p[0] == 0; s.len--)
		s.p++;
	return s;
}

static unsigned
digits(struct reader *r, int n)
{
	unsigned v = 0;
	uint8_t c;

	for (; n > 0; n--) {
		c = reader_u8(r);
		if (c < '0' || c > '9')
			r->bad = true;
		v = v * 10 + (unsigned)(c - '0');
	}
	return v;
}

/* Days from 1970-01-01 of the Gregorian calendar; the year begins in March here, so that
 * the leap day is its last. */
static int64_t
days_from(int64_t year, unsigned month, unsigned day)
{
	int64_t era, of_era, y = month <= 2 ? year - 1 : year;
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	era = y / 400;
	of_era = y % 400;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* RFC 5280, 4.1.2.5: with seconds, in UTC. */
static int64_t
der_time(struct reader *r)
{
	unsigned year, month, day, hour, minute, second;
	struct reader t;

	if (der_next_is(r, DER_UTC_TIME)) {
		der_enter(r, DER_UTC_TIME, &t);
		year = digits(&t, 2);
		year += year < 50 ? 2000 : 1900;
	} else {
		der_enter(r, DER_TIME, &t);
		year = digits(&t, 4);
	}
	month = digits(&t, 2);
	day = digits(&t, 2);
	hour = digits(&t, 2);
	minute = digits(&t, 2);
	second = digits(&t, 2);
	if (reader_u8(&t) != 'Z' || t.len || t.bad || month < 1 || month > 12 ||
		day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
		r->bad = true;
		return 0;
	}
	return days_from(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static void
read_rsa(struct certificate *c, struct reader *bits)
{
	struct reader key;

	der_enter(bits, DER_SEQUENCE, &key);
	c->modulus = without_zeros(der_inside(&key, DER_INTEGER));
	c->exponent = without_zeros(der_inside(&key, DER_INTEGER));
	bits->bad |= key.bad;
	c->key = KEY_RSA;
}

static void
read_ec(struct certificate *c, struct reader *algorithm, struct reader *bits)
{
	struct span curve = der_inside(algorithm, DER_OID);

	c->curve = span_is(curve, oid_p256) ? 23
		: span_is(curve, oid_p384)  ? 24
		: span_is(curve, oid_p521)  ? 25
					    : 0;
	c->point = span_of(bits);
	c->key = c->curve && c->point.len ? KEY_EC : KEY_OTHER;
	reader_skip(bits, bits->len);
}

/* SubjectPublicKeyInfo. A key of a kind that is not known is no fault of the form. */
static void
read_key(struct certificate *c, struct reader *tbs)
{
	struct reader key, algorithm, bits;
	struct span kind;

	der_enter(tbs, DER_SEQUENCE, &key);
	der_enter(&key, DER_SEQUENCE, &algorithm);
	kind = der_inside(&algorithm, DER_OID);
	der_enter(&key, DER_BITS, &bits);
	if (reader_u8(&bits) != 0)
		bits.bad = true;
	if (!bits.bad && span_is(kind, oid_rsa))
		read_rsa(c, &bits);
	else if (!bits.bad && span_is(kind, oid_ec))
		read_ec(c, &algorithm, &bits);
	tbs->bad |= key.bad || bits.bad || algorithm.bad;
}

static void
read_authority(struct certificate *c, struct reader *value)
{
	struct reader constraints;
	struct span claim;

	der_enter(value, DER_SEQUENCE, &constraints);
	if (!der_next_is(&constraints, DER_BOOLEAN))
		return;
	claim = der_inside(&constraints, DER_BOOLEAN);
	c->authority = claim.len == 1 && claim.p[0] != 0;
}

static void
read_uses(struct certificate *c, struct reader *value)
{
	struct reader uses;
	struct span use;

	c->for_servers = false;
	der_enter(value, DER_SEQUENCE, &uses);
	while (uses.len && !uses.bad) {
		use = der_inside(&uses, DER_OID);
		c->for_servers |= span_is(use, oid_server_use) ||
			span_is(use, oid_any_use);
	}
	value->bad |= uses.bad;
}

static void
read_issuer_key_id(struct certificate *c, struct reader *value)
{
	struct reader id;

	der_enter(value, DER_SEQUENCE, &id);
	if (der_next_is(&id, AUTHORITY_KEY_ID))
		c->issuer_key_id = der_inside(&id, AUTHORITY_KEY_ID);
}

static void
read_extension(struct certificate *c, struct reader *list)
{
	struct reader extension, value;
	struct span id;

	der_enter(list, DER_SEQUENCE, &extension);
	id = der_inside(&extension, DER_OID);
	if (der_next_is(&extension, DER_BOOLEAN))
		der_inside(&extension, DER_BOOLEAN);
	der_enter(&extension, DER_OCTETS, &value);
	list->bad |= extension.bad;
	if (id.len != 3 || id.p[0] != 0x55 || id.p[1] != 0x1d)
		return;
	switch (id.p[2]) {
	case ID_CE_SUBJECT_KEY_ID:
		c->key_id = der_inside(&value, DER_OCTETS);
		break;
	case ID_CE_ALT_NAMES:
		/* A second one would be another certificate to another reader. */
		list->bad |= c->alt_names.p != NULL;
		c->alt_names = der_inside(&value, DER_SEQUENCE);
		break;
	case ID_CE_BASIC_CONSTRAINTS:
		read_authority(c, &value);
		break;
	case ID_CE_ISSUER_KEY_ID:
		read_issuer_key_id(c, &value);
		break;
	case ID_CE_USES:
		read_uses(c, &value);
		break;
	}
	list->bad |= value.bad;
}

static void
read_extensions(struct certificate *c, struct reader *tbs)
{
	struct reader wrapped, list;

	/* The unique identifiers of version 2, which nobody uses. */
	while (tbs->len && !tbs->bad && tbs->p[0] != TBS_EXTENSIONS)
		der_inside(tbs, tbs->p[0]);
	if (!tbs->len || tbs->bad)
		return;
	der_enter(tbs, TBS_EXTENSIONS, &wrapped);
	der_enter(&wrapped, DER_SEQUENCE, &list);
	while (list.len && !list.bad)
		read_extension(c, &list);
	tbs->bad |= wrapped.bad || list.bad;
}

static void
read_to_be_signed(struct certificate *c, struct reader *tbs)
{
	struct reader validity;

	c->old = !der_next_is(tbs, TBS_VERSION);
	if (!c->old)
		der_inside(tbs, TBS_VERSION);
	c->serial = der_inside(tbs, DER_INTEGER);
	der_inside(tbs, DER_SEQUENCE); /* which algorithm signed; again outside */
	c->issuer = der_whole(tbs, DER_SEQUENCE);
	der_enter(tbs, DER_SEQUENCE, &validity);
	c->not_before = der_time(&validity);
	c->not_after = der_time(&validity);
	c->subject = der_whole(tbs, DER_SEQUENCE);
	read_key(c, tbs);
	read_extensions(c, tbs);
	tbs->bad |= validity.bad;
}

int
certificate_read(struct certificate *c, const uint8_t *der, size_t len)
{
	struct reader r, certificate, tbs;

	*c = (struct certificate){ .der = { der, len }, .for_servers = true };
	if (len > CERTIFICATE_MAX)
		return -EBADMSG;
	reader_init(&r, der, len);
	der_enter(&r, DER_SEQUENCE, &certificate);
	der_enter(&certificate, DER_SEQUENCE, &tbs);
	read_to_be_signed(c, &tbs);
	der_inside(&certificate, DER_SEQUENCE);
	der_inside(&certificate, DER_BITS);
	if (r.bad || r.len || certificate.bad || certificate.len || tbs.bad || tbs.len)
		return -EBADMSG;
	return 0;
}

bool
certificate_signs_itself(const struct certificate *c)
{
	return span_equal(c->issuer, c->subject);
}
