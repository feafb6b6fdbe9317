/* SPDX-License-Identifier: MIT */
#include "stream/tls_trust.h"

#include <bearssl.h>
#include <errno.h>

/*
 * Chains in use need up to four certificates and one attempt; cross-signed ones two or
 * three.  A server that sends many certificates with the same names gets no more than
 * this, so that it cannot keep the loop busy with signatures.
 */
enum { PATH_MAX_LEN = 8, ATTEMPTS_MAX = 8, STEPS_MAX = 64, ANCHORS_MAX = 8 };

/* BearSSL counts days from the year 0. */
enum { DAYS_TO_1970 = 719528 };

struct search {
	const struct tls_stream *t;
	const struct certificate *anchor; /* the only one; NULL: what is trusted */
	int64_t now;
	const struct certificate *path[PATH_MAX_LEN];
	size_t n;
	int attempts, steps;
	unsigned error; /* why the validator refused a way, or would; 0: there was none */
	const struct certificate *dated;    /* was passed over for its dates */
	const struct certificate *dead_end; /* whose issuer nobody knows */
};

static bool
in_time(struct search *s, const struct certificate *c)
{
	if (s->now >= c->not_before && s->now <= c->not_after)
		return true;
	s->dated = c;
	return false;
}

static bool
may_sign(struct search *s, const struct certificate *c)
{
	if (!c->authority && !c->old)
		return false;
	if (c->key == KEY_OTHER && !s->error)
		s->error = BR_ERR_X509_UNSUPPORTED;
	return c->key != KEY_OTHER;
}

/* BearSSL takes unsigned char * for what it only reads. */
static unsigned char *
bytes_of(struct span s)
{
	return (unsigned char *)(uintptr_t)s.p;
}

static br_x509_trust_anchor
anchor_of(const struct certificate *c)
{
	br_x509_trust_anchor a = {
		.dn = { bytes_of(c->subject), c->subject.len },
		.flags = BR_X509_TA_CA,
	};

	if (c->key == KEY_RSA) {
		a.pkey.key_type = BR_KEYTYPE_RSA;
		a.pkey.key.rsa.n = bytes_of(c->modulus);
		a.pkey.key.rsa.nlen = c->modulus.len;
		a.pkey.key.rsa.e = bytes_of(c->exponent);
		a.pkey.key.rsa.elen = c->exponent.len;
	} else {
		a.pkey.key_type = BR_KEYTYPE_EC;
		a.pkey.key.ec.curve = c->curve;
		a.pkey.key.ec.q = bytes_of(c->point);
		a.pkey.key.ec.qlen = c->point.len;
	}
	return a;
}

static size_t
add_anchors(struct search *s, const struct tls_roots *roots, struct span name,
	br_x509_trust_anchor *a, size_t n)
{
	const struct certificate *c;
	size_t found = tls_roots_find(roots, name, &c);

	for (; found && n < ANCHORS_MAX; found--, c++)
		if (may_sign(s, c) && in_time(s, c))
			a[n++] = anchor_of(c);
	return n;
}

/* What is trusted under this name. */
static size_t
anchors_find(
	struct search *s, struct span name, br_x509_trust_anchor a[static ANCHORS_MAX])
{
	const struct tls_setup *setup = s->t->setup;
	size_t n;

	if (s->anchor) {
		if (!span_equal(s->anchor->subject, name) || !may_sign(s, s->anchor) ||
			!in_time(s, s->anchor))
			return 0;
		a[0] = anchor_of(s->anchor);
		return 1;
	}
	n = add_anchors(s, &setup->trusted, name, a, 0);
	if (setup->system_roots)
		n = add_anchors(s, &setup->stock->roots, name, a, n);
	return n;
}

/* The server's certificate itself stands among the trusted ones. */
static bool
trusted_itself(const struct search *s, const struct tls_roots *roots)
{
	const struct certificate *c;
	size_t n = tls_roots_find(roots, s->path[0]->subject, &c);

	for (; n; n--, c++)
		if (span_equal(c->der, s->path[0]->der))
			return true;
	return false;
}

/* Whether the path leads to one of the anchors; the library's word. */
static bool
attempt(struct search *s, const br_x509_trust_anchor *a, size_t n)
{
	const br_x509_class **x;
	br_x509_minimal_context m;
	unsigned error;
	int64_t days = s->now / 86400;
	size_t i;

	if (s->attempts++ >= ATTEMPTS_MAX || s->now < 0)
		return false;
	br_x509_minimal_init_full(&m, a, n);
	/* Nobody may sign with SHA-1 any more. */
	br_x509_minimal_set_hash(&m, br_sha1_ID, NULL);
	br_x509_minimal_set_time(
		&m, (uint32_t)(days + DAYS_TO_1970), (uint32_t)(s->now % 86400));
	x = &m.vtable;
	m.vtable->start_chain(x, NULL);
	for (i = 0; i < s->n; i++) {
		m.vtable->start_cert(x, (uint32_t)s->path[i]->der.len);
		m.vtable->append(x, s->path[i]->der.p, s->path[i]->der.len);
		m.vtable->end_cert(x);
	}
	error = m.vtable->end_chain(x);
	if (error)
		s->error = error;
	return error == 0;
}

/* One that is under way already, or another certificate of the same name. */
static bool
on_path(const struct search *s, const struct certificate *c)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (span_equal(s->path[i]->subject, c->subject))
			return true;
	return false;
}

/* Whether the identifiers of keys say that `above` signed `c`. */
static bool
key_ids_agree(const struct certificate *c, const struct certificate *above)
{
	return c->issuer_key_id.p && above->key_id.p &&
		span_equal(c->issuer_key_id, above->key_id);
}

static bool extend(struct search *s);

/* Goes on with the certificates that came whose name is that of the issuer: those whose
 * key is said to be the right one first. *any: there was one. */
static bool
extend_with(struct search *s, bool agreeing, bool *any)
{
	const struct tls_chain *h = s->t->chain;
	const struct certificate *c = s->path[s->n - 1], *above;
	size_t i;

	for (i = 1; i < h->n; i++) {
		above = &h->certificate[i];
		if (!h->readable[i] || !span_equal(above->subject, c->issuer) ||
			key_ids_agree(c, above) != agreeing || !may_sign(s, above) ||
			on_path(s, above) || !in_time(s, above))
			continue;
		*any = true;
		s->path[s->n++] = above;
		if (extend(s))
			return true;
		s->n--;
	}
	return false;
}

/* From the last certificate of the path to something trusted. The path has at most
 * PATH_MAX_LEN certificates, and so has this recursion. */
static bool
extend(struct search *s)
{
	const struct certificate *c = s->path[s->n - 1];
	br_x509_trust_anchor a[ANCHORS_MAX];
	bool any = false;
	size_t n;

	if (s->steps++ >= STEPS_MAX)
		return false;
	n = anchors_find(s, c->issuer, a);
	if (n && attempt(s, a, n))
		return true;
	if (s->n == PATH_MAX_LEN)
		return false;
	if (extend_with(s, true, &any) || extend_with(s, false, &any))
		return true;
	if (!any && !n)
		s->dead_end = c;
	return false;
}

static int
fail_validation(struct tls_stream *t, unsigned error)
{
	switch (error) {
	case BR_ERR_X509_BAD_SIGNATURE:
		return tls_fail_chain(t, TLS_CHAIN_FORGED, error);
	case BR_ERR_X509_NOT_CA:
	case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
		return tls_fail_chain(t, TLS_CHAIN_NO_SIGNER, error);
	case BR_ERR_X509_CRITICAL_EXTENSION:
		return tls_fail_chain(t, TLS_CHAIN_CONDITION, error);
	case BR_ERR_X509_UNSUPPORTED:
	case BR_ERR_X509_WRONG_KEY_TYPE:
	case BR_ERR_X509_LIMIT_EXCEEDED:
		return tls_fail_chain(t, TLS_CHAIN_ALGORITHM, error);
	case BR_ERR_X509_WEAK_PUBLIC_KEY:
		return tls_fail_chain(t, TLS_CHAIN_SHORT_KEY, error);
	}
	return tls_fail_chain(t, TLS_CHAIN_OTHER, error);
}

int
tls_trust(struct tls_stream *t, const struct certificate *anchor, int64_t now)
{
	struct search s = { .t = t, .anchor = anchor, .now = now, .n = 1 };

	s.path[0] = &t->chain->certificate[0];
	if (!anchor && trusted_itself(&s, &t->setup->trusted))
		return 0;
	if (!anchor && t->setup->system_roots &&
		trusted_itself(&s, &t->setup->stock->roots))
		return 0;
	if (extend(&s))
		return 0;
	if (s.error && s.error != BR_ERR_X509_NOT_TRUSTED)
		return fail_validation(t, s.error);
	if (s.dated)
		return tls_fail_dates(t, s.dated, now);
	return tls_fail_issuer(t, s.dead_end ? s.dead_end : s.path[0]);
}
